"""Overlaps of probes with very many segments, exactly, while segments come and go."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..compiled import compiled
from ..errors import InputError
from . import overlap_loops
from .arguments import LARGEST_INDEX, whole_number, whole_numbers
from .code import SDR, stack
from .layouts import Counts, Layout, lay_out

_RUN = 2**16  # segments of a run, so that a posting takes 2 bytes
_LARGEST = 2**15 - 1  # synapses of a segment, so that a count takes 2 bytes
_DEAD = -(2**15)  # where the count of a deleted segment begins: it stays negative
_SCRATCH = 2**18  # counts held at once while matches are sought: they stay in the cache


class Matches(NamedTuple):
    """The segments that match each probe, ascending; those of probe q are segments[starts[q]:starts[q + 1]]."""

    starts: NDArray[np.int64]  # [Q + 1]
    segments: NDArray[np.int64]  # ids, [number of matches]
    overlaps: NDArray[np.int16]  # [number of matches]


@dataclass
class _Run:
    """Neighbouring segments, at most 65,536, and the count that each begins with: 0, or far below if it is deleted."""

    layout: Layout
    base: Counts
    deleted: int = 0
    """Deleted segments whose synapses are still stored."""

    def __len__(self) -> int:
        return len(self.base)

    def count(self, probes: SDR, counts: Counts, first: int) -> None:
        counts[:, first : first + len(self)] = self.base
        self.layout.count(probes, counts, first)

    def delete(self, places: NDArray[np.int64]) -> None:
        self.base[places] = _DEAD
        self.deleted += len(places)
        if 2 * self.deleted > len(self):
            self.layout, self.deleted = lay_out(self.living()), 0

    def living(self) -> SDR:
        """The segments, those deleted as empty codes: no segment changes its place."""
        codes = self.layout.codes()
        if (self.base >= 0).all():
            return codes
        counts = np.where(self.base < 0, 0, codes.counts)
        cells = codes.cells[np.repeat(self.base >= 0, codes.counts)]
        return SDR(codes.n, np.concatenate([[0], np.cumsum(counts)]), cells)


class SegmentIndex:
    """Dendritic segments of n potential synapses, searched by overlap; every answer is exact.

    Segments lie in runs. What is inserted becomes a new run, and a run at least half as large as the one before it is joined
    to that one: each synapse moves O(log) times, and whatever the order of insertions there are O(log) small runs. Each run
    is stored by its density: postings (cell -> segments) for sparse segments, packed words for dense ones.

    Deletion marks a segment; its memory is freed when half of its run is deleted, or the run is joined. Ids are given in
    order and never used again. Queries change nothing and may run in several threads.

    Source: ours; the inverted index is that of text retrieval (Zobel & Moffat, ACM Computing Surveys 38, 2006).
    """

    def __init__(self, n: int) -> None:
        self.n = whole_number(n, "n", 1, LARGEST_INDEX, "Give the length of the codes.")
        self._runs: list[_Run] = []
        self._firsts: list[int] = []
        self._given = self._living = 0

    def __len__(self) -> int:
        """Segments that are there: inserted and not deleted."""
        return self._living

    @property
    def nbytes(self) -> int:
        """Bytes held for all segments."""
        return sum(run.layout.nbytes + run.base.nbytes for run in self._runs)

    def insert(self, segments: SDR) -> NDArray[np.int64]:
        """Add segments; returns their ids, int64 [number of segments], counted on from 0.

        Raises:
            ValueError: the segments have another n, or more than 32,767 synapses.
        """
        self._expect(segments, "segments")
        if (most := int(segments.counts.max(initial=0))) > _LARGEST:
            raise InputError(f"segments: expected at most {_LARGEST} synapses each, got {most}. Split the segment.")
        for low in range(0, len(segments), _RUN):
            part = segments[low : low + _RUN]
            self._runs.append(_Run(lay_out(part), np.zeros(len(part), np.int16)))
            self._firsts.append(self._given + low)
            self._join()
        ids = np.arange(self._given, self._given + len(segments))
        self._given += len(segments)
        self._living += len(segments)
        return ids

    def delete(self, ids: ArrayLike) -> None:
        """Remove segments by their ids.

        Raises:
            ValueError: an id was never given, or is deleted already; nothing is removed then.
        """
        wanted = np.sort(np.atleast_1d(whole_numbers(ids, "ids", "Keep what insert returns.")).astype(np.int64))
        if wanted.size and not 0 <= wanted[0] <= wanted[-1] < self._given:
            raise InputError(
                f"ids: expected ids that insert gave, below {self._given}, got {wanted[[0, -1]].tolist()}. Keep what it returns."
            )
        edges = np.searchsorted(wanted, [*self._firsts, self._given])
        parts = [(run, wanted[a:b] - first) for run, first, a, b in zip(self._runs, self._firsts, edges, edges[1:], strict=False) if a < b]
        if (np.diff(wanted) == 0).any() or any((run.base[places] < 0).any() for run, places in parts):
            raise InputError("ids: expected segments that are there, got one that is deleted already or named twice. Delete each once.")
        for run, places in parts:
            run.delete(places)
        self._living -= len(wanted)

    def overlaps(self, probes: SDR) -> Counts:
        """Overlaps of Q probes with all segments, int16 [Q, number of ids given]: one column per id, -1 if it is deleted."""
        self._expect(probes, "probes")
        counts = np.empty((len(probes), self._given), np.int16)
        for run, first in zip(self._runs, self._firsts, strict=True):
            run.count(probes, counts, first)
        return counts if self._living == self._given else np.maximum(counts, -1, out=counts)

    def matches(self, probes: SDR, theta: int) -> Matches:
        """The segments whose overlap with a probe is at least theta; memory grows with their number, not with Q times M.

        Args:
            probes: Q codes.
            theta: 0 and less match every segment that is there.
        Source: Ahmad & Hawkins 2016, Eq. (1).
        """
        self._expect(probes, "probes")
        theta = max(0, whole_number(theta, "theta", -LARGEST_INDEX, LARGEST_INDEX, "It is a number of synapses."))
        found = [_reached(np.empty((0, 1), np.int16), 0, 0, 0)]
        most = max(map(len, self._runs), default=1)
        step = max(1, _SCRATCH // most)
        pieces = [(low, probes[low : low + step]) for low in range(0, len(probes), step)]
        scratch = np.empty(step * most, np.int16)
        for run, first in zip(self._runs, self._firsts, strict=True):
            for low, piece in pieces:
                counts = scratch[: len(piece) * len(run)].reshape(len(piece), len(run))
                run.count(piece, counts, 0)
                found.append(_reached(counts, theta, low, first))
        probe, segment, overlap = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(probe, kind="stable")
        starts = np.searchsorted(probe[order], np.arange(len(probes) + 1))
        return Matches(starts, segment[order], overlap[order])

    def _join(self) -> None:
        """Join the last two runs while the last is at least half as large as the one before and both fit into one."""
        while len(self._runs) > 1:
            before, last = self._runs[-2:]
            if len(before) > 2 * len(last) or len(before) + len(last) > _RUN:
                return
            joined = _Run(lay_out(stack([before.living(), last.living()])), np.concatenate([before.base, last.base]))
            self._runs[-2:] = [joined]
            self._firsts.pop()

    def _expect(self, codes: SDR, name: str) -> None:
        if codes.n != self.n:
            raise InputError(f"{name}: expected codes of n = {self.n} bits, got {codes.n}. Build them for the n of the index.")


def _reached(counts: Counts, theta: int, row: int, column: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Counts]:
    """Row, column and value of all counts >= theta, row by row; rows and columns are numbered from these."""
    number = compiled(overlap_loops.number_reached)(counts, theta)
    probe, segment, overlap = np.empty(number, np.int64), np.empty(number, np.int64), np.empty(number, np.int16)
    compiled(overlap_loops.collect)(counts, theta, probe, segment, overlap)
    return probe + row, segment + column, overlap
