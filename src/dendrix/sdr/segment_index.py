"""Exact overlap search over large, changing sets of segments."""

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

_RUN = 2**16  # largest number of segments of a run, so that a posting takes 2 bytes
_LARGEST = 2**15 - 1  # largest number of synapses of a segment, so that a count takes 2 bytes
_DEAD = -(2**15)  # initial count of a deleted segment, which therefore stays negative
_SCRATCH = 2**18  # counts in memory at a time during a search, so that they fit in the cache


class Matches(NamedTuple):
    """Matching segments of each probe in ascending order; those of probe q are segments[starts[q]:starts[q + 1]]."""

    starts: NDArray[np.int64]  # [Q + 1]
    segments: NDArray[np.int64]  # ids, [number of matches]
    overlaps: NDArray[np.int16]  # [number of matches]


@dataclass
class _Run:
    """At most 65,536 consecutive segments, and the initial count of each: 0, or very negative if it is deleted."""

    layout: Layout
    base: Counts
    deleted: int = 0
    """Number of deleted segments whose synapses are still stored."""

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
        """Return the segments; deleted ones become empty codes, so that positions do not change."""
        codes = self.layout.codes()
        if (self.base >= 0).all():
            return codes
        counts = np.where(self.base < 0, 0, codes.counts)
        cells = codes.cells[np.repeat(self.base >= 0, codes.counts)]
        return SDR(codes.n, np.concatenate([[0], np.cumsum(counts)]), cells)


class SegmentIndex:
    """Index of dendritic segments for exact search by overlap.

    Segments are stored in runs. Inserted segments form a new run, which is merged with the previous one if it is at least half as large.
    Each synapse is therefore moved O(log) times, and there are O(log) small runs for any order of insertions. The layout of a run depends
    on its density: postings (cell -> segments) for sparse segments, packed words for dense ones.

    Deletion marks a segment; its memory is freed when half of its run is deleted or the run is merged. Ids are assigned in order and are
    not reused. Queries do not modify the index and may run in several threads.

    Args:
        n: number of potential synapses of a segment: the number of bits of the codes.
    Raises:
        InputError: n is not an integer from 1 to 2**31 - 1.
    Source: ours; the inverted index is that of text retrieval (Zobel & Moffat, ACM Computing Surveys 38, 2006).
    """

    def __init__(self, n: int) -> None:
        self.n = whole_number(n, "n", 1, LARGEST_INDEX, "Give the length of the codes.")
        self._runs: list[_Run] = []
        self._firsts: list[int] = []
        self._given = self._living = 0

    def __len__(self) -> int:
        """Number of segments that were inserted and not deleted."""
        return self._living

    @property
    def nbytes(self) -> int:
        """Memory of all segments, in bytes."""
        return sum(run.layout.nbytes + run.base.nbytes for run in self._runs)

    def insert(self, segments: SDR) -> NDArray[np.int64]:
        """Add segments.

        Args:
            segments: codes of n bits, one per segment.
        Returns:
            ids of the segments, int64 [number of segments], consecutive from 0 over all calls.
        Raises:
            InputError: the segments have another n, or more than 32,767 synapses.
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
        """Remove segments.

        Args:
            ids: ids returned by `insert`.
        Raises:
            InputError: an id is unknown, already deleted or repeated; no segment is removed in this case.
            InputTypeError: the ids are not integers.
        """
        wanted = np.sort(np.atleast_1d(whole_numbers(ids, "ids", "Pass the ids returned by insert.")).astype(np.int64))
        if wanted.size and not 0 <= wanted[0] <= wanted[-1] < self._given:
            raise InputError(
                f"ids: expected ids returned by insert, below {self._given}, got {wanted[[0, -1]].tolist()}. Keep the returned ids."
            )
        edges = np.searchsorted(wanted, [*self._firsts, self._given])
        parts = [(run, wanted[a:b] - first) for run, first, a, b in zip(self._runs, self._firsts, edges, edges[1:], strict=False) if a < b]
        if (np.diff(wanted) == 0).any() or any((run.base[places] < 0).any() for run, places in parts):
            raise InputError("ids: expected existing segments, got one that is already deleted or repeated. Delete each once.")
        for run, places in parts:
            run.delete(places)
        self._living -= len(wanted)

    def overlaps(self, probes: SDR) -> Counts:
        """Compute the overlaps of Q probes with all segments.

        Args:
            probes: Q codes of n bits.
        Returns:
            int16 [Q, number of ids assigned], one column per id; -1 for deleted segments.
        Raises:
            InputError: the probes have another n.
        """
        self._expect(probes, "probes")
        counts = np.empty((len(probes), self._given), np.int16)
        for run, first in zip(self._runs, self._firsts, strict=True):
            run.count(probes, counts, first)
        return counts if self._living == self._given else np.maximum(counts, -1, out=counts)

    def matches(self, probes: SDR, theta: int) -> Matches:
        """Find the segments whose overlap with a probe is at least theta. The memory is proportional to their number.

        Args:
            probes: Q codes of n bits.
            theta: threshold; 0 or less matches every segment that is not deleted.
        Raises:
            InputError: the probes have another n, or theta is not an integer.
        Source: Ahmad & Hawkins (2016), Eq. (1).
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
        """Merge the last two runs while the last is at least half as large as the previous one and both fit into one."""
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
    """Return row, column and value of all counts >= theta, row by row; `row` and `column` are the indices of the first ones."""
    number = compiled(overlap_loops.number_reached)(counts, theta)
    probe, segment, overlap = np.empty(number, np.int64), np.empty(number, np.int64), np.empty(number, np.int16)
    compiled(overlap_loops.collect)(counts, theta, probe, segment, overlap)
    return probe + row, segment + column, overlap
