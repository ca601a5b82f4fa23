"""Tables and memory of taught words for the engine: members of `dw_words` in their order in C."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .c_layout import memory_of
from .costs import BYTES, sizes
from .front_end import Member
from .words import DeployedWords, WholeBackground, packed_bits

HEADER = 48
"""Bytes of the header of a stream, at most."""


class WordsMemory(NamedTuple):
    """Where the parts of a stream lie, in bytes from its start."""

    levels: int
    spikes: int
    counts: int
    projection: int
    scratch: int
    code: int
    stream: int
    size: int


def words_memory(made: DeployedWords) -> WordsMemory:
    """Lay out the memory of a stream: the network's own comes last."""
    at, places = HEADER, list[int]()
    scratch = max(4 * made.features, 8 * made.memory, 2 * len(made.background.codes))
    code = math.ceil(made.n / 8)
    spikes, rank = made.memory * row_bytes(made), len(made.whitening.gain)
    for size in (4 * made.memory, spikes, 2 * made.features, 4 * rank, scratch, code):
        at = math.ceil(at / 8) * 8
        places.append(at)
        at += size
    at = math.ceil(at / 8) * 8
    return WordsMemory._make([*places, at, at + memory_of(made.deployed, made.deployed.network.layers(), spikes=True).size])


def row_bytes(made: DeployedWords) -> int:
    """Bytes of the spikes of a frame."""
    return sum(math.ceil(size / 8) for size in made.coded)


def members(made: DeployedWords) -> list[Member]:
    """Members of `dw_words` after the network."""
    whitening, speech, at = made.whitening, made.speech, words_memory(made)
    rates = np.array([(round(one.rate * 1e6), one.share) for one in made.rates], np.int64).ravel()
    return [
        Member("directions", "int8_t", whitening.directions.ravel()),
        Member("mean", "int16_t", whitening.mean),
        Member("gain", "uint16_t", whitening.gain),
        Member("gain_shift", "uint8_t", whitening.shift),
        Member("rates", "uint32_t", rates),
        Member("least", "int32_t", speech.least),
        Member("share", "uint32_t", speech.share),
        Member("contrast", "uint32_t", speech.contrast),
        Member("size", "uint32_t", at.size),
        *(Member(f"{name}_at", "uint32_t", getattr(at, name)) for name in ("levels", "spikes", "counts", "projection", "scratch", "code")),
        Member("stream_at", "uint32_t", at.stream),
        Member("features", "uint32_t", made.features),
        Member("active", "uint32_t", made.active),
        Member("rank", "uint16_t", len(whitening.gain)),
        *(Member(name, "uint16_t", getattr(made, name)) for name in ("memory", "tail", "step")),
        *(Member(name, "uint16_t", getattr(speech, name)) for name in ("smoothing", "pause", "shortest")),
        Member("row", "uint16_t", row_bytes(made)),
        Member("bins", "uint8_t", made.bins),
        Member("fraction", "uint8_t", whitening.fraction),
        Member("extra", "uint8_t", whitening.extra),
        Member("first", "uint8_t", made.coded_layers.start),
        Member("layers", "uint8_t", made.layers),
        Member("rate_count", "uint8_t", len(made.rates)),
    ]


@dataclass(frozen=True)
class WordsSizes:
    """Bytes of taught words, without the code of the engine."""

    network: int
    """Tables of the network."""
    whitening: int
    words: int
    background: int
    """Only needed to teach."""
    memory: int
    """Of one stream, that of the network included."""


def words_sizes(made: DeployedWords) -> WordsSizes:
    """Count the bytes of the tables and of the memory of a stream."""
    tables = sum(BYTES[one.kind] * len(one.value) for one in members(made) if one.is_table)
    code = math.ceil(made.n / 8)
    taught = sum(len(word.codes) * code + 16 for word in made.words.values())
    return WordsSizes(sizes(made.deployed).tables, tables, taught, background_bytes(made.background), words_memory(made).size)


def background_bytes(background: WholeBackground) -> int:
    """Bytes of a background: a code and a weight for each clip."""
    return len(background.codes) * (packed_bits(background.codes[:1]).size + 4)
