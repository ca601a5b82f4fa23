"""Rows that each run to their exit in a compiled loop: no blocks, no places to refill, no step too many."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..core import Stateful, find_kernel
from ..errors import InputError
from .batching import Finished, ToEnd, never
from .blocks import not_finite
from .rules.base import ExitRule
from .rules.entropy import Entropy
from .rules.max_probability import MaxProbability
from .rules.names import RULES, name_of


class Judge(NamedTuple):
    """An exit rule as numbers: it stops a row after the first step, from `min_steps` on, whose score exceeds the threshold of the step."""

    score: str
    """Name of the rule, one of `RULES`."""
    scale: float
    """Divides the evidence, where the rule does so."""
    thresholds: tuple[float, ...]
    """Of steps 1, 2, ...; the last one holds for all later steps."""
    min_steps: int


Padded = tuple[Tensor, Any]
"""Inputs [B, T, ...] of one batch, and the number of steps of each, int64 array [B]."""


class Rows:
    """Inputs of a network with a compiled loop. `row_steps` counts every step of every row that was run.

    Args:
        loop: what the kernel `run_until` gave.
    """

    def __init__(self, loop: Any):
        self.loop = loop
        self.row_steps = 0

    def finished(self, batches: Iterable[Padded], to_end: ToEnd = never) -> Iterator[Finished]:
        """Answer the inputs of each batch when all its rows have stopped; those of `to_end` also run on, see `Batch.finished`."""
        begin = 0
        for x, lengths in batches:
            exits = list(range(begin, begin + len(x)))
            whole = np.array([to_end(index) for index in exits])
            ends, ending = self.loop(x, lengths, whole), [index for index, runs_on in zip(exits, whole, strict=True) if runs_on]
            if ends.broken.any():
                at = int(ends.broken.argmax())
                raise not_finite((exits + ending)[at], int(ends.steps[at]))
            self.row_steps += int(ends.steps[: len(x)][~whole].sum() + ends.steps[len(x) :].sum())
            answers, steps, stopped, evidence = map(torch.from_numpy, (ends.answers, ends.steps, ends.stopped, ends.evidence))
            n = len(x)
            yield Finished(exits, answers[:n], steps[:n], stopped[:n], evidence[:n])
            if ending:
                yield Finished(ending, answers[n:], steps[n:], stopped[n:], evidence[n:], whole=True)
            begin += len(x)


def cut(whole: Padded, size: int) -> Iterator[Padded]:
    """Batches of at most `size` inputs from one tensor, without a copy."""
    x, lengths = whole
    return ((x[low : low + size], lengths[low : low + size]) for low in range(0, len(x), size))


def padded(inputs: Iterator[Tensor], size: int) -> Iterator[Padded]:
    """Batches of at most `size` inputs [T_i, ...], each taken when the one before is answered."""
    begin, shape = 0, torch.Size()
    while batch := list(islice(inputs, size)):
        shape = shape or batch[0].shape[1:]
        for index, x in enumerate(batch, begin):
            if x.shape[1:] != shape or x.dtype != torch.float32 or not len(x):
                raise InputError(
                    f"input {index}: expected float32 steps of shape {list(shape)}, as before, got {list(x.shape)}, {x.dtype}."
                )
        lengths = np.array([len(x) for x in batch])
        if all(x.stride(0) == 0 for x in batch):  # still images: a step takes no memory
            yield torch.stack([x[:1] for x in batch]).expand(-1, int(lengths.max()), *shape), lengths
        else:
            yield pad_sequence(batch, batch_first=True), lengths
        begin += len(batch)


def compiled_rows(model: Stateful, x: Tensor, rule: ExitRule, accumulation: str) -> Rows | None:
    """Rows in the compiled loop of a network, for inputs like x [T, ...]; None if there is none, and the reason is recorded."""
    judge = _judge(rule)
    found = find_kernel("run_until", x.device.type, model, x, judge, accumulation)
    loop = found.run(model, x, judge, accumulation) if found else None
    return None if loop is None else Rows(loop)


def _judge(rule: ExitRule) -> Judge | None:
    """A rule as numbers; None for a rule outside the table, or with another order of operations."""
    if type(rule) not in RULES.values() or getattr(rule, "compat", False):
        return None
    thresholds = rule.thresholds
    if not isinstance(rule, MaxProbability | Entropy):  # the others compare in the precision of the evidence
        thresholds = tuple(np.array(thresholds, np.float32).tolist())
    return Judge(name_of(rule), float(getattr(rule, "scale", 1.0)), thresholds, rule.min_steps)
