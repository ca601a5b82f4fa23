"""Recording a network: one pass at full length over batches, and what the network must be for that."""

import contextlib
import hashlib
import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..core import Stateful, expect, expect_finite, expect_valid
from ..errors import InputError, InputTypeError
from .records import ExitRecord

Item = Tensor | Sequence[Tensor] | tuple[Tensor, Tensor | None, Tensor]
"""A batch: (x, valid, y), (x, y) or x."""


def record_outputs(
    model: nn.Module,
    batches: Iterable[Item],
    accumulation: str = "sum",
    dt_ms: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExitRecord:
    """Run a network once over every input, at full length and in evaluation mode, and keep what it answers.

    Valid steps move to the front, so padding on either side and gaps are the same; the record needs 4 N T K bytes of memory.

    Args:
        model: gives a pair (outputs [B, T, K], state), and keeps no state itself.
        batches: each (x, valid, y), as `dendrix.data.Batch`; (x, y); or x alone. x [B, T, ...], valid bool [B, T], y int64 [B].
        accumulation: how outputs become evidence, as in `accumulate`.
        dt_ms: the length of a step, in ms.
        progress: called after each batch with the number of inputs so far.
    Raises:
        TypeError, ValueError: the network is none that answers over time, its state is hidden, or a batch does not fit.
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
                outputs = _zeros(len(x) * operator.length_hint(batches, 1), *part.shape[1:])
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


def fingerprint(model: nn.Module) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of the model's `state_dict` and over its layers with a state, as hexadecimal digits.

    Of such a layer count its path, its class, and its attributes that are numbers, words or tuples of them: with other neurons the same
    weights answer otherwise. It is the same in every process, on every device, and in training and evaluation.
    """
    digest = hashlib.sha256()
    for path, part in model.named_modules():
        if isinstance(part, Stateful):
            digest.update(f"{path} {type(part).__name__} {_settings(part)}\n".encode())
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _settings(part: Stateful) -> list[tuple[str, object]]:
    """The public attributes of a layer that are plain values, by name."""
    plain = bool | int | float | str
    return [
        (name, value)
        for name, value in sorted(vars(part).items())
        if not name.startswith("_")
        and name != "training"
        and (isinstance(value, plain) or (isinstance(value, tuple) and all(isinstance(one, plain) for one in value)))
    ]


def call(model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """The outputs [B, T, K] of a network from rest, checked.

    Raises:
        TypeError: it does not return a pair (outputs, state).
        ValueError: the outputs are not one vector per step, or a valid one is NaN or infinite.
    """
    expect_valid(valid, x)
    outputs = expect_outputs(model(x) if valid is None else model(x, None, valid), x)
    expect_finite(outputs if valid is None else outputs.masked_fill(~valid.unsqueeze(-1), 0), "outputs")
    return outputs


def expect_outputs(given: object, x: Tensor) -> Tensor:
    """The outputs [B, T, K] in what a network returned for x [B, T, ...].

    Raises:
        TypeError: it is not a pair (outputs, state).
        ValueError: the outputs are not one vector per step.
    """
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Tensor)):
        raise InputTypeError(
            f"model: expected a pair (outputs [B, T, K], state) from model(x), got {type(given).__name__}. "
            "A network here takes its temporal state as an argument and returns the next, y, state = model(x, state, valid)."
        )
    expect(given[0], "B T K", "outputs", B=x.shape[0], T=x.shape[1])
    return given[0]


def expect_explicit_state(model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """The outputs of a network [B, T, K], run twice to see that it keeps nothing between calls.

    Raises:
        TypeError, ValueError: see `call`.
        ValueError: the second run from rest gives something else.
    """
    first, second = call(model, x, valid), call(model, x, valid)
    expect_repeated(first, second)
    return first


def expect_repeated(first: Tensor, second: Tensor) -> None:
    """Check that two runs of a network on the same input gave the same.

    Raises:
        ValueError: they differ.
    """
    if not torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise InputError(
            "model: expected the same outputs for the same input from rest, but a second run differs: it keeps hidden state between calls, "
            "or it is random. Temporal state must be explicit: taken as an argument, returned, and None at rest."
        )


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every part is in the mode that it was in."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        for part, training in modes:
            part.training = training


def parts(item: Item) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """x, valid and y of a batch."""
    match item:
        case Tensor():
            return item, None, None
        case (x, y):
            return x, None, y
        case (x, valid, y):
            return x, valid, y
    raise InputTypeError(f"batches: expected (x, valid, y), (x, y) or x, got {type(item).__name__}. See dendrix.exits.record.")


def _front(outputs: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """The outputs with valid steps first and zeros behind them, up to the longest row, and the lengths."""
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
    """Room for at least so many rows and steps: the tensor itself, or a larger one. Rows double, so that a stream is seldom copied."""
    had, reached, classes = outputs.shape
    if rows <= had and steps <= reached:
        return outputs
    larger = _zeros(had if rows <= had else max(rows, 2 * had), max(steps, reached), classes)
    larger[:had, :reached] = outputs
    return larger


def _zeros(rows: int, steps: int, classes: int) -> Tensor:
    """Zeros that take memory only where they are written: numpy leaves that to the system, torch writes them all."""
    _expect_room(4 * rows * steps * classes)
    return torch.from_numpy(np.zeros((rows, steps, classes), dtype=np.float32))


def _expect_room(needed: int) -> None:
    """Refuse early what cannot fit: a machine out of memory ends the process without a word."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf  # Windows does not say
    if needed > there:
        raise MemoryError(
            f"record: expected to fit into {there / 2**30:.3g} GiB of memory, but the outputs of all batches take about "
            f"{needed / 2**30:.3g} GiB. Record fewer inputs, or a coarser time step."
        )
