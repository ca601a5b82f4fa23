"""Thresholds of a detector for a rate of false alarms, from its scores on background clips, and what they are worth.

Half of the false alarms of a word come from one similar word, so clips of a known word say little about an unknown one. The quantile of
the background is therefore taken at kappa * alpha. Kappa is the largest factor at which known words, taught as if they were new, fire at
most at alpha on words that are left out of the background.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..core import expect_in
from ..errors import InputError, NoCertificateError

ALPHAS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Rates of the table of kappa."""
_KAPPAS = np.geomspace(0.02, 1.5, 60)
_CLIPS, _PAIRS = 2, 2.5
"""Expected numbers of false alarms that a rate needs: among the clips of the background, and among pairs of known words."""

Scores = NDArray[np.integer]


def word_weights(word: ArrayLike) -> NDArray[np.float64]:
    """Return the weight of each clip, [N], with which all words weigh the same and the sum is 1."""
    index, counts = np.unique(np.asarray(word), return_inverse=True, return_counts=True)[1:]
    return np.asarray(1 / (counts[index] * len(counts)))


def threshold(scores: ArrayLike, share: float, weights: ArrayLike | None = None) -> int:
    """Return the smallest threshold that at most a share of the background reaches.

    Args:
        scores: whole numbers, [N].
        share: share of the weights, 0 to 1.
        weights: weight of each clip, with sum 1; None gives all clips the same weight.
    """
    s = np.asarray(scores)
    w = np.full(len(s), 1 / len(s)) if weights is None else np.asarray(weights)
    return int(_thresholds(s, w, np.array([share]))[0])


