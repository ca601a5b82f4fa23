"""Recognition of taught words in a stream: the network runs once, and each spoken word is decided once, when it has ended."""

import itertools
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
from .coder import Coder, look_frames
from .codes import bin_counts, hidden_part, hidden_spikes
from .speech import Span, frame_levels
from .vocabulary import Vocabulary

_MEMORY_MS = 2500.0
"""Length of the window in which words are found, in ms; the level of silence is that within the window."""
_LONGEST = 100
"""Largest number of frames that the network runs on at a time."""
_HOUR_MS = 3_600_000.0
_SAME_MS = 500.0
"""Difference of two onsets from which they are those of two words, in ms; the first look comes later."""
_NEVER = 2**40
"""A threshold that no score reaches."""
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
    early: bool
    """Whether it was decided before the word and its tail had ended."""


class Spoken(NamedTuple):
    """A spoken word of a stream, set off by pauses, or its beginning."""

    code: SDR
    """Its code, one."""
    onset_ms: float
    """Onset, in ms from the start of the stream."""
    heard_ms: float
    """Duration of the sound that was processed when it was coded, in ms."""
    number: int
    """Number of spoken words so far, with this one."""
    ended: bool
    """Whether the word has ended; if not, its beginning was coded as if it had."""


def spoken_words(coder: Coder, chunks: Iterable[Wave], *, step_ms: float = 50.0, early: bool = False) -> Iterator[Spoken]:
    """Yield each spoken word of a stream, taught or not, as soon as the tail of the code after the word has passed.

    Args:
        coder: network and backbone, with a causal encoder.
        chunks: the sound in chunks [N_i] of any length, at the rate of the encoder.
        step_ms: time between two looks for a word that has ended, in ms.
        early: also yield the beginnings of a word, at the times of `look_frames`; the word itself follows, with the same number.
    Raises:
        InputError: the encoder is not causal, the stream is empty, or a setting is out of range.
    """
    expect_in(step_ms, "(0, inf)", "step_ms")
    yield from _Ear(coder, early).words(chunks, step_ms)


def listen_for(
    vocabulary: Vocabulary,
    coder: Coder,
    chunks: Iterable[Wave],
    *,
    step_ms: float = 50.0,
    refractory_ms: float = 1000.0,
    per_hour: float | None = None,
    early: bool = True,
) -> Iterator[Event]:
    """Yield an event for each taught word of a stream, as soon as its beginning suffices, or else when the word and its tail have ended.

    Args:
        vocabulary: the words.
        coder, chunks, step_ms: as in `spoken_words`.
        refractory_ms: time after an event in which the same word causes no other one, in ms.
        per_hour: largest expected number of false alarms per hour of an event; None leaves it to the thresholds of the words.
        early: decide words whose beginning reaches `Vocabulary.early_threshold`. With False, or with `per_hour`, for which a background
            would have to be several times as large, all words end first.
    Raises:
        InputError: as in `spoken_words`, the vocabulary is empty, or the background is too small for `per_hour`.
    """
    expect_in(refractory_ms, "[0, inf)", "refractory_ms")
    if not len(vocabulary):
        raise InputError("Expected a vocabulary with words, got an empty one. Teach one first.")
    if per_hour is not None:
        _expect_possible(per_hour, vocabulary)
        early = False
    higher = {name: vocabulary.early_threshold(name) if early else None for name in vocabulary.words}
    at_end = {name: word.theta if (theta := higher[name]) is None else theta for name, word in vocabulary.words.items()}
    before = {name: _NEVER if theta is None else theta for name, theta in higher.items()}
    last, settled, onset_ms = dict[str, float](), 0, -np.inf
    for spoken in spoken_words(coder, chunks, step_ms=step_ms, early=any(theta is not None for theta in higher.values())):
        if spoken.number <= settled and spoken.onset_ms < onset_ms + _SAME_MS:  # it was decided before; the onset may move a little
            continue
        decision = vocabulary.decide(spoken.code, at_end if spoken.ended else before)[0]
        if decision.label is None or spoken.onset_ms - last.get(decision.label, -np.inf) < refractory_ms:
            continue
        expected = vocabulary.expected_rate(decision.label, decision.p_value, higher[decision.label] is not None)
        alarms = expected * spoken.number / max(spoken.heard_ms, _LEAST_MS) * _HOUR_MS
        if per_hour is not None and alarms > per_hour:
            continue
        last[decision.label], settled, onset_ms = spoken.onset_ms, spoken.number, spoken.onset_ms
        times = spoken.onset_ms / 1000, spoken.heard_ms / 1000
        yield Event(decision.label, *times, decision.score, decision.p_value, alarms, not spoken.ended)


def _expect_possible(per_hour: float, vocabulary: Vocabulary) -> None:
    """Check that some score could reach so few false alarms per hour, if at least one word is spoken per hour."""
    expect_in(per_hour, "(0, inf)", "per_hour")
    least = min(vocabulary.expected_rate(name, 1 / (1 + len(vocabulary.backbone.background))) for name in vocabulary.words)
    if per_hour < least:
        raise InputError(
            f"per_hour: expected at least {least:.2g}, the fewest that {len(vocabulary.backbone.background)} background clips support if "
            f"one word is spoken per hour, got {per_hour:g}. Accept more."
        )


class _Ear:
    """State of a stream: encoder, network, and the levels and spikes of the last seconds."""

    def __init__(self, coder: Coder, early: bool) -> None:
        if not isinstance(coder.encoder, CausalEncoder):
            name = type(coder.encoder).__name__
            raise InputError(f"encoder: expected a causal one, got {name}, which needs the whole sound. Choose another network.")
        self.coder, self.encoder, self.early = coder, coder.encoder, early
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
        self.looked_at = Span(0, 0)  # the beginning that was coded last

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
            if self.early:
                yield from self._begun()
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
            yield self._spoken(word.onset, here, self.count, ended=True)

    def _begun(self) -> Iterator[Spoken]:
        """Code the beginning of the word that has not ended, if it is time for a look at it."""
        start = max(self.heard - self.memory, 0)
        found = self.coder.detector.words_of(self.levels[start - self.first : self.heard - self.first], self.dt_ms)
        if not found:
            return
        onset, offset = start + found[-1].onset, start + found[-1].offset
        if onset == start > 0 or onset < self.decided or self.heard >= offset + self.tail:
            return
        lengths = list(itertools.takewhile(lambda length: onset + length <= self.heard, look_frames(self.dt_ms)))
        if not lengths or (onset < self.looked_at.offset and lengths[-1] <= self.looked_at.offset - self.looked_at.onset):
            return
        self.looked_at = Span(onset, onset + lengths[-1])
        yield self._spoken(onset, Span(onset - self.first, onset + lengths[-1] - self.first), self.count + 1, ended=False)

    def _spoken(self, onset: int, here: Span, number: int, ended: bool) -> Spoken:
        counts = bin_counts(self.spikes, here, self.coder.backbone.settings.bins)
        return Spoken(self.coder.backbone.codes(counts[None]), onset * self.dt_ms, self.heard_ms, number, ended)
