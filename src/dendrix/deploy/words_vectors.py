"""Test vectors of taught words, the same for every target: clips, a stream of them, and thresholds of the words taught again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.speech.integer_base import Ints
from ..errors import InputError
from .samples import expect_samples
from .words import DeployedWords, WholeWord, packed_bits
from .words_reference import Found, Heard, Match, decide, find, hear, listen, teach


@dataclass(frozen=True)
class WordsVector:
    """A clip and what the reference makes of it."""

    samples: Ints
    heard: Heard
    found: Found
    match: Match


@dataclass(frozen=True)
class WordsVectors:
    """Test vectors.

    Args:
        clips: clips, each from rest.
        events: words of the clips one after another as a stream: the frame at which each was found, what was found and its decision.
        taught: the words, taught again from their codes.
        share: share of the background for that.
    """

    clips: tuple[WordsVector, ...]
    events: tuple[tuple[int, Found, Match], ...]
    taught: tuple[WholeWord, ...]
    share: int

    @staticmethod
    def rows(made: DeployedWords, heard: Heard) -> NDArray[np.uint8]:
        """Spikes of every frame as bytes, [T, row]: each layer begins with a byte of its own."""
        parts = np.split(heard.spikes, np.cumsum(made.coded)[:-1], 1)
        return np.concatenate([packed_bits(part) for part in parts], 1)


def words_vectors(made: DeployedWords, clips: Sequence[Ints]) -> WordsVectors:
    """Run the reference on clips.

    Raises:
        InputError: there are no clips, or one is empty, too long or not of 16 bits.
    """
    if not len(clips) or not all(map(len, clips)):
        raise InputError("clips: expected at least one with samples, got none or an empty one. Pass recordings of words.")
    sounds = [expect_samples(clip, f"clips, item {number}") for number, clip in enumerate(clips)]
    words = list(made.words.values())
    found = []
    for samples, heard in zip(sounds, hear(made, sounds), strict=True):
        one = find(made, heard)
        found.append(WordsVector(samples, heard, one, decide(words, one.code)))
    stream = hear(made, [np.concatenate(sounds)], made.tail + 1)[0]
    events = tuple((now, one, decide(words, one.code)) for now, one in listen(made, stream))
    share = made.rates[0].share if made.rates else 0
    return WordsVectors(tuple(found), events, tuple(teach(word.codes, made.background, share) for word in words), share)


def words_vectors_json(made: DeployedWords, vectors: WordsVectors) -> str:
    """Test vectors as JSON; bits are the numbers of the bytes."""
    clips: list[dict[str, Any]] = [
        {
            "samples": one.samples.tolist(),
            "levels": one.heard.levels.tolist(),
            "spikes": vectors.rows(made, one.heard).ravel().tolist(),
            **_event(one.found, one.match),
        }
        for one in vectors.clips
    ]
    events = [{"frame": now, **_event(found, match)} for now, found, match in vectors.events]
    taught = [{"theta": word.theta, "mean": word.mean, "deviation": word.deviation} for word in vectors.taught]
    return json.dumps({"clips": clips, "events": events, "taught": taught, "share": vectors.share})


def _event(found: Found, match: Match) -> dict[str, Any]:
    code = packed_bits(found.code).tolist()
    return {"onset": found.onset, "offset": found.offset, "words": found.words, "code": code, "match": match._asdict()}
