"""Background of detectors: codes of many clips that no detector should answer to, with their words and speakers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sdr import SDR, SegmentIndex, stack

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Background:
    """Codes of N clips.

    Args:
        codes: N codes of n bits.
        word: index of the word of each clip in `names`, [N].
        speaker: speaker of each clip, [N]; clips of an unknown one have a speaker each.
        names: names of the words.
    Raises:
        InputError: the numbers of codes, words and speakers differ, or a word has no name.
    """

    codes: SDR
    word: Whole
    speaker: Whole
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.codes) == len(self.word) == len(self.speaker) or not len(self.codes):
            found = (len(self.codes), len(self.word), len(self.speaker))
            raise InputError(f"Expected codes with a word and a speaker each, got {found[0]}, {found[1]} and {found[2]}. Give all three.")
        if self.word.min() < 0 or self.word.max() >= len(self.names):
            raise InputError(f"word: expected indices from 0 to {len(self.names) - 1}, got others. Name all words.")

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def words(self) -> int:
        """Number of different words."""
        return len(np.unique(self.word))

    @property
    def speakers(self) -> int:
        """Number of different speakers."""
        return len(np.unique(self.speaker))

    def scores(self, stored: SDR) -> Whole:
        """Return the score of every clip for a word of K stored codes: the sum of its overlaps with them, [N]."""
        return summed_overlaps(stored, self.codes)

    def subset(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Background":
        """Return some clips: indices [M], or bool [N]."""
        return Background(self.codes[index], self.word[index], self.speaker[index], self.names)

    def thinned(self, clips: int) -> "Background":
        """Return at most `clips` clips, as equally many of each word as possible, and of each word of many speakers."""
        return self.subset(self.spread(clips))

    def spread(self, clips: int) -> NDArray[np.int64]:
        """Return the indices of the clips that `thinned` keeps, rising."""
        order = np.lexsort((self.speaker, self.word))  # within a word, take every other speaker before a second clip
        rank = np.empty(len(self), int)
        for word in np.unique(self.word):
            own = order[self.word[order] == word]
            turn = np.empty(len(own), int)
            for speaker in np.unique(self.speaker[own]):
                of_speaker = np.flatnonzero(self.speaker[own] == speaker)
                turn[of_speaker] = np.arange(len(of_speaker))
            rank[own[np.lexsort((self.speaker[own], turn))]] = np.arange(len(own))
        return np.asarray(np.sort(np.argsort(rank, kind="stable")[:clips]))


def summed_overlaps(stored: SDR, probes: SDR) -> Whole:
    """Return the sum of the overlaps of each of N probes with K stored codes, [N]."""
    index = SegmentIndex(stored.n)
    index.insert(stored)
    return np.asarray(index.overlaps(probes).sum(1, dtype=np.int64))


def joined(parts: Sequence[Background]) -> Background:
    """Join backgrounds without named words, such as those of several recordings of a user; each word and speaker stays one of its own."""
    word = np.arange(sum(map(len, parts)))
    return Background(stack([part.codes for part in parts]), word, word.copy(), tuple(f"sound {i + 1}" for i in word))