def _thresholds(scores: Scores, weights: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    order = np.argsort(-scores, kind="stable")
    reached = np.cumsum(weights[order])
    first = np.searchsorted(reached, shares + 1e-12, side="right")  # the first clip that is too much
    sorted_scores = np.append(scores[order], scores.min() - 1)
    return np.asarray(sorted_scores[first] + 1, np.int64)


class Rates(NamedTuple):
    """False alarms of one detector on a background."""

    mean: float
    """Mean of the rates of the words."""
    by_word: NDArray[np.float64]
    """Rate of each word, [W]."""
    words: NDArray[Any]
    """The words, [W]."""


def false_alarm_rates(scores: ArrayLike, theta: int, word: ArrayLike) -> Rates:
    """Compute the share of clips of each word that reach a threshold.

    Args:
        scores: [N].
        theta: threshold.
        word: word of each clip, [N].
    """
    words, index = np.unique(np.asarray(word), return_inverse=True)
    by_word = np.bincount(index, np.asarray(scores) >= theta) / np.bincount(index)
    return Rates(float(by_word.mean()), by_word, words)


def clustered_upper_bound(fired: ArrayLike, cluster: ArrayLike, confidence: float = 0.95) -> float:
    """Return an upper confidence bound of a rate measured on clips that come in clusters, such as those of one word.

    The Clopper-Pearson bound for n / d clips, where d = 1 + (m - 1) r is the design effect of clusters of m clips with the correlation r.

    Args:
        fired: whether each clip fired, bool [N].
        cluster: cluster of each clip, [N].
        confidence: confidence of the bound.
    Source: Clopper & Pearson (1934); Kish (1965), "Survey Sampling", for the design effect; the correlation by the analysis of variance.
    """
    hits, index = np.asarray(fired, float), np.unique(np.asarray(cluster), return_inverse=True)[1]
    counts = np.bincount(index)
    count, groups = len(hits), len(counts)
    size = (count - (counts**2).sum() / count) / max(groups - 1, 1)
    effect = 1.0
    if groups > 1 and count > groups and hits.any():
        means = np.bincount(index, hits) / counts
        between = (counts * (means - hits.mean()) ** 2).sum() / (groups - 1)
        within = ((hits - means[index]) ** 2).sum() / (count - groups)
        effect = 1 + (size - 1) * max((between - within) / (between + (size - 1) * within or 1.0), 0.0)
    independent = count / max(effect, 1.0)
    if hits.all():
        return 1.0
    return float(stats.beta.ppf(confidence, hits.mean() * independent + 1, (1 - hits.mean()) * independent))


@dataclass(frozen=True)
class Calibration:
    """Kappa for rates and numbers of background words, and how far measured rates are from asked ones.

    Args:
        alphas: asked rates, [A], falling.
        words: numbers of background words, [M], rising.
        kappa: [M][A].
        low, high: tenth and ninetieth percentile over detectors of measured / asked on words left out, [M][A].
        known: number of known words that were taught for it.
    """

    alphas: tuple[float, ...]
    words: tuple[int, ...]
    kappa: tuple[tuple[float, ...], ...]
    low: tuple[tuple[float, ...], ...]
    high: tuple[tuple[float, ...], ...]
    known: int

    def at(self, alpha: float, words: int) -> tuple[float, float, float]:
        """Return kappa, low and high for a rate and a number of background words, interpolated in their logarithms."""
        falling = -np.log(self.alphas)
        rows = [[float(np.interp(-np.log(alpha), falling, row)) for row in table] for table in (self.kappa, self.low, self.high)]
        kappa, low, high = (float(np.interp(np.log(max(words, 1)), np.log(self.words), column)) for column in rows)
        return kappa, low, high

    def smallest(self, clips: int, words: int) -> float:
        """Return the smallest rate that a background of so many clips and words supports."""
        return next((float(rate) for rate in np.geomspace(1e-6, 1, 600) if self.supports(float(rate), clips, words)), 1.0)

    def supports(self, alpha: float, clips: int, words: int) -> bool:
        """Return whether a background of so many clips and words supports a rate."""
        pairs = min(self.known, words + 1) * min(self.known - 1, words)
        return self.at(alpha, words)[0] * alpha * clips >= _CLIPS and alpha * pairs >= _PAIRS

    def expect_supported(self, alpha: float, clips: int, words: int) -> None:
        """Check that a background supports a rate.

        Raises:
            InputError: the rate is not between 0 and 0.5.
            NoCertificateError: it needs more background clips or words; the message says how many.
        """
        expect_in(alpha, "(0, 0.5]", "rate")
        if self.supports(alpha, clips, words):
            return
        smallest = self.smallest(clips, words)
        kappa = self.at(alpha, words)[0]
        need_clips, need_words = int(np.ceil(_CLIPS / (kappa * alpha))), int(np.ceil(0.5 + np.sqrt(0.25 + _PAIRS / alpha)))
        raise NoCertificateError(
            f"rate: expected at least {smallest:.2g}, which {clips} background clips of {words} words support, got {alpha:g}. It needs "
            f"about {max(need_clips, clips)} clips of {max(need_words, words)} words. Accept more false alarms, or use another backbone.",
            need_clips,
        )


def calibrate(
    scores: Sequence[Scores],
    taught: Sequence[int],
    word: ArrayLike,
    usable: Sequence[NDArray[np.bool_]] | None = None,
    *,
    alphas: Sequence[float] = ALPHAS,
    sizes: Sequence[int] = (),
    seed: int = 0,
) -> Calibration:
    """Compute kappa from known words that are taught as if they were new.

    Args:
        scores: scores of each of P detectors on the N background clips, [P][N].
        taught: word that each detector was taught, [P].
        word: word of each clip, [N].
        usable: clips that count for each detector, bool [P][N], such as those of other speakers; None for all.
        alphas: rates of the table.
        sizes: numbers of background words of the table; always included is the number of known words less two.
        seed: seed of the choice of background words where fewer are used.
    Raises:
        InputError: there are fewer than 4 known words.
    """
    names, index = np.unique(np.asarray(word), return_inverse=True)
    if len(names) < 4:
        raise InputError(
            f"word: expected at least 4 known words to calibrate with, got {len(names)}. Use a backbone that knows more words."
        )
    rng, largest = np.random.default_rng(seed), len(names) - 2
    counts = sorted({*(size for size in sizes if 2 <= size < largest), largest})
    tables = []
    for size in counts:
        measured = [
            _left_out(np.asarray(row), index, int(np.searchsorted(names, own)), size, alphas, rng, None if usable is None else usable[p])
            for p, (row, own) in enumerate(zip(scores, taught, strict=True))
        ]
        tables.append(_row(np.array(measured), alphas))
    kappa, low, high = zip(*tables, strict=True)
    return Calibration(tuple(alphas), tuple(counts), kappa, low, high, len(names))


def _left_out(
    scores: Scores,
    index: NDArray[np.int64],
    own: int,
    size: int,
    alphas: Sequence[float],
    rng: np.random.Generator,
    usable: NDArray[np.bool_] | None,
) -> NDArray[np.float64]:
    """Mean rate of a detector on words left out of its background, for each kappa and alpha, [A, number of kappas]."""
    others = np.array([number for number in range(index.max() + 1) if number != own])
    shares = np.outer(alphas, _KAPPAS).ravel()
    total = np.zeros(len(shares))
    ok = np.ones(len(scores), bool) if usable is None else usable
    for left in others:
        rest = others[others != left]
        chosen = rest if size >= len(rest) else rng.choice(rest, size, replace=False)
        known = ok & np.isin(index, chosen)
        thetas = _thresholds(scores[known], word_weights(index[known]), shares)
        fresh = np.sort(scores[ok & (index == left)])
        total += 1 - np.searchsorted(fresh, thetas, side="left") / max(len(fresh), 1)
    return (total / len(others)).reshape(len(alphas), -1)


def _row(measured: NDArray[np.float64], alphas: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return kappa, and the range of measured / asked at it, for each alpha; `measured` is [P, A, number of kappas]."""
    kappas, lows, highs = [], [], []
    for number, alpha in enumerate(alphas):
        allowed = np.flatnonzero(measured[:, number].mean(0) <= alpha)
        at = int(allowed[-1]) if len(allowed) else 0
        ratio = measured[:, number, at] / alpha
        kappas.append(float(_KAPPAS[at]))
        lows.append(float(np.quantile(ratio, 0.1)))
        highs.append(float(np.quantile(ratio, 0.9)))
    return tuple(kappas), tuple(lows), tuple(highs)
