"""A backbone of made-up features: words are directions, recordings add variation in few directions."""

import functools

import numpy as np

from dendrix.sdr import SDR
from dendrix.teach import Backbone, CodeSettings, fit_backbone

SIZE = 60
SETTINGS = CodeSettings(density=0.1, rank=20)


def recordings(word: int, clips: int, seed: int = 0, speaker: int = 0) -> np.ndarray:
    """Features of clips of a word, [clips, 60]; words from 100 on are not known to the backbone."""
    of_word = 3 * np.random.default_rng(word).normal(size=SIZE)
    of_speaker = np.random.default_rng(10_000 + speaker).normal(size=SIZE)
    rng = np.random.default_rng([word, seed, speaker])
    common = np.random.default_rng(7).normal(size=(6, SIZE))
    return of_word + of_speaker + 2 * rng.normal(size=(clips, 6)) @ common + 0.5 * rng.normal(size=(clips, SIZE))


@functools.cache
def backbone(words: int = 12) -> Backbone:
    """A backbone that knows some words by four speakers, ten clips each."""
    x = np.concatenate([recordings(w, 10, speaker=s) for w in range(words) for s in range(4)])
    word, speaker = np.repeat(np.arange(words), 40), np.tile(np.repeat(np.arange(4), 10), words)
    return fit_backbone(x, word, speaker, tuple(f"known {w}" for w in range(words)), SETTINGS)


def codes(word: int, clips: int, seed: int = 0, speaker: int = 9) -> SDR:
    """Codes of clips of a word by the backbone."""
    return backbone().codes(recordings(word, clips, seed, speaker))
