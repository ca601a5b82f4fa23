"""Thresholds of a detector for a rate of false alarms, from its scores on background clips, and what they are worth.

Half of the false alarms of a word come from one similar word, so clips of a known word say little about an unknown one. The quantile of
the background is therefore taken at kappa * alpha. Kappa is the largest factor at which known words, taught as if they were new, fire at
most at alpha on words that are left out of the background.
"""

from collections.abc import Callable, Sequence
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
_RANGE = (0.1, 0.9)
"""Quantiles over detectors that bound the expected range."""
_CLIPS, _PAIRS = 2, 2.5
"""Expected numbers of false alarms that a rate needs: among the clips of the background, and among pairs of known words."""

Scores = NDArray[np.integer]
Table = tuple[tuple[float, ...], ...]
Mask = NDArray[np.bool_]


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
        own_low, own_high: the same for words left out that are spoken by the speaker who taught the detector; empty if not known.
    """

    alphas: tuple[float, ...]
    words: tuple[int, ...]
    kappa: Table
    low: Table
    high: Table
    known: int
    own_low: Table = ()
    own_high: Table = ()

    def at(self, alpha: float, words: int) -> tuple[float, float, float]:
        """Return kappa, low and high for a rate and a number of background words, interpolated in their logarithms."""
        return self._of(self.kappa, alpha, words), self._of(self.low, alpha, words), self._of(self.high, alpha, words)

    def expected(self, share: float, words: int) -> float:
        """Return the rate alpha for which kappa(alpha) * alpha is a share of the background, at most 1."""
        alphas = np.array(self.alphas[::-1])
        shares = np.maximum.accumulate([self.at(alpha, words)[0] * alpha for alpha in alphas])
        if share <= shares[0]:
            return float(share / shares[0] * alphas[0])
        if share >= shares[-1]:
            return float(min(share / shares[-1] * alphas[-1], 1.0))
        return float(np.exp(np.interp(np.log(share), np.log(shares), np.log(alphas))))

    def own(self, alpha: float, words: int) -> tuple[float, float] | None:
        """Return low and high for other words of the speaker who taught a word, as `at` does; None if they are not known."""
        return (self._of(self.own_low, alpha, words), self._of(self.own_high, alpha, words)) if self.own_low else None

    def _of(self, table: Table, alpha: float, words: int) -> float:
        column = [float(np.interp(-np.log(alpha), -np.log(self.alphas), row)) for row in table]
        return float(np.interp(np.log(max(words, 1)), np.log(self.words), column))

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
    scores: Sequence[Scores | Callable[[int], Scores]],
    taught: Sequence[int],
    word: ArrayLike,
    usable: Sequence[Mask] | None = None,
    own: Sequence[Mask] | None = None,
    heard: Sequence[Scores] | None = None,
    *,
    alphas: Sequence[float] = ALPHAS,
    sizes: Sequence[int] = (),
    seed: int = 0,
) -> Calibration:
    """Compute kappa from known words that are taught as if they were new.

    Args:
        scores: scores of each of P detectors on the N background clips, [P][N]; or, for a detector that uses the known words themselves, a
            function that returns the scores without using a given word.
        taught: word that each detector was taught, [P].
        word: word of each clip, [N].
        usable: clips that count for each detector, bool [P][N], such as those of other speakers; None for all.
        own: clips by the speaker who taught each detector, bool [P][N]; None if they are not known.
        heard: scores on clips that are left out, [P][N], if they differ from those of the background, as where a clip has several chances
            to fire; not with functions.
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
    everything = np.ones(len(index), bool)
    counts = sorted({*(size for size in sizes if 2 <= size < largest), largest})
    rows = []
    for size in counts:
        measured, of_speaker = [], []
        for p, (given, of) in enumerate(zip(scores, taught, strict=True)):
            masks = (everything if usable is None else usable[p], None if own is None else own[p])
            number = int(np.searchsorted(names, of))
            fired = None if heard is None else np.asarray(heard[p])
            found = _left_out(given if callable(given) else np.asarray(given), fired, names, index, number, size, alphas, rng, masks)
            measured.append(found[0])
            of_speaker.append(found[1])
        rows.append(_row(np.array(measured), np.array(of_speaker), alphas))
    kappa, low, high, own_low, own_high = zip(*rows, strict=True)
    known = dict(own_low=own_low, own_high=own_high) if own is not None else {}
    return Calibration(tuple(alphas), tuple(counts), kappa, low, high, len(names), **known)


def _left_out(
    scores: Scores | Callable[[int], Scores],
    heard: Scores | None,
    names: NDArray[Any],
    index: NDArray[np.int64],
    taught: int,
    size: int,
    alphas: Sequence[float],
    rng: np.random.Generator,
    masks: tuple[Mask, Mask | None],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean rates of a detector on words left out of its background, by usable and by own clips, for each alpha and kappa."""
    usable, own = masks
    others = np.array([number for number in range(len(names)) if number != taught])
    shares = np.outer(alphas, _KAPPAS).ravel()
    total, of_speaker, spoken = np.zeros(len(shares)), np.zeros(len(shares)), 0
    for left in others:
        s = scores(int(names[left])) if callable(scores) else scores
        rest = others[others != left]
        chosen = rest if size >= len(rest) else rng.choice(rest, size, replace=False)
        known = usable & np.isin(index, chosen)
        thetas = _thresholds(s[known], word_weights(index[known]), shares)
        fired = s if heard is None else heard
        total += _reached(fired[usable & (index == left)], thetas)
        if own is not None and len(theirs := fired[own & (index == left)]):
            of_speaker += _reached(theirs, thetas)
            spoken += 1
    shape = (len(alphas), -1)
    return (total / len(others)).reshape(shape), (of_speaker / max(spoken, 1)).reshape(shape)


def _reached(scores: Scores, thetas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of scores that reach each threshold."""
    return np.asarray(1 - np.searchsorted(np.sort(scores), thetas, side="left") / max(len(scores), 1))


def _row(
    measured: NDArray[np.float64], of_speaker: NDArray[np.float64], alphas: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return for each alpha kappa, and at it the ranges of measured / asked rates of all and own clips; each is [P, A, kappas]."""
    found = []
    for number, alpha in enumerate(alphas):
        allowed = np.flatnonzero(measured[:, number].mean(0) <= alpha)
        at = int(allowed[-1]) if len(allowed) else 0
        ranges = [np.quantile(rates[:, number, at] / alpha, _RANGE) for rates in (measured, of_speaker)]
        found.append((float(_KAPPAS[at]), *(float(edge) for edges in ranges for edge in edges)))
    kappa, low, high, own_low, own_high = zip(*found, strict=True)
    return kappa, low, high, own_low, own_high
