"""Records of a network's outputs at every step, on which exit rules are fitted and compared without running it again."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import ACCUMULATIONS, accumulate_step, expect, expect_fields, expect_floating, expect_one_of
from ..core.archives import read_npz
from ..core.files import write_atomic
from ..errors import InputError, InputTypeError
from .rules.base import ExitRule, finite_rows

_ARRAYS = {"outputs": ("fiub", np.float32), "labels": ("iu", np.int64), "lengths": ("iu", np.int64), "groups": ("iu", np.int64)}
"""Kinds of numbers that a file may contain, in numpy's letters, and the dtype they are read as."""


@dataclass(frozen=True, eq=False)
class ExitRecord:
    """Outputs of N inputs at full length. Any framework can write the file; see `load`.

    Args:
        outputs: per step and not accumulated, [N, T, K], float32 (float64 is kept, narrower types become float32), moved to the CPU and
            detached; values behind the end of an input are ignored.
        labels: true classes, int64 [N], -1 for an input of none of the classes; None if unknown.
        lengths: number of steps of each input, int64 [N], 1 to T; None if all have T.
        accumulation: how outputs become evidence, as in `accumulate`.
        dt_ms: length of a step, in ms; None if steps have no duration.
        model: fingerprint of the network; empty if unknown.
        groups: group of each input, such as its speaker, int64 [N] from 0; None if unknown.
        grouped_by: kind of the groups, such as "speaker"; empty if unknown.
    Raises:
        TypeError, ValueError: shapes or numbers that do not fit together, or an output that is NaN or infinite.
    """

    outputs: Tensor
    labels: Tensor | None = None
    lengths: Tensor | None = None
    accumulation: str = "sum"
    dt_ms: float | None = None
    model: str = ""
    groups: Tensor | None = None
    grouped_by: str = ""

    def __post_init__(self) -> None:
        expect(self.outputs, "N T K", "outputs")
        expect_floating(self.outputs, "outputs")
        wide = torch.float64 if self.outputs.dtype == torch.float64 else torch.float32
        object.__setattr__(self, "outputs", self.outputs.detach().to("cpu", wide))
        expect_one_of(self.accumulation, ACCUMULATIONS, "accumulation")
        expect_fields(self, dt_ms="(0, inf)")
        if not isinstance(self.model, str):
            raise InputTypeError(f"model: expected a string, got {self.model!r}. Pass the result of dendrix.exits.fingerprint.")
        if not isinstance(self.grouped_by, str):
            raise InputTypeError(f"grouped_by: expected a string such as 'speaker', got {self.grouped_by!r}.")
        count, steps, classes = self.outputs.shape
        for name, low, high in (("labels", -1, classes - 1), ("lengths", 1, steps), ("groups", 0, 2**62)):
            if (values := getattr(self, name)) is not None:
                expect(values, "N", name, N=count)
                object.__setattr__(self, name, _whole(values, name, low, high))
        # A few inputs at a time, because the outputs may occupy most of the memory.
        finite = torch.cat([finite_rows(self.outputs[start : start + 64]) for start in range(0, count, 64)])
        if (broken := (~finite & self.valid).nonzero()).numel():
            row, step = broken[0].tolist()
            values = self.outputs[row, step]
            raise InputError(
                f"outputs: expected finite numbers, got {values[~values.isfinite()][0].item()} for input {row} at step {step + 1}. "
                "Check the network and its input."
            )

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def ends(self) -> Tensor:
        """Last step of each input, counted from 1, int64 [N]."""
        return torch.full((len(self),), self.outputs.shape[1]) if self.lengths is None else self.lengths

    @property
    def valid(self) -> Tensor:
        """Whether a step belongs to the input, bool [N, T]."""
        return torch.arange(self.outputs.shape[1]) < self.ends.unsqueeze(1)

    @property
    def truth(self) -> Tensor:
        """The labels, int64 [N].

        Raises:
            ValueError: the labels are unknown.
        """
        if self.labels is None:
            raise InputError("labels: expected the true class of every input, got none. Record with labels, or choose what needs none.")
        return self.labels

    def follow(self, rule: ExitRule | None = None) -> Iterator[Tensor]:
        """Yield the evidence after each step, [N, K], accumulated as in a running network, so that the two are bit-identical."""
        state = None
        for outputs_t in self.outputs.unbind(1):
            evidence_t, state = accumulate_step(outputs_t if rule is None else rule.weigh(outputs_t), state, self.accumulation)
            yield evidence_t

    def evidence(self, rule: ExitRule | None = None) -> Tensor:
        """Evidence after each step, [N, T, K]; `follow` needs less memory."""
        return torch.stack(list(self.follow(rule)), 1)

    def answers(self, rule: ExitRule | None = None) -> Tensor:
        """Class with the most evidence after each step, int64 [N, T]; behind the end of an input its last answer is repeated."""
        found = torch.stack([evidence_t.argmax(-1) for evidence_t in self.follow(rule)], 1)
        return found.gather(1, torch.arange(found.shape[1]).minimum(self.ends.unsqueeze(1) - 1))

    def right(self, rule: ExitRule | None = None) -> Tensor:
        """Whether that answer is correct, bool [N, T].

        Raises:
            ValueError: the labels are unknown.
        """
        return self.answers(rule) == self.truth.unsqueeze(1)

    def subset(self, index: Tensor) -> "ExitRecord":
        """Record of the inputs `index` (bool [N] or int64)."""
        labels, lengths, groups = (None if one is None else one[index] for one in (self.labels, self.lengths, self.groups))
        return replace(self, outputs=self.outputs[index], labels=labels, lengths=lengths, groups=groups)

    def grouped(self, by: str) -> "ExitRecord":
        """Return the record with the groups of this kind, numbered from 0: "group" takes any kind, and "class" the true classes.

        Raises:
            ValueError: the record has no groups, or another kind of groups.
        """
        if by == "class":
            return replace(self, groups=_numbered(self.truth), grouped_by=by)
        if self.groups is None:
            raise InputError(f"groups: expected the {by} of every input in the record, got none. Record them, or add groups to the file.")
        if by != "group" and self.grouped_by not in ("", by):
            raise InputError(f"by: expected {self.grouped_by!r}, the groups of the record, or 'class', got {by!r}. Name one of them.")
        return replace(self, groups=_numbered(self.groups), grouped_by=by)

    def with_unknown(self, other: "ExitRecord") -> "ExitRecord":
        """Return these inputs and those of another record as inputs of none of the classes (label -1), in groups 0 and 1, "known" and not.

        Raises:
            ValueError: the records are of different networks, or of different steps.
        """
        mine, theirs = ((one.outputs.shape[1:], one.accumulation, one.dt_ms, one.model) for one in (self, other))
        if mine != theirs:
            raise InputError("unknown: expected a record of the same network with the same steps, got another. Record them alike.")
        return replace(
            self,
            outputs=torch.cat([self.outputs, other.outputs]),
            labels=torch.cat([self.truth, torch.full((len(other),), -1)]),
            lengths=None if self.lengths is None and other.lengths is None else torch.cat([self.ends, other.ends]),
            groups=(torch.arange(len(self) + len(other)) >= len(self)).long(),
            grouped_by="known",
        )

    def save(self, path: str | Path) -> None:
        """Write an `.npz` file, atomically."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in values.items() if value is not None}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "ExitRecord":
        """Read an `.npz` with `outputs` [N, T, K] and, if known, `labels`, `lengths` and `groups` [N], and `accumulation`, `dt_ms`, `model`
        and `grouped_by`.

        Outputs of any real dtype are read as float32, labels, lengths and groups as int64; groups may also be names. Other arrays in the
        file are ignored.

        Raises:
            OSError: the file does not exist or cannot be read.
            ValueError: it is damaged, or its arrays do not fit together.
        """
        names = [field.name for field in fields(cls)]
        found = read_npz(Path(path), (*names, "how"), "an .npz of recorded outputs", "Record again.")
        if "how" in found:  # the name of `accumulation` in files of 0.1.0
            found.setdefault("accumulation", found["how"])
            del found["how"]
        if "outputs" not in found:
            raise InputError(f"{path}: expected an array 'outputs' [N, T, K], which is missing. See dendrix.exits.ExitRecord.load.")
        try:
            return cls(**{name: _read(name, array) for name, array in found.items()})
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: {error}") from error


def _read(name: str, array: np.ndarray) -> Any:
    """Convert an array of a file into the field of that name."""
    if name not in _ARRAYS:
        if array.ndim:
            raise InputError(f"{name}: expected a single value, got an array of shape {list(array.shape)}. Check the record.")
        return array.item()
    if name == "groups" and array.dtype.kind == "U":
        if not all(array.flat):
            raise InputError("groups: expected the group of every input, got an empty name. Leave that input out, or name its group.")
        array = np.unique(array, return_inverse=True)[1].reshape(array.shape)
    kinds, dtype = _ARRAYS[name]
    if array.dtype.kind not in kinds:
        raise InputError(f"{name}: expected {'whole' if dtype is np.int64 else 'real'} numbers, got {array.dtype}. Convert them first.")
    with np.errstate(over="ignore"):  # values too large for float32 become infinite, and those are refused
        return torch.from_numpy(array.astype(dtype))


def _numbered(values: Tensor) -> Tensor:
    """Number the distinct values from 0 in rising order, int64 [N]."""
    return torch.from_numpy(np.unique(values.numpy(), return_inverse=True)[1])


def _whole(values: Tensor, name: str, low: int, high: int) -> Tensor:
    """Check for whole numbers in a range, and return them as int64."""
    whole = not values.is_floating_point() and not values.is_complex() and values.dtype != torch.bool
    if whole and low <= int(values.min()) and int(values.max()) <= high:
        return values.long().cpu()
    if name == "groups" and whole:
        unknown = int((values < 0).sum())
        raise InputError(f"groups: expected the group of every input, got none for {unknown} of {len(values)}. Leave those inputs out.")
    came = f"{values.min().item()} to {values.max().item()}" if whole else str(values.dtype)
    raise InputError(f"{name}: expected whole numbers from {low} to {high}, got {came}. Check the record.")
