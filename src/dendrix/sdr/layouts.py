"""Storage layouts of segments for counting overlaps: lists, postings and packed words, selected by density."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from . import overlap_loops
from .code import SDR

Counts = NDArray[np.int16]


class Layout(Protocol):
    """Stored segments. `count` adds their overlaps with each probe to counts[:, first:]; `codes` returns the segments."""

    @property
    def nbytes(self) -> int: ...

    def count(self, probes: SDR, counts: Counts, first: int) -> None: ...

    def codes(self) -> SDR: ...


class Lists:
    """List of cells per segment, for few segments. A query costs one look-up per synapse."""

    def __init__(self, codes: SDR) -> None:
        self._codes = codes

    @property
    def nbytes(self) -> int:
        return self._codes.starts.nbytes + self._codes.cells.nbytes

    def count(self, probes: SDR, counts: Counts, first: int) -> None:
        own = self._codes
        compiled(overlap_loops.count_lists)(own.starts, own.cells, own.n, probes.starts, probes.cells, counts, first)

    def codes(self) -> SDR:
        return self._codes


class Postings:
    """List of segments per cell: an inverted index with 2 bytes per synapse. A query reads only the lists of the active cells."""

    def __init__(self, codes: SDR) -> None:
        self._n, self._size = codes.n, len(codes)
        self._begins, self._owners = _transposed(codes.starts, codes.cells, codes.n, np.uint16)

    @property
    def nbytes(self) -> int:
        return self._begins.nbytes + self._owners.nbytes

    def count(self, probes: SDR, counts: Counts, first: int) -> None:
        compiled(overlap_loops.count_postings)(self._begins, self._owners, probes.starts, probes.cells, counts, first)

    def codes(self) -> SDR:
        starts, cells = _transposed(self._begins, self._owners, self._size, np.int32)
        return SDR(self._n, starts.astype(np.int64), cells)


class Packed:
    """Bits of each segment in 64-bit words, for dense segments. A query costs n / 64 steps per segment."""

    def __init__(self, codes: SDR) -> None:
        self._n, self._words = codes.n, codes.packed()

    @property
    def nbytes(self) -> int:
        return self._words.nbytes

    def count(self, probes: SDR, counts: Counts, first: int) -> None:
        compiled(overlap_loops.count_packed)(self._words, probes.packed(), counts, first)

    def codes(self) -> SDR:
        return SDR.from_packed(self._n, self._words)


def lay_out(codes: SDR) -> Layout:
    """Store segments in the layout with the fastest queries.

    Fewer than n / 32 synapses are stored as lists, since one list per cell would cost more than it saves. Words are used if more than 1/16
    of the bits are set, where they take less memory than postings. With probes as dense as the segments, the measured query times of
    postings and words are equal at densities of 6 % (n = 16,384) to 11 % (n = 2,048); sparser probes favour postings.

    Args:
        codes: segments.
    """
    synapses = len(codes.cells)
    if 32 * synapses < codes.n:
        return Lists(codes)
    return Packed(codes) if 16 * synapses > len(codes) * codes.n else Postings(codes)


def _transposed(
    starts: NDArray[np.integer], items: NDArray[np.integer], size: int, dtype: type[np.integer]
) -> tuple[NDArray[np.uint32], NDArray[np.integer]]:
    begins = np.zeros(size + 1, np.uint32)
    np.cumsum(np.bincount(items, minlength=size), out=begins[1:])
    owners = np.empty(len(items), dtype)
    compiled(overlap_loops.transpose)(starts, items, begins, owners)
    return begins, owners
