"""What a network answered at every step of every input, kept so that exit rules can be fitted and compared without running it again."""

import io
import zipfile
import zlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import accumulate_step, expect, expect_finite
from ..core.files import write_atomic
from .rule import Rule


@dataclass(frozen=True)
class Record:
    """The outputs of N inputs at full length. Any framework can write the file: see `load`.

    Args:
        outputs: per step and not accumulated, [N, T, K], float32; what lies behind an input's end does not count.
        labels: the true classes, int64 [N]; None if they are unknown.
        lengths: steps of each input, int64 [N], 1 to T; None if all have T.
        how: how outputs become evidence, as in `accumulate`.
        dt_ms: the length of a step, in ms; None if steps have no duration.
        model: the fingerprint of the network; empty if it is unknown.
    """

    outputs: Tensor
    labels: Tensor | None = None
    lengths: Tensor | None = None
    how: str = "sum"
    dt_ms: float | None = None
    model: str = ""

    def __post_init__(self) -> None:
        expect(self.outputs, "N T K", "outputs")
        count, steps, classes = self.outputs.shape
        if self.labels is not None:
            expect(self.labels, "N", "labels", N=count)
            _expect_whole(self.labels, "labels", 0, classes - 1)
        if self.lengths is not None:
            expect(self.lengths, "N", "lengths", N=count)
            _expect_whole(self.lengths, "lengths", 1, steps)
        expect_finite(self.outputs.masked_fill(~self.valid.unsqueeze(-1), 0), "outputs")

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def ends(self) -> Tensor:
        """The last step of each input, counted from 1, int64 [N]."""
        return torch.full((len(self),), self.outputs.shape[1]) if self.lengths is None else self.lengths

    @property
    def valid(self) -> Tensor:
        """Which steps belong to the input, bool [N, T]."""
        return torch.arange(self.outputs.shape[1]) < self.ends.unsqueeze(1)

    def evidence(self, rule: Rule | None = None) -> Tensor:
        """The evidence after each step, [N, T, K], summed in the order in which a running network sums it, so the two agree to the bit."""
        parts, state = [], None
        for outputs_t in self.outputs.unbind(1):
            evidence_t, state = accumulate_step(outputs_t if rule is None else rule.weigh(outputs_t), state, self.how)
            parts.append(evidence_t)
        return torch.stack(parts, 1)

    def subset(self, index: Tensor) -> "Record":
        """The inputs `index` (bool [N] or int64)."""
        labels = None if self.labels is None else self.labels[index]
        lengths = None if self.lengths is None else self.lengths[index]
        return replace(self, outputs=self.outputs[index], labels=labels, lengths=lengths)

    def save(self, path: str | Path) -> None:
        """Write an `.npz`, whole or not at all."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: np.asarray(value) for name, value in values.items() if value is not None}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Record":
        """Read an `.npz` with `outputs` [N, T, K] and, if known, `labels` [N], `lengths` [N], `how`, `dt_ms` and `model`.

        Raises:
            OSError: there is no such file or it may not be read.
            ValueError: it is damaged, or its arrays do not fit together.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as pack:
                found = {field.name: pack[field.name] for field in fields(cls) if field.name in pack}
        except (ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path}: expected an .npz of recorded outputs, but it cannot be read ({error}). Record again.") from error
        if "outputs" not in found:
            raise ValueError(f"{path}: expected an array 'outputs' [N, T, K], which is missing. See dendrix.exits.Record.load.")
        tensors: dict[str, Any] = {
            name: torch.from_numpy(value) for name, value in found.items() if name in ("outputs", "labels", "lengths")
        }
        tensors["outputs"] = tensors["outputs"].float()
        words = {name: found[name].item() for name in ("how", "dt_ms", "model") if name in found}
        return cls(**tensors, **words)


def _expect_whole(values: Tensor, name: str, low: int, high: int) -> None:
    whole = not values.is_floating_point() and not values.is_complex() and values.dtype != torch.bool
    if whole and low <= int(values.min()) and int(values.max()) <= high:
        return
    came = f"{values.min().item()} to {values.max().item()}" if whole else str(values.dtype)
    raise ValueError(f"{name}: expected whole numbers from {low} to {high}, got {came}. Check what was recorded.")
