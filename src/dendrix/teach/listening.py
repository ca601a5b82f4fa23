"""Recognition of taught words in a stream: the network runs once, and each spoken word is decided once, when it has ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core import State, expect_in
from ..data import CausalEncoder
from ..data.encoder import StreamState
from ..data.speech.audio import Wave
from ..errors import InputError
from ..sdr import SDR
from .coder import Coder
from .codes import bin_counts, hidden_part, hidden_spikes
from .speech import Span, frame_levels
from .vocabulary import Vocabulary

_MEMORY_MS = 2500.0
"""Length of the window in which words are found, in ms; the level of silence is that within the window."""
_LONGEST = 100
"""Largest number of frames that the network runs on at a time."""
_HOUR_MS = 3_600_000.0
_LEAST_MS = 60_000.0
"""Time over which the number of words per hour is at least averaged, in ms."""


@dataclass(frozen=True)
class Event:
    """A taught word that was heard."""

    word: str
    time_s: float
    """Onset of the word, in s from the start of the stream."""
    end_s: float
    """End of the sound that was processed when it was decided, in s."""
    score: int
    p_value: float
    """Share of the background that scores as high."""
    false_alarms_per_hour: float
    """Expected number of events with such a score per hour by words that the background lacks, at the rate at which words are spoken in
    this stream."""


class Spoken(NamedTuple):
    """A spoken word of a stream, set off by pauses."""

    code: SDR
    """Its code, one."""
    onset_ms: float
    """Onset, in ms from the start of the stream."""
    heard_ms: float
    """Duration of the sound that was processed when it was coded, in ms."""
    number: int
    """Number of spoken words so far, with this one."""


def spoken_words(coder: Coder, chunks: Iterable[Wave], *, step_ms: float = 50.0) -> Iterator[Spoken]:
    """Yield each spoken word of a stream, taught or not, as soon as the tail of the code after the word has passed.

    Args:
        coder: network and backbone, with a causal encoder.
        chunks: the sound in chunks [N_i] of any length, at the rate of the encoder.
        step_ms: time between two looks for a word that has ended, in ms.
    Raises:
        InputError: the encoder is not causal, the stream is empty, or a setting is out of range.
    """
    expect_in(step_ms, "(0, inf)", "step_ms")
    yield from _Ear(coder).words(chunks, step_ms)


def listen_for(
    vocabulary: Vocabulary,
    coder: Coder,
    chunks: Iterable[Wave],
    *,
    step_ms: float = 50.0,
    refractory_ms: float = 1000.0,
    per_hour: float | None = None,
) -> Iterator[Event]:
    """Yield an event for each taught word of a stream, as soon as the tail of the code after the word has passed.

    Args:
        vocabulary: the words.
        coder, chunks, step_ms: as in `spoken_words`.
        refractory_ms: time after an event in which the same word causes no other one, in ms.
        per_hour: largest expected number of false alarms per hour of an event; None leaves it to the thresholds of the words.
    Raises:
        InputError: as in `spoken_words`, or the vocabulary is empty.
    """
    expect_in(refractory_ms, "[0, inf)", "refractory_ms")
    if per_hour is not None:
        expect_in(per_hour, "(0, inf)", "per_hour")
    if not len(vocabulary):
        raise InputError("Expected a vocabulary with words, got an empty one. Teach one first.")
    last = dict[str, float]()
    for spoken in spoken_words(coder, chunks, step_ms=step_ms):
        decision = vocabulary.decide(spoken.code)[0]
        if decision.label is None or spoken.onset_ms - last.get(decision.label, -np.inf) < refractory_ms:
            continue
        expected = vocabulary.expected_rate(decision.label, decision.p_value)
        alarms = expected * spoken.number / max(spoken.heard_ms, _LEAST_MS) * _HOUR_MS
        if per_hour is not None and alarms > per_hour:
            continue
        last[decision.label] = spoken.onset_ms
        yield Event(decision.label, spoken.onset_ms / 1000, spoken.heard_ms / 1000, decision.score, decision.p_value, alarms)


class _Ear:
    """State of a stream: encoder, network, and the levels and spikes of the last seconds."""

    def __init__(self, coder: Coder) -> None:
        if not isinstance(coder.encoder, CausalEncoder):
            name = type(coder.encoder).__name__
            raise InputError(f"encoder: expected a causal one, got {name}, which needs the whole sound. Choose another network.")
        self.coder, self.encoder = coder, coder.encoder
        self.network = hidden_part(coder.network)
        self.dt_ms, settings = coder.encoder.dt_ms, coder.backbone.settings
        self.tail = round(settings.tail_ms / self.dt_ms)
        self.memory = round(_MEMORY_MS / self.dt_ms) + self.tail
        self.levels, self.spikes = np.zeros(0, np.float32), torch.zeros(0, 0)
        self.stream: StreamState | None = None
        self.state: State = None
        self.first = 0  # number of frames before those in memory
        self.heard = 0  # number of frames so far that were looked at
        self.decided = 0  # the frame up to which words were decided
        self.count = 0

    @property
    def heard_ms(self) -> float:
        """Duration of the sound so far, in ms."""
        return self.heard * self.dt_ms

    def words(self, chunks: Iterable[Wave], step_ms: float) -> Iterator[Spoken]:
        """Yield the words of a stream."""
        step, some = max(round(step_ms / self.dt_ms), 1), False
        for chunk in chunks:
            frames, self.stream = self.encoder.stream(chunk, self.stream)
            some = some or len(chunk) > 0
            for part in torch.split(frames, _LONGEST):
                yield from self._after(part, step)
        if not some:
            raise InputError("Expected sound, got an empty stream. Check its source.")
        yield from self._after(torch.zeros(self.tail + 1, self.encoder.channels), step)  # silence after the end

    def _after(self, frames: Tensor, step: int) -> Iterator[Spoken]:
        """Take new frames, and yield the words that have ended, looking for them after every `step` frames."""
        if not len(frames):
            return
        spikes, self.state = hidden_spikes(self.network, frames.unsqueeze(0), self.state, None, self.coder.backbone.settings.layers)
        before = self.spikes if len(self.spikes) else spikes[0, :0]
        self.levels, self.spikes = np.concatenate([self.levels, frame_levels(frames)]), torch.cat([before, spikes[0]])
        for first in range(0, len(frames), step):
            self.heard += min(step, len(frames) - first)
            yield from self._ended()
        surplus = max(len(self.levels) - self.memory, 0)
        self.levels, self.spikes, self.first = self.levels[surplus:], self.spikes[surplus:], self.first + surplus

    def _ended(self) -> Iterator[Spoken]:
        """Code the words in memory that have ended and were not coded before."""
        end = self.heard - self.tail  # the last frame that is looked at
        start = max(self.heard - self.memory, 0)
        for found in self.coder.detector.words_of(self.levels[start - self.first : max(end - self.first, 0)], self.dt_ms):
            word = Span(start + found.onset, start + found.offset)
            cut = word.onset == start > 0
            if word.offset >= end or cut or word.onset < self.decided:
                continue
            self.decided = word.offset
            self.count += 1
            here = Span(word.onset - self.first, word.offset + self.tail - self.first)
            counts = bin_counts(self.spikes, here, self.coder.backbone.settings.bins)
            yield Spoken(self.coder.backbone.codes(counts[None]), word.onset * self.dt_ms, self.heard_ms, self.count)
