"""Checks of the clips of a word: agreement with each other, and with words that were taught before."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..sdr import SDR, SegmentIndex
from .background import Background
from .vocabulary import Vocabulary

_AGREEMENT = 0.9
"""Share of pairs of background clips, of different words, that a clip must exceed in its overlap with the most similar other clip."""
_PAIRS = 400


def pair_overlaps(codes: SDR) -> np.ndarray:
    """Return the overlaps of all pairs of K codes, [K, K]."""
    index = SegmentIndex(codes.n)
    index.insert(codes)
    return index.overlaps(codes)


def disagreeing(codes: SDR, background: Background) -> list[int]:
    """Return the clips of a word that are no more like any of its other clips than clips of different words are like each other."""
    count = len(codes)
    if count < 2:
        return []
    overlaps = pair_overlaps(codes).astype(float)
    np.fill_diagonal(overlaps, 0)
    nearest = overlaps.max(1)
    some = background.thinned(_PAIRS)
    others = pair_overlaps(some.codes)[some.word[:, None] != some.word[None]]
    return np.flatnonzero(nearest <= np.quantile(others, _AGREEMENT)).tolist() if others.size else []


def expect_agreement(codes: SDR, names: Sequence[str], background: Background) -> None:
    """Check that clips of a word agree.

    Raises:
        InputError: some do not; they are named.
    """
    if wrong := disagreeing(codes, background):
        which = "all of them differ" if len(wrong) > 1 and len(wrong) >= len(codes) - 1 else f"{names[wrong[0]]} differs from the others"
        raise InputError(f"clips: expected recordings of one word, but {which}. Record again, or leave it out.")


def known_as(vocabulary: Vocabulary, codes: SDR) -> str | None:
    """Return the taught word that most of the clips are recognised as, or None."""
    if not len(vocabulary):
        return None
    labels = [decision.label for decision in vocabulary.decide(codes)]
    best = max(set(labels), key=labels.count)
    return best if best is not None and 2 * labels.count(best) > len(labels) else None
