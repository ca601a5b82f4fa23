"""One spoken word, recorded from a stream of sound."""

from collections.abc import Iterable

import numpy as np

from ..core import expect_in
from ..data.speech.audio import Wave
from ..errors import InputError
from .coder import Coder

_SILENCE_MS = 400.0
"""Silence after a word that ends the recording, in ms."""
_BEFORE_MS = 300.0
"""Sound before the word that is kept, in ms, from which the level of silence is measured."""


def record_word(coder: Coder, chunks: Iterable[Wave], longest_ms: float = 10_000.0) -> Wave:
    """Return the first word of a stream with some silence around it, samples [N]; no more of the stream is read than that takes.

    Args:
        coder: coder of the vocabulary; its encoder gives the rate, its detector finds the word.
        chunks: the sound in chunks [N_i], such as `data.speech.microphone` yields them.
        longest_ms: time within which the word must end, in ms.
    Raises:
        InputError: the time is over before a word has ended.
    """
    expect_in(longest_ms, "(0, inf)", "longest_ms")
    encoder, heard = coder.encoder, np.zeros(0, np.float32)
    dt_ms, hop = encoder.dt_ms, encoder.hop
    for chunk in chunks:
        heard = np.concatenate([heard, chunk])
        whole = len(heard) // hop * hop
        if not whole:
            continue
        words = coder.detector.words(encoder(heard[:whole], encoder.rate), dt_ms)
        if words and (whole // hop - words[-1].offset) * dt_ms >= _SILENCE_MS:
            first = max(words[0].onset - round(_BEFORE_MS / dt_ms), 0)
            return np.asarray(heard[first * hop : whole])
        if whole / encoder.rate * 1000 >= longest_ms:
            break
    raise InputError(
        f"recording: expected a spoken word within {longest_ms / 1000:g} s, heard none that ended. Speak louder, closer to the microphone."
    )
