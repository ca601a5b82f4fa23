"""False alarms of segments that keep some of the synapses of a code, by exact theory and measured.

    P[false alarm] = sum over O of P(O) * P[Hypergeometric(a, O, s) >= theta]

P(O) is the measured distribution of the overlaps of whole codes of a active cells with clips of other words, and s the number of synapses
that a segment keeps. The distribution is measured because the overlaps of these codes spread more than those of random codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import expect_count, expect_in
from ..errors import InputError
from ..sdr import SDR, SegmentIndex, false_positive


@dataclass(frozen=True)
class Thinned:
    """Segments that keep some synapses of a code."""

    synapses: int
    """Number of synapses of a segment, s."""
    theta: int
    """Overlap from which the segment responds."""
    theory: float
    """Rate of responses to clips of other words, by theory over the measured overlaps."""
    measured: float
    """The same, measured with randomly chosen synapses."""
    uniform: float
    """The same, if codes were uniformly random."""


def thinned_segments(
    codes: SDR, others: SDR, synapses: Sequence[int], rate: float = 0.001, *, choices: int = 400, seed: int = 0
) -> list[Thinned]:
    """Return for each number of synapses the smallest threshold that keeps a rate of false alarms, and the rate, in theory and measured.

    Args:
        codes: codes of a word, K codes with a active cells each; each is a segment.
        others: codes of clips of other words, N codes.
        synapses: numbers of synapses, each from 1 to a.
        rate: largest rate of responses of a segment to another word.
        choices: number of random choices of the synapses of each segment that are measured.
        seed: seed of these choices.
    Raises:
        InputError: the codes have different numbers of cells, there are none, or a number of synapses is out of range.
    """
    expect_in(rate, "(0, 1]", "rate")
    expect_count(choices, "[1, inf)", "choices")
    if codes.n != others.n or not len(codes) or not len(others):
        found = f"{len(codes)} of {codes.n} and {len(others)} of {others.n}"
        raise InputError(f"codes: expected codes and others of equally many cells, got {found}. Compute both with one backbone.")
    active = int(codes.counts.min())
    if not len(synapses):
        raise InputError(f"synapses: expected numbers from 1 to {active}, the active cells of a code, got none. Give at least one.")
    if wrong := [s for s in synapses if not 1 <= s <= active]:
        raise InputError(f"synapses: expected from 1 to {active}, the active cells of a code, got {wrong[0]}. Choose fewer.")
    index = SegmentIndex(codes.n)
    index.insert(codes)
    overlaps = index.overlaps(others)
    share = np.bincount(overlaps.ravel(), minlength=active + 1)[: active + 1] / overlaps.size
    rng, dense = np.random.default_rng(seed), others.dense().astype(np.float32)
    cells = [np.flatnonzero(row) for row in codes.dense()]
    thinned = []
    for s in synapses:
        thetas = np.arange(s + 2)
        exact = share @ np.asarray(false_positive(active, np.arange(active + 1)[:, None], s, thetas[None]))
        theta = int(thetas[exact <= rate][0])
        responses = sum(_responses(own, dense, s, theta, choices, rng) for own in cells)
        uniform = float(np.asarray(false_positive(codes.n, active, s, theta)))
        thinned.append(Thinned(s, theta, float(exact[theta]), responses / (choices * overlaps.size), uniform))
    return thinned


def _responses(cells: NDArray[np.int64], others: NDArray[np.float32], s: int, theta: int, choices: int, rng: np.random.Generator) -> int:
    """Count the responses to N others [N, n] of segments that keep s of the cells [a], chosen at random `choices` times."""
    kept = np.argsort(rng.random((choices, len(cells))), axis=1)[:, :s]
    masks = np.zeros((choices, len(cells)), np.float32)
    np.put_along_axis(masks, kept, 1, axis=1)
    return int((masks @ others[:, cells].T >= theta).sum())
