"""Taught words, decisions about clips, and reports on false alarms."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sdr import SDR
from .background import Background, Whole
from .thresholds import word_weights


@dataclass(frozen=True)
class Word:
    """A taught word.

    Args:
        codes: code of each clip, K codes.
        rate: asked rate of false alarms per clip of another word.
        theta: score from which a clip is taken for the word.
        mean, deviation: of the scores of the background.
        rivals: known words that may veto it; empty without veto.
    """

    codes: SDR
    rate: float
    theta: int
    mean: float
    deviation: float
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Decision about one clip."""

    label: str | None
    """The word, or None for none of the taught words."""
    p_value: float
    """Share of the background that scores as high for the best word."""
    nearest: str
    """The best word, whether or not it reaches its threshold."""
    score: int
    """Score of the best word: sum of the overlaps with its codes."""
    theta: int
    """Threshold of the best word."""


@dataclass(frozen=True)
class Report:
    """What is known about the false alarms of a word."""

    word: str
    clips: int
    rate: float
    """Asked rate of false alarms per clip of another word."""
    expected: tuple[float, float]
    """Range of the rate on words that the background lacks: tenth and ninetieth percentile of known words taught as new ones."""
    upper_bound: float
    """Upper bound of the rate, 95 %, from the background with its clips clustered by word."""
    background_words: int
    background_speakers: int
    background_clips: int
    confusable: tuple[tuple[str, float], ...]
    """The known words that it is most often taken for, and the share of their clips."""
    own_background: int
    """Number of sounds of the user's own background."""
    own_rate: float | None
    """Rate of false alarms on the user's own background; None without one."""
    own_words: tuple[float, float] | None
    """Expected range of the rate on other words by the speaker of the clips, as in `expected`; None without such speakers."""
    rivals: tuple[str, ...]
    """The known words that may veto it; empty without veto."""
    n_bytes: int
    """Size of its codes and threshold."""


class Distribution(NamedTuple):
    """Scores of a background for a word, falling, and the sum of the weights up to each, [N]."""

    scores: Whole
    reached: NDArray[np.float64]

    def share(self, score: int) -> float:
        """Return the share of the background that scores at least so high, where the clip itself counts as one of it."""
        count = len(self.scores)
        higher = int(np.searchsorted(-self.scores, -score, side="right"))
        return float(min(((self.reached[higher - 1] * count if higher else 0) + 1) / (count + 1), 1.0))


def distribution(background: Background, scores: Whole) -> Distribution:
    """Return the distribution of the scores [N] of a background for a word."""
    order = np.argsort(-scores, kind="stable")
    return Distribution(scores[order], np.cumsum(word_weights(background.word)[order]))
