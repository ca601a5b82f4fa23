"""Recognition of taught words in a stream: the network runs once, and each spoken word is decided once, when it has ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core import State, expect_in
from ..data import CausalEncoder
from ..data.encoder import StreamState
from ..data.speech.audio import Wave
from ..errors import InputError
from .coder import Coder
from .codes import bin_counts, hidden_part, hidden_spikes
from .speech import Span, frame_levels
from .vocabulary import Decision, Vocabulary

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
    """Expected number of events with such a score per hour by other words, at the rate at which words are spoken in this stream."""


def listen_for(
    vocabulary: Vocabulary, coder: Coder, chunks: Iterable[Wave], *, step_ms: float = 50.0, refractory_ms: float = 1000.0
) -> Iterator[Event]:
    """Yield an event for each taught word of a stream, as soon as the tail of the code after the word has passed.

    Args:
        vocabulary: the words.
        coder: network and backbone of the vocabulary, with a causal encoder.
        chunks: the sound in chunks [N_i] of any length, at the rate of the encoder.
        step_ms: time between two looks for a word that has ended, in ms.
        refractory_ms: time after an event in which the same word causes no other one, in ms.
    Raises:
        InputError: the encoder is not causal, the vocabulary or the stream is empty, or a setting is out of range.
    """
    expect_in(step_ms, "(0, inf)", "step_ms")
    expect_in(refractory_ms, "[0, inf)", "refractory_ms")
    if not len(vocabulary):
        raise InputError("Expected a vocabulary with words, got an empty one. Teach one first.")
    ear, last = _Ear(coder), dict[str, float]()
    for onset_ms, decision in ear.decisions(vocabulary, chunks, step_ms):
        if decision.label is None or onset_ms - last.get(decision.label, -np.inf) < refractory_ms:
            continue
        last[decision.label] = onset_ms
        per_hour = decision.p_value * ear.words / max(ear.heard_ms, _LEAST_MS) * _HOUR_MS
        yield Event(decision.label, onset_ms / 1000, ear.heard_ms / 1000, decision.score, decision.p_value, per_hour)


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
        self.words = 0

    @property
    def heard_ms(self) -> float:
        """Duration of the sound so far, in ms."""
        return self.heard * self.dt_ms

    def decisions(self, vocabulary: Vocabulary, chunks: Iterable[Wave], step_ms: float) -> Iterator[tuple[float, Decision]]:
        """Yield the onset, in ms, and the decision of each spoken word."""
        step, some = max(round(step_ms / self.dt_ms), 1), False
        for chunk in chunks:
            frames, self.stream = self.encoder.stream(chunk, self.stream)
            some = some or len(chunk) > 0
            for part in torch.split(frames, _LONGEST):
                yield from self._after(vocabulary, part, step)
        if not some:
            raise InputError("Expected sound, got an empty stream. Check its source.")
        yield from self._after(vocabulary, torch.zeros(self.tail + 1, self.encoder.channels), step)  # silence after the end

    def _after(self, vocabulary: Vocabulary, frames: Tensor, step: int) -> Iterator[tuple[float, Decision]]:
        """Take new frames, and yield the words that have ended, looking for them after every `step` frames."""
        if not len(frames):
            return
        spikes, self.state = hidden_spikes(self.network, frames.unsqueeze(0), self.state, None, self.coder.backbone.settings.layers)
        before = self.spikes if len(self.spikes) else spikes[0, :0]
        self.levels, self.spikes = np.concatenate([self.levels, frame_levels(frames)]), torch.cat([before, spikes[0]])
        for first in range(0, len(frames), step):
            self.heard += min(step, len(frames) - first)
            yield from self._ended(vocabulary)
        surplus = max(len(self.levels) - self.memory, 0)
        self.levels, self.spikes, self.first = self.levels[surplus:], self.spikes[surplus:], self.first + surplus

    def _ended(self, vocabulary: Vocabulary) -> Iterator[tuple[float, Decision]]:
        """Decide about the words in memory that have ended and were not decided before."""
        end = self.heard - self.tail  # the last frame that is looked at
        start = max(self.heard - self.memory, 0)
        for found in self.coder.detector.words_of(self.levels[start - self.first : max(end - self.first, 0)], self.dt_ms):
            word = Span(start + found.onset, start + found.offset)
            cut = word.onset == start > 0
            if word.offset >= end or cut or word.onset < self.decided:
                continue
            self.decided = word.offset
            self.words += 1
            here = Span(word.onset - self.first, word.offset + self.tail - self.first)
            counts = bin_counts(self.spikes, here, self.coder.backbone.settings.bins)
            yield word.onset * self.dt_ms, vocabulary.decide(self.coder.backbone.codes(counts[None]))[0]
