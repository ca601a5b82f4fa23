"""Recording of a network's outputs: one pass at full length over batches."""

import math
import operator
import os
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from .network import Item, call, evaluating, expect_explicit_state, fingerprint, parts
from .records import ExitRecord


def record_outputs(
    model: nn.Module,
    batches: Iterable[Item],
    accumulation: str = "sum",
    dt_ms: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExitRecord:
    """Run a network once over every input, at full length and in evaluation mode, and record its outputs.

    Valid steps move to the front, so padding on either side and gaps make no difference. The record needs 4 N T K bytes of memory, or
    8 N T K if the outputs are float64.

    Args:
        model: returns a pair (outputs [B, T, K], state), and keeps no state itself.
        batches: each (x, valid, y), as `dendrix.data.Batch`; (x, y); or x alone. x [B, T, ...], valid bool [B, T], y int64 [B].
        accumulation: how outputs become evidence, as in `accumulate`.
        dt_ms: length of a step, in ms.
        progress: called after each batch with the number of inputs so far.
    Raises:
        TypeError, ValueError: the network does not answer at every step, its state is hidden, or a batch does not fit.
        MemoryError: the record would not fit into the memory of this machine.
    """
    outputs: Tensor | None = None
    lengths: list[Tensor] = []
    labels: list[Tensor] = []
    count = 0
    device = next((tensor.device for tensor in model.state_dict().values() if isinstance(tensor, Tensor)), torch.device("cpu"))
    with evaluating(model):
        for item in batches:
            x, valid, y = parts(item)
            x, valid = x.to(device), None if valid is None else valid.to(device)
            given = expect_explicit_state(model, x, valid) if outputs is None else call(model, x, valid)
            part, ends = _front(given, valid)
            if outputs is None:
                outputs = _zeros((len(x) * operator.length_hint(batches, 1), *part.shape[1:]), part.dtype)
            outputs = _grown(outputs, count + len(x), part.shape[1])
            outputs[count : count + len(x), : part.shape[1]] = part
            lengths.append(ends.cpu())
            if y is not None:
                labels.append(y.cpu())
            count += len(x)
            if progress is not None:
                progress(count)
    if outputs is None:
        raise InputError("batches: expected at least one batch, got none. Check the data set or the split.")
    ends = torch.cat(lengths)
    even = bool((ends == outputs.shape[1]).all())
    return ExitRecord(
        outputs[:count], torch.cat(labels) if labels else None, None if even else ends, accumulation, dt_ms, fingerprint(model)
    )


def _front(outputs: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Outputs with the valid steps first and zeros behind them, up to the longest row, and the lengths, int64 [B]."""
    if valid is None or bool(valid.all()):
        return outputs, torch.full((len(outputs),), outputs.shape[1])
    lengths = valid.sum(1)
    if not bool(lengths.all()):
        raise InputError(f"valid: expected a valid step in every input, got none in row {int(lengths.argmin())}. Leave that input out.")
    steps = int(lengths.max())
    order = (~valid).int().argsort(dim=1, stable=True)[:, :steps]
    moved = outputs.gather(1, order.unsqueeze(-1).expand(-1, -1, outputs.shape[2]))
    return moved.masked_fill(torch.arange(steps, device=valid.device).unsqueeze(-1) >= lengths.view(-1, 1, 1), 0), lengths


def _grown(outputs: Tensor, rows: int, steps: int) -> Tensor:
    """Outputs with room for at least so many rows and steps. The number of rows doubles, so that a stream is seldom copied."""
    had, reached, classes = outputs.shape
    if rows <= had and steps <= reached:
        return outputs
    larger = _zeros((had if rows <= had else max(rows, 2 * had), max(steps, reached), classes), outputs.dtype)
    larger[:had, :reached] = outputs
    return larger


def _zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros that use memory only where they are written: numpy leaves zeroing to the operating system, torch writes every element.

    float64, as of networks in whole numbers, is kept; all else becomes float32.
    """
    kept = np.float64 if dtype == torch.float64 else np.float32
    _expect_memory(np.dtype(kept).itemsize * math.prod(shape))
    return torch.from_numpy(np.zeros(shape, dtype=kept))


def _expect_memory(needed: int) -> None:
    """Refuse early what cannot fit: the operating system kills a process that runs out of memory without a message."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf  # absent on Windows
    if needed > there:
        raise MemoryError(
            f"record: expected to fit into {there / 2**30:.3g} GiB of memory, but the outputs of all batches take about "
            f"{needed / 2**30:.3g} GiB. Record fewer inputs, or a coarser time step."
        )
