"""Statistics of network activity as sparse codes, and their values expected by theory."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, InputTypeError
from .arguments import LARGEST_INDEX, whole_number
from .probability import false_positive

_ROWS, _UNITS = 256, 4096
"""Codes and units per block of the overlap computation, which bounds its memory."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of N codes of n units; a unit is active if its activation is not zero.

    The effective size is that of uniform random codes with the same mean number of active units and the same mean overlap. With k the
    number of codes in which a unit is active, summed over the units:

        effective_a = sum k / N;   effective_a^2 / effective_n = sum k (k - 1) / (N (N - 1))

    effective_n is close to n if all units are used equally often and smaller otherwise; it is limited to n, also if no codes overlap. It
    ignores correlations between units, which raise the measured confusion above the predicted one.

    Source: ours; for many codes effective_n is the participation ratio (sum f)^2 / sum f^2 of the frequencies.
    """

    codes: int
    n: int
    sparsity: float
    """Mean fraction of active units."""
    sparsity_std: float
    """Standard deviation of the sparsity over the codes."""
    frequency: tuple[float, ...]
    """Fraction of the codes in which each unit is active."""
    dead: int
    """Number of units that are never active."""
    always_on: int
    """Number of units that are active in every code."""
    entropy: float
    """Entropy of independent units with these frequencies, in bits per code."""
    evenness: float
    """Entropy relative to that of equally used units; at most 1."""
    effective_n: float
    effective_a: float
    pairs: int
    """Number of pairs of codes whose overlaps were counted."""
    all_pairs: bool
    """True if these are all pairs of all codes, False if they are the pairs of a random sample of codes."""
    overlap: float
    """Mean overlap of two codes."""
    overlap_std: float
    overlap_counts: tuple[int, ...]
    """Number of pairs with overlap 0, 1, 2, ..., up to the largest one."""
    theta: int
    """Overlap from which two codes count as confused."""
    confusion: float
    """Fraction of the pairs with overlap >= theta."""
    predicted_confusion: float
    """Confusion of uniform random codes of the (rounded) effective size: the false-positive rate with s = a."""


class Observer:
    """Accumulator of statistics over batches, in bounded memory.

    Args:
        sample: number of codes whose pairwise overlaps are counted; of more codes, a uniform random sample.
        seed: seed of the sample.
    Raises:
        InputError: `sample` is below 2.
    """

    def __init__(self, sample: int = 1024, seed: int = 0) -> None:
        self._size = whole_number(sample, "sample", 2, LARGEST_INDEX, "A pair needs two codes; the default is 1024.")
        self._rng = np.random.default_rng(seed)
        self._codes, self._active, self._active_squared = 0, 0, 0
        self._used = np.zeros(0, np.int64)
        self._kept = np.zeros((0, 0), bool)
        self._ranks = np.zeros(0)

    def observe(self, x: ArrayLike, valid: ArrayLike | None = None) -> None:
        """Add activations.

        Args:
            x: activations [N, n], or [B, T, n] where every time step is a code.
            valid: mask of the codes, bool [N] or [B, T]; None takes all.
        Raises:
            InputError: the shape is wrong, n differs from previous calls, or the activations contain NaN.
            InputTypeError: the activations are not numbers.
        """
        active = _active(x, valid)
        if not self._codes:
            self._used, self._kept = np.zeros(active.shape[1], np.int64), active[:0]
        if active.shape[1] != len(self._used):
            raise InputError(
                f"x: expected {len(self._used)} units as in previous calls, got {active.shape[1]}. Use one Observer per layer."
            )
        counts = active.sum(1)
        self._codes += len(active)
        self._active += int(counts.sum())
        self._active_squared += int((counts * counts).sum())
        self._used += active.sum(0)
        # The codes with the smallest random ranks are a uniform sample of all codes.
        ranks = np.concatenate([self._ranks, self._rng.random(len(active))])
        chosen = np.argsort(ranks, kind="stable")[: self._size]
        self._ranks, self._kept = ranks[chosen], np.concatenate([self._kept, active])[chosen]

    def statistics(self, theta: int | None = None) -> Statistics:
        """Compute the statistics of all observed codes.

        Args:
            theta: overlap from which two codes count as confused; None takes half of the mean number of active units, rounded up.
        Raises:
            InputError: fewer than two codes were observed, or theta is below 1.
        """
        if self._codes < 2:
            raise InputError(f"codes: expected at least 2 to compute overlaps, got {self._codes}. Observe more activations.")
        n, mean = len(self._used), self._active / self._codes
        theta = max(1, math.ceil(mean / 2)) if theta is None else theta
        whole_number(theta, "theta", 1, LARGEST_INDEX, "At 0 any two codes are confused.")
        frequency = self._used / self._codes
        shared = float(frequency @ (self._used - 1)) / (self._codes - 1)  # mean overlap of all pairs
        effective_n = min(float(n), mean * mean / shared) if shared else float(n)
        overlaps = _overlap_counts(self._kept)
        pairs, sizes = int(overlaps.sum()), np.arange(len(overlaps))
        overlap = float(sizes @ overlaps) / pairs
        entropy, most = float(_binary_entropy(frequency).sum()), n * float(_binary_entropy(np.array(mean / n)))
        return Statistics(
            codes=self._codes,
            n=n,
            sparsity=mean / n,
            sparsity_std=math.sqrt(max(self._active_squared / self._codes - mean * mean, 0.0)) / n,
            frequency=tuple(frequency.tolist()),
            dead=int((self._used == 0).sum()),
            always_on=int((self._used == self._codes).sum()),
            entropy=entropy,
            evenness=entropy / most if most else 1.0,
            effective_n=effective_n,
            effective_a=mean,
            pairs=pairs,
            all_pairs=len(self._kept) == self._codes,
            overlap=overlap,
            overlap_std=math.sqrt(float((sizes - overlap) ** 2 @ overlaps) / pairs),
            overlap_counts=tuple(overlaps.tolist()),
            theta=theta,
            confusion=float(overlaps[theta:].sum()) / pairs,
            predicted_confusion=float(false_positive(max(1, round(effective_n)), round(mean), round(mean), theta)),
        )


def statistics(x: ArrayLike, valid: ArrayLike | None = None, theta: int | None = None, sample: int = 1024, seed: int = 0) -> Statistics:
    """Compute SDR statistics of activations, such as spikes or the output of a k-winners layer.

    Args:
        x: activations [N, n], or [B, T, n] where every time step is a code; nonzero means active. CPU tensors of torch are accepted.
        valid: mask of the codes, bool [N] or [B, T]; None takes all.
        theta: overlap from which two codes count as confused; None takes half of the mean number of active units, rounded up.
        sample: number of codes whose pairwise overlaps are counted; of more codes, a random sample.
        seed: seed of the sample.
    Raises:
        InputError: the shape is wrong, there are fewer than two codes, or the activations contain NaN.
        InputTypeError: the activations are not numbers.
    """
    observer = Observer(sample, seed)
    observer.observe(x, valid)
    return observer.statistics(theta)


def _active(x: ArrayLike, valid: ArrayLike | None) -> NDArray[np.bool_]:
    """Return the active units of each code, bool [N, n]."""
    values = np.asarray(x)
    if values.ndim not in (2, 3) or not values.shape[-1]:
        raise InputError(f"x: expected activations [N, n] or [B, T, n], got {list(values.shape)}. Reshape to one row per code.")
    if values.dtype != bool and not np.issubdtype(values.dtype, np.number):
        raise InputTypeError(f"x: expected numbers, got {values.dtype}. Give the activations of one layer.")
    if np.issubdtype(values.dtype, np.inexact) and np.isnan(values).any():
        raise InputError("x: expected numbers, got NaN. Check the network for overflow or division by zero.")
    rows: NDArray[np.bool_] = (values != 0).reshape(-1, values.shape[-1])
    if valid is None:
        return rows
    mask = np.asarray(valid)
    if mask.dtype != bool or mask.shape != values.shape[:-1]:
        raise InputError(f"valid: expected bool {list(values.shape[:-1])}, got {mask.dtype} {list(mask.shape)}. One entry per code.")
    return np.compress(mask.reshape(-1), rows, axis=0)


def _overlap_counts(codes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the pairs of codes with each overlap."""
    total, n = codes.shape
    twice = -np.bincount(codes.sum(1), minlength=n + 1)  # each code with itself
    for low in range(0, total, _ROWS):
        overlaps = np.zeros((min(_ROWS, total - low), total), np.float32)  # exact up to 2^24, with a fast matrix product
        for left in range(0, n, _UNITS):
            part = codes[:, left : left + _UNITS].astype(np.float32)
            overlaps += part[low : low + _ROWS] @ part.T
        twice += np.bincount(overlaps.astype(np.int64).reshape(-1), minlength=n + 1)
    return np.trim_zeros(twice, "b") // 2


def _binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy of a binary variable with probability p, in bits."""
    terms = [np.where(q > 0, -q * np.log2(np.where(q > 0, q, 1.0)), 0.0) for q in (p, 1 - p)]
    return terms[0] + terms[1]
