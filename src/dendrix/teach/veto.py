"""Veto by known words: a clip that is more like a known word than like the taught one is not taken for it."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ..sdr import SDR, SegmentIndex
from .background import Background, Whole
from .thresholds import word_weights

RIVALS = 3
"""Number of known words that may veto a taught one."""
_BATCH = 512
"""Number of clips whose overlaps with the background are in memory at a time."""

Likeness = NDArray[np.float64]


class KnownWords:
    """Likeness of clips to the known words: the mean overlap with the clips of a word, standardised over the background.

    Args:
        background: codes of the known words.
    """

    def __init__(self, background: Background) -> None:
        self.words, self._word = np.unique(background.word, return_inverse=True)
        self._weights = word_weights(background.word)
        self._index = SegmentIndex(background.codes.n)
        self._index.insert(background.codes)
        self._count = np.bincount(self._word).astype(float)
        clips = np.arange(len(background)), self._word
        total, count = self._sums(background.codes), np.tile(self._count, (len(background), 1))
        total[clips] -= background.codes.counts  # a clip is no witness for itself
        count[clips] = np.maximum(count[clips] - 1, 1)
        found = total / count
        self._mean, self._deviation = found.mean(0), np.maximum(found.std(0), 1e-6)
        self.of_background = (found - self._mean) / self._deviation
        """Likeness of the clips of the background, each without itself, [N, W]."""

    def likeness(self, codes: SDR) -> Likeness:
        """Return the likeness of Q clips to the words of `words`, [Q, W]."""
        return np.asarray((self._sums(codes) / self._count - self._mean) / self._deviation)

    def rivals(self, scores: Whole, without: Collection[int] = ()) -> NDArray[np.int64]:
        """Return the columns of the words that a taught word is most often taken for.

        Args:
            scores: scores of the background for the taught word, [N].
            without: words that must not be used, as indices of the background.
        """
        likely = np.bincount(self._word, scores) / self._count
        order = np.argsort(-likely, kind="stable")
        return order[~np.isin(self.words[order], list(without))][:RIVALS]

    def apply(self, scores: Whole, of: Whole, likeness: Likeness, rivals: NDArray[np.int64]) -> Whole:
        """Return scores in which those of vetoed clips are -1.

        Args:
            scores: scores of clips for a taught word, [Q].
            of: scores of the background for it, [N].
            likeness: likeness of the clips, [Q, W].
            rivals: columns of the words that may veto.
        """
        mean = float(of @ self._weights)
        deviation = max(float((of - mean) ** 2 @ self._weights) ** 0.5, 1e-6)
        return np.asarray(np.where(likeness[:, rivals].max(1) > (scores - mean) / deviation, -1, scores))

    def _sums(self, codes: SDR) -> Likeness:
        """Return the sums of the overlaps with the clips of each word, [Q, W]."""
        of_word = np.eye(len(self.words))[self._word]
        rows = [self._index.overlaps(codes[i : i + _BATCH]) @ of_word for i in range(0, len(codes), _BATCH)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.words)))
