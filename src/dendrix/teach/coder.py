"""Features of recorded sound: encoder, hidden spikes of a network, counts in bins relative to the speech."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..data import Encoder, collate
from ..data.speech.audio import Wave
from ..errors import InputError
from ..exits.network import fingerprint
from .backbone import Backbone, CodeSettings
from .codes import Features, bin_counts, hidden_spikes
from .speech import Span, SpeechDetector

_BATCH = 64
_QUIET = 1e-3
"""Peak below which a recording counts as silent, -60 dB of full scale."""
_CLIPPED = 0.01
"""Share of samples at full scale from which a recording counts as clipped."""
_FULL = 0.999
_FIRST_LOOK_MS, _LOOK_MS = 600.0, 200.0
"""Times after the onset of a word at which it is looked at before it has ended: the first, and between two, in ms."""
_TEMPI = (1.12, 0.88)
_TRIMMED_MS = 700.0
"""Length up to which a clip in which no speech stands out is taken as one that was cut to the word, in ms."""


def speech_features(
    network: nn.Module,
    frames: Sequence[Tensor],
    dt_ms: float,
    settings: CodeSettings,
    detector: SpeechDetector | None = None,
) -> Features:
    """Return the counts of hidden spikes of clips, in bins relative to their speech, [N, D].

    Args:
        network: network in evaluation mode.
        frames: inputs of each clip, [T_i, C]. A clip without speech is counted as a whole.
        dt_ms: length of a frame, in ms.
        settings: how spikes become a code.
        detector: finds the speech.
    """
    return np.array([bin_counts(spikes, span, settings.bins) for spikes, span in _heard(network, frames, dt_ms, settings, detector)])


def features_and_looks(
    network: nn.Module,
    frames: Sequence[Tensor],
    dt_ms: float,
    settings: CodeSettings,
    detector: SpeechDetector | None = None,
) -> tuple[Features, list[Features]]:
    """Return the features of clips, [N, D], and for each clip those of its beginnings, [L_i, D].

    A beginning ends at `look_frames` after the onset: it is coded as if the word and its tail had ended there.

    Args:
        network, frames, dt_ms, settings, detector: as in `speech_features`.
    """
    whole, looks = [], []
    for spikes, span in _heard(network, frames, dt_ms, settings, detector):
        whole.append(bin_counts(spikes, span, settings.bins))
        lengths = itertools.takewhile((span.offset - span.onset).__gt__, look_frames(dt_ms))
        rows = [bin_counts(spikes, Span(span.onset, span.onset + length), settings.bins) for length in lengths]
        looks.append(np.array(rows).reshape(-1, len(whole[-1])))
    return np.array(whole), looks


def look_frames(dt_ms: float) -> Iterator[int]:
    """Yield the numbers of frames after its onset at which a word that has not ended is looked at, without end."""
    return (round((_FIRST_LOOK_MS + i * _LOOK_MS) / dt_ms) for i in itertools.count())


def augmented(x: Tensor) -> list[Tensor]:
    """Return a clip and four copies of it: shifted by one channel either way, and spoken 12 % slower and faster.

    Args:
        x: frames of an encoder whose channels are bands of rising frequency, [T, C].
    """
    channel = torch.arange(x.shape[1])
    shifted = [x[:, (channel + by).clamp(0, x.shape[1] - 1)] for by in (-1, 1)]
    sizes = [max(round(len(x) * factor), 1) for factor in _TEMPI]
    return [x, *shifted, *(interpolate(x.T[None], size=size, mode="linear")[0].T.contiguous() for size in sizes)]


def _heard(
    network: nn.Module, frames: Sequence[Tensor], dt_ms: float, settings: CodeSettings, detector: SpeechDetector | None
) -> Iterator[tuple[Tensor, Span]]:
    """Yield for each clip its hidden spikes [T, H], and the frames of its speech and tail."""
    detector, tail = detector or SpeechDetector(), round(settings.tail_ms / dt_ms)
    for first in range(0, len(frames), _BATCH):
        part = frames[first : first + _BATCH]
        batch = collate([(x, torch.tensor(0)) for x in part], tail)
        spikes, _ = hidden_spikes(network, batch.x, None, batch.valid, settings.layers)
        for x, row in zip(part, spikes, strict=True):
            onset, offset = detector.span(x, dt_ms) or Span(0, len(x))
            yield row, Span(onset, offset + tail)


@dataclass(frozen=True)
class Coder:
    """Turn recordings into the features that a backbone codes.

    Args:
        network: network of the backbone, in evaluation mode.
        encoder: its encoder.
        backbone: whitening and settings.
        detector: finds the speech.
    Raises:
        InputError: the backbone was computed with another network.
    """

    network: nn.Module
    encoder: Encoder
    backbone: Backbone
    detector: SpeechDetector = field(default_factory=SpeechDetector)

    def __post_init__(self) -> None:
        if self.backbone.network not in ("", fingerprint(self.network)):
            raise InputError("backbone: expected one of this network, got one of another. Compute it again: dendrix teach backbone RUN.")

    def word(self, wave: Wave, rate: int, name: str = "clip", augment: bool = False) -> Features:
        """Return the features of a clip of one word, [1, D].

        Args:
            wave: mono samples [N].
            rate: sampling rate, in Hz.
            name: name of the clip, for error messages.
            augment: return the mean over the clip and its `augmented` copies, whose code other speakers share more of.
        Raises:
            InputError: the clip is silent, is clipped, or does not consist of exactly one word.
        """
        x = self._frames(wave, rate, name)
        words = self.detector.words(x, self.encoder.dt_ms)
        if not words and len(x) * self.encoder.dt_ms > _TRIMMED_MS:
            raise InputError(
                f"{name}: expected a spoken word, found no speech that stands out from the background. Record it again, louder."
            )
        if len(words) > 1:
            times = ", ".join(
                f"{w.onset * self.encoder.dt_ms / 1000:.2f} to {w.offset * self.encoder.dt_ms / 1000:.2f} s" for w in words[:4]
            )
            raise InputError(f"{name}: expected one word, found {len(words)}, at {times}. Cut the recording to the word.")
        return self.features(augmented(x)).mean(0, keepdims=True) if augment else self.features([x])

    def clip(self, wave: Wave, rate: int, name: str = "clip") -> Features:
        """Return the features of a clip from its first to its last speech, [1, D]; only silence is refused."""
        return self.features([self._frames(wave, rate, name, clipped=True)])

    def sounds(self, wave: Wave, rate: int, name: str = "recording", longest_ms: float = 1500.0) -> Features:
        """Return the features of all words of a long recording, [N, D]; longer speech is cut into pieces of `longest_ms`.

        Args:
            wave, rate, name: as in `word`.
            longest_ms: longest piece, in ms.
        """
        x, size = self._frames(wave, rate, name, clipped=True), round(longest_ms / self.encoder.dt_ms)
        pieces = []
        for onset in range(0, len(x), size):
            window = x[onset : onset + size]
            pieces += [window[word.onset : word.offset] for word in self.detector.words(window, self.encoder.dt_ms)]
        if not pieces:
            raise InputError(f"{name}: expected sounds, found none that stand out from silence. Record speech, music or noise of the room.")
        return self.features(pieces)

    def features(self, frames: Sequence[Tensor]) -> Features:
        """Return the features of clips, [N, D], from their frames [T_i, C]."""
        return speech_features(self.network, frames, self.encoder.dt_ms, self.backbone.settings, self.detector)

    def _frames(self, wave: Wave, rate: int, name: str, clipped: bool = False) -> Tensor:
        x = self.encoder(wave, rate)
        peaks = np.abs(np.asarray(wave, np.float32))
        if peaks.max(initial=0) < _QUIET:
            raise InputError(f"{name}: expected a spoken word, got silence. Check the microphone, and record it again.")
        if not clipped and (share := float((peaks >= _FULL).mean())) > _CLIPPED:
            raise InputError(
                f"{name}: expected a clean recording, got one that is clipped ({share:.0%} of its samples). Record it at a lower level."
            )
        return x
