"""Sparse binary codes (SDRs) and their dense, index and packed representations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from . import storage
from .arguments import LARGEST_INDEX, whole_number, whole_numbers
from .draw import Seed, draw_subsets, sorted_distinct

_DENSE = "For dense codes use SDR.from_dense."


@dataclass(frozen=True, eq=False)
class SDR:
    """An immutable batch of binary codes of n bits, stored as the indices of the active bits; one code is a batch of one.

    Operations return new batches. Operations on two batches are applied code by code; a batch of one code is broadcast. Random operations
    take a seed, a `numpy.random.Generator` or None, as in numpy. Draws with equal seeds are correlated even if their sizes differ: use one
    generator for all draws of an experiment.

    Args:
        n: number of bits per code.
        starts: start of each code in `cells`, and the end; int64 [N + 1].
        cells: active bits of all codes, ascending within a code; int32 [number of active bits].
    Raises:
        InputTypeError: the arrays are not integers.
        InputError: the arrays do not describe codes of n bits.
    Source: compressed sparse rows; ours.
    """

    n: int
    starts: NDArray[np.int64]
    cells: NDArray[np.integer]

    def __post_init__(self) -> None:
        whole_number(self.n, "n", 1, LARGEST_INDEX, "Give the length of the codes.")
        starts, cells = whole_numbers(self.starts, "starts", _DENSE), whole_numbers(self.cells, "cells", _DENSE)
        if starts.ndim != 1 or cells.ndim != 1 or not len(starts) or starts[0] or starts[-1] != len(cells) or (np.diff(starts) < 0).any():
            raise InputError(
                f"starts: expected ascending offsets from 0 to {cells.size}, the number of cells, got shape {list(starts.shape)}. "
                "Use SDR.from_indices."
            )
        if cells.size and not (cells.min() >= 0 and cells.max() < self.n):
            wrong = cells[(cells < 0) | (cells >= self.n)][0]
            raise InputError(f"cells: expected indices from 0 to {self.n - 1}, got {wrong}. Correct it, or give a larger n.")
        rises = np.diff(cells) > 0
        rises[starts[(starts > 0) & (starts < len(cells))] - 1] = True  # from one code to the next
        if not rises.all():
            raise InputError("cells: expected ascending indices, each once per code. SDR.from_indices sorts; numpy.unique drops repeats.")
        for name, array, dtype in (("starts", starts, np.int64), ("cells", cells, np.int32)):
            own = array.astype(dtype)
            own.flags.writeable = False
            object.__setattr__(self, name, own)

    @classmethod
    def from_indices(cls, n: int, codes: Sequence[ArrayLike] | NDArray[np.integer]) -> Self:
        """Create codes from the indices of their active bits.

        Args:
            n: number of bits per code.
            codes: one list of indices per code, or an array [N, a]; in any order.
        Raises:
            InputError: an index occurs twice in a code, or is outside 0..n-1.
            InputTypeError: the indices are not integers.
        """
        rows = [whole_numbers(code, "codes", _DENSE) for code in codes]
        if any(row.ndim != 1 for row in rows):
            raise InputError("codes: expected one list of cells per code, got single numbers or deeper lists. For one code give [cells].")
        counts = [len(row) for row in rows]
        cells = np.concatenate([*rows, np.empty(0, np.int64)])
        return cls(n, _offsets(counts), cells[np.lexsort((cells, np.repeat(np.arange(len(rows)), counts)))])

    @classmethod
    def from_dense(cls, x: ArrayLike) -> Self:
        """Create codes from a dense array.

        Args:
            x: bool, or numbers 0 and 1, [N, n], or [n] for one code.
        Raises:
            InputError: the array has another shape or contains other numbers.
        """
        dense = np.atleast_2d(np.asarray(x))
        if dense.ndim != 2:
            raise InputError(f"x: expected [N, n] or [n], got {list(dense.shape)}. Reshape it to one row per code.")
        if dense.dtype != bool and not ((dense == 0) | (dense == 1)).all():
            raise InputError("x: expected zeros and ones, got other numbers. Compare with a threshold first: x > 0.")
        rows, cells = dense.nonzero()
        return cls(dense.shape[1], _offsets(np.bincount(rows, minlength=len(dense))), cells)

    @classmethod
    def from_packed(cls, n: int, words: NDArray[np.uint64]) -> Self:
        """Create codes from packed words.

        Args:
            n: number of bits per code.
            words: uint64 [N, ceil(n / 64)]; bit i of a code is bit i % 64 of its word i // 64.
        Raises:
            InputError: the array has another shape or type, or a bit beyond n is set.
        """
        if words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] != -(-n // 64):
            raise InputError(f"words: expected uint64 [N, {-(-n // 64)}] for n = {n}, got {words.dtype} {list(words.shape)}. See packed().")
        bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")
        if bits[:, n:].any():
            raise InputError(f"words: expected no bit beyond n = {n}, got some. Check n.")
        return cls.from_dense(bits[:, :n].astype(bool))

    @classmethod
    def random(cls, n: int, a: int, count: int = 1, seed: Seed = None) -> Self:
        """Draw independent codes, each uniform over all codes with exactly `a` active bits.

        Args:
            n: number of bits per code.
            a: number of active bits per code.
            count: number of codes.
            seed: seed, generator or None.
        Raises:
            InputError: a > n, or a number is out of range.
        """
        whole_number(n, "n", 1, LARGEST_INDEX, "Give the length of the codes.")
        whole_number(a, "a", 0, n, "At most all n bits are active.")
        whole_number(count, "count", 0, LARGEST_INDEX, "Draw fewer codes at a time.")
        _, cells = draw_subsets(np.full(count, n), np.full(count, a), np.random.default_rng(seed))
        return cls(n, np.arange(count + 1) * a, cells)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load codes from a file written by `save`.

        Args:
            path: file to read.
        Raises:
            OSError: the file does not exist or cannot be opened.
            InputError: the file is damaged, or was not written by `save`.
        """
        return cls(*storage.read(Path(path)))

    def save(self, path: str | Path) -> None:
        """Write the codes atomically to a `.npz` file with the arrays `n`, `starts` and `cells`."""
        storage.write(Path(path), self.n, self.starts, self.cells)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of active bits of each code, int64 [N]."""
        return np.diff(self.starts)

    def dense(self) -> NDArray[np.bool_]:
        """Return the codes as bool [N, n]."""
        x = np.zeros((len(self), self.n), bool)
        x[self._rows(), self.cells] = True
        return x

    def packed(self) -> NDArray[np.uint64]:
        """Return the codes as words, uint64 [N, ceil(n / 64)]; bit i of a code is bit i % 64 of its word i // 64."""
        width = -(-self.n // 64)
        words = np.zeros(len(self) * width, np.uint64)
        place = self._rows() * width + self.cells // 64
        first = np.flatnonzero(np.diff(place, prepend=-1))
        if len(first):
            words[place[first]] = np.bitwise_or.reduceat(np.uint64(1) << (self.cells % 64).astype(np.uint64), first)
        return words.reshape(len(self), width)

    def overlap(self, other: "SDR") -> NDArray[np.int64]:
        """Return the number of bits that are active in both batches, code by code, int64 [N]. For all pairs of codes use `SegmentIndex`."""
        return (self & other).counts

    def union(self) -> Self:
        """Return the union of all codes as one code."""
        cells = sorted_distinct(self.cells.astype(np.int64))
        return type(self)(self.n, np.array([0, len(cells)]), cells)

    def noise(self, v: int, seed: Seed = None) -> Self:
        """Move exactly v active bits of each code to inactive positions; the number of active bits does not change.

        Args:
            v: number of moved bits.
            seed: seed, generator or None.
        Raises:
            InputError: a code has fewer than v active or fewer than v inactive bits.
        Source: Ahmad & Hawkins (2016), the noise of Eq. (6).
        """
        counts = self.counts
        room = int(np.minimum(counts, self.n - counts).min(initial=self.n))
        whole_number(v, "v", 0, room, "Every code needs at least v active and v inactive bits.")
        rng, moved = np.random.default_rng(seed), np.full(len(self), v)
        kept = self._keys()[self._places(counts - v, rng)]
        rows, rank = draw_subsets(self.n - counts, moved, rng)
        # The inactive bit of a given rank comes after all active bits that have at most that many inactive bits before them.
        silent_before = self._keys() - (np.arange(len(self.cells)) - self.starts[self._rows()])
        passed = np.searchsorted(silent_before, rows * self.n + rank, side="right") - self.starts[rows]
        return self._from_keys(np.sort(np.concatenate([kept, rows * self.n + rank + passed])))

    def subsample(self, s: int, seed: Seed = None) -> Self:
        """Keep s random active bits of each code.

        Args:
            s: number of bits that are kept.
            seed: seed, generator or None.
        Raises:
            InputError: a code has fewer than s active bits.
        Source: Ahmad & Hawkins (2016), section 3.1: the synapses of a segment that learned a pattern.
        """
        whole_number(s, "s", 0, int(self.counts.min(initial=self.n)), "The smallest code has that many active bits.")
        return self._from_keys(self._keys()[self._places(np.full(len(self), s), np.random.default_rng(seed))])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int | slice | NDArray[np.integer] | NDArray[np.bool_]) -> Self:
        rows = np.atleast_1d(np.arange(len(self))[index])
        starts = _offsets(self.counts[rows])
        shift = np.repeat(self.starts[rows] - starts[:-1], np.diff(starts))
        return type(self)(self.n, starts, self.cells[shift + np.arange(starts[-1])])

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SDR):
            return NotImplemented
        return self.n == other.n and np.array_equal(self.starts, other.starts) and np.array_equal(self.cells, other.cells)

    def __and__(self, other: "SDR") -> Self:
        left, right = self._beside(other)
        return left._from_keys(np.intersect1d(left._keys(), right._keys(), assume_unique=True))

    def __or__(self, other: "SDR") -> Self:
        left, right = self._beside(other)
        return left._from_keys(sorted_distinct(np.concatenate([left._keys(), right._keys()])))

    def _rows(self) -> NDArray[np.int64]:
        """Return the code to which each entry of `cells` belongs."""
        return np.repeat(np.arange(len(self)), self.counts)

    def _keys(self) -> NDArray[np.int64]:
        """Return the active bits as one ascending list of code * n + cell, on which set operations act code by code."""
        return self._rows() * self.n + self.cells

    def _from_keys(self, keys: NDArray[np.int64]) -> Self:
        rows, cells = np.divmod(keys, self.n)
        return type(self)(self.n, _offsets(np.bincount(rows, minlength=len(self))), cells)

    def _places(self, wanted: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the positions in `cells` of a random choice of `wanted` active bits per code."""
        rows, place = draw_subsets(self.counts, wanted, rng)
        return self.starts[rows] + place

    def _beside(self, other: "SDR") -> tuple[Self, "SDR"]:
        """Return both batches with the same number of codes, a batch of one repeated."""
        if self.n != other.n:
            raise InputError(f"n: expected codes of the same length, got {self.n} and {other.n} bits. Build both for one n.")
        if len(self) == len(other) or len(other) == 1:
            return self, other if len(self) == len(other) else other[np.zeros(len(self), np.int64)]
        if len(self) == 1:
            return self[np.zeros(len(other), np.int64)], other
        raise InputError(
            f"codes: expected two batches of the same size, or one code, got {len(self)} and {len(other)}. For all pairs use SegmentIndex."
        )

    def __repr__(self) -> str:
        active = self.cells.tolist() if len(self) == 1 and len(self.cells) <= 20 else f"{len(self.cells)} active"
        return f"SDR(n={self.n}, codes={len(self)}, {active})"


def stack(batches: Sequence[SDR]) -> SDR:
    """Concatenate batches.

    Args:
        batches: at least one batch, all of the same n.
    Raises:
        InputError: there is no batch, or the codes differ in length.
    """
    lengths = {batch.n for batch in batches}
    if len(lengths) != 1:
        raise InputError(f"batches: expected at least one, all of one n, got n of {sorted(lengths)}. Build all codes for one n.")
    starts = _offsets(np.concatenate([batch.counts for batch in batches]))
    return SDR(lengths.pop(), starts, np.concatenate([batch.cells for batch in batches]))


def _offsets(counts: ArrayLike) -> NDArray[np.int64]:
    """Return the start of each of consecutive runs of the given lengths, and the end."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
