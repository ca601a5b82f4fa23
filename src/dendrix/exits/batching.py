"""Batches with changing rows: finished inputs wait, are dropped, or are replaced by the next ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core import Stateful, expect, map_state
from ..errors import InputError
from .blocks import Block, Progress, advance, at_rest, expect_rows_alone, not_finite
from .rules.base import ExitRule

Batching = Literal["wait", "compact", "refill"]

_SHARE = 16
"""Rows are rearranged once one in so many has finished; a move costs about as much as running a few finished rows on."""


@dataclass(frozen=True)
class Answer:
    """The answer for one input, and when it was given."""

    index: int
    """Number of the input in order of arrival, from 0."""
    answer: int
    """The class with the most evidence."""
    steps: int
    """Number of steps until the answer."""
    stopped: bool
    """Whether the rule stopped the input; otherwise the input ended."""
    evidence: Tensor
    """Evidence at that step, [K]."""


class Finished(NamedTuple):
    """Inputs that finished together, N of them; the fields are those of `Answer`."""

    indices: list[int]
    answers: Tensor
    steps: Tensor
    stopped: Tensor
    evidence: Tensor
    """[N, K]."""
    whole: bool = False
    """Whether these are answers at the ends of inputs that had exited before."""

    def each(self) -> Iterator[Answer]:
        """One answer per input."""
        columns = self.indices, self.answers.tolist(), self.steps.tolist(), self.stopped.tolist(), self.evidence.unbind(0)
        return (Answer(*fields) for fields in zip(*columns, strict=True))


ToEnd = Callable[[int], bool]
"""Whether an input, by its number, also runs on to its end. It is called once for each input, in order."""


def never(_: int) -> bool:
    """No input runs on to its end."""
    return False


@dataclass
class Slot:
    """One row of the batch: its input [T, ...], the number of steps run so far, and whether it still runs.

    A row of `to_end` runs on after its exit; from then on `exited` is set.
    """

    index: int
    x: Tensor
    length: int
    seen: int = 0
    open: bool = True
    to_end: bool = False
    exited: bool = False

    def next(self, steps: int) -> Tensor:
        """Next steps of the input, [steps, ...]; behind its end there are zeros, whose outputs are ignored."""
        part = self.x[self.seen : self.seen + steps]
        missing = min(steps, self.seen + steps - self.length)
        return part if missing <= 0 else torch.cat([part, part.new_zeros(missing, *part.shape[1:])])


class Batch:
    """Rows that run together. `row_steps` counts every step of every row that was run."""

    def __init__(self, model: Stateful, rule: ExitRule, batching: Batching, accumulation: str, size: int, block: int):
        self.model, self.rule, self.accumulation = model, rule, accumulation
        self.batching, self.size, self.block = batching, size, block
        self.slots: list[Slot] = []
        self.progress: Progress | None = None
        self.rest: Progress | None = None
        self.in_place = False
        self.shape = torch.Size()
        self.row_steps = 0

    def finished(self, requests: Iterator[Tensor], to_end: ToEnd = never) -> Iterator[Finished]:
        """Answer every request, [T_i, ...], in the order in which they finish, and those of `to_end` again at their ends."""
        waiting = (self._slot(index, x, to_end(index)) for index, x in enumerate(requests))
        while self._arrange(waiting):
            steps = min(self.block, max(slot.length - slot.seen for slot in self.slots if slot.open))
            x = torch.stack([slot.next(steps) for slot in self.slots])
            block = advance(self.model, x, self.rule, self.accumulation, self.progress)
            self.progress = block.progress
            self.row_steps += x.shape[0] * x.shape[1]
            yield from self._finished(block)

    def _slot(self, index: int, x: Tensor, to_end: bool) -> Slot:
        expect(x, "T ...", f"input {index}")
        if index == 0:
            self.in_place = expect_rows_alone(self.model, x.unsqueeze(0))
            self.shape = x.shape[1:]
        if x.shape[1:] != self.shape:
            raise InputError(f"input {index}: expected steps of shape {list(self.shape)}, as before, got {list(x.shape[1:])}.")
        return Slot(index, x, len(x), to_end=to_end)

    def _arrange(self, waiting: Iterator[Slot]) -> bool:
        """Replace or drop finished rows where this saves time; returns whether any row is left to run."""
        done = [row for row, slot in enumerate(self.slots) if not slot.open]
        if len(done) == len(self.slots):
            self.slots, self.progress = list(islice(waiting, self.size)), None
        elif self.batching != "wait" and len(done) * _SHARE >= len(self.slots):
            newcomers = list(islice(waiting, len(done))) if self.batching == "refill" else []
            self._replace(done[: len(newcomers)], newcomers)
            self._drop(done[len(newcomers) :])
        return bool(self.slots)

    @torch.inference_mode()
    def _replace(self, places: list[int], newcomers: list[Slot]) -> None:
        if not newcomers or self.progress is None:
            return
        if self.rest is None:
            self.rest = at_rest(self.model, newcomers[0].x[:1], self.rule, self.accumulation)
        where = self._index(places)

        def copied(now: Tensor, new: Tensor) -> Tensor:
            return now.index_copy(0, where, new.expand(len(places), *new.shape[1:]))

        def written(now: Tensor, new: Tensor) -> Tensor:
            return now.index_copy_(0, where, new.expand(len(places), *new.shape[1:])) if now.is_contiguous() else copied(now, new)

        network, *judged = self.progress
        rest, *start = self.rest
        # The evidence may share memory with the outputs, and they with the network's state: it is small and always copied.
        network = map_state(written if self.in_place else copied, network, rest)
        self.progress = Progress(network, *map_state(copied, judged, start))
        for place, slot in zip(places, newcomers, strict=True):
            self.slots[place] = slot

    @torch.inference_mode()
    def _drop(self, places: list[int]) -> None:
        """Drop finished rows; the last rows move to their places, so that few are copied."""
        if not places or self.progress is None:
            return
        left = len(self.slots) - len(places)
        gone = set(places)
        to, moved = [row for row in places if row < left], [row for row in range(left, len(self.slots)) if row not in gone]
        for place, row in zip(to, moved, strict=True):
            self.slots[place] = self.slots[row]
        del self.slots[left:]
        where, source = self._index(to), self._index(moved)

        def kept(now: Tensor) -> Tensor:
            if not (self.in_place and now.is_contiguous()):
                now = now.clone()
            return now.index_copy_(0, where, now[source])[:left]

        network, *judged = self.progress
        self.progress = Progress(map_state(kept, network), *map_state(lambda now: now.index_copy(0, where, now[source])[:left], judged))

    def _index(self, places: list[int]) -> Tensor:
        return torch.tensor(places, dtype=torch.int64).to(self.slots[0].x.device, non_blocking=True)

    def _finished(self, block: Block) -> Iterator[Finished]:
        """The rows that have stopped or ended in this block, if any."""
        length = block.stops.shape[1]
        seen, lengths, to_end = (np.array([[getattr(slot, name)] for slot in self.slots]) for name in ("seen", "length", "to_end"))
        steps = np.arange(1, length + 1) + seen
        over = steps >= lengths
        exit_at, end_at = _first(block.stops | over), _first(over)
        if block.broken.any():
            self._refuse_broken(block.broken & (np.arange(length) <= np.where(to_end, end_at[:, None], exit_at[:, None])), steps)
        running = [(row, slot) for row, slot in enumerate(self.slots) if slot.open]
        exits = [row for row, slot in running if not slot.exited and (block.stops | over)[row, exit_at[row]]]
        ends = [row for row, slot in running if slot.to_end and over[row, end_at[row]]]
        for slot in self.slots:
            slot.seen += length
        for row in exits:
            self.slots[row].exited, self.slots[row].open = True, self.slots[row].to_end
        for row in ends:
            self.slots[row].open = False
        for rows, at, stopped in ((exits, exit_at, block.stops), (ends, end_at, np.zeros_like(block.stops))):
            if rows:
                where = rows, at[rows]
                answers, ran, early = (torch.from_numpy(part[where]) for part in (block.answers, steps, stopped))
                evidence = block.evidence[self._index(rows), self._index(at[rows].tolist())]
                yield Finished([self.slots[row].index for row in rows], answers, ran, early, evidence, whole=rows is ends)

    def _refuse_broken(self, broken: Any, steps: Any) -> None:
        """Raise if a running input gave a NaN or an infinity before it stopped."""
        for row, slot in enumerate(self.slots):
            if slot.open and broken[row].any():
                raise not_finite(slot.index, int(steps[row, broken[row].argmax()]))


def _first(flags: Any) -> Any:
    """The first step with a flag in each row of [B, k], or the last step."""
    return np.where(flags.any(1), flags.argmax(1), flags.shape[1] - 1)
