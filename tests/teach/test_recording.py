import sys

import numpy as np
import pytest
import torch

from dendrix.data import LogMel, microphone
from dendrix.errors import InputError, MissingExtraError
from dendrix.models import DelayNetConfig
from dendrix.teach import Coder, CodeSettings, fit_backbone, record_word, speech_features

RATE = 8_000
ENCODER = LogMel(n_mels=12, mean=-8.0, std=2.0)


def tone(seconds: float, hertz: float = 600.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


@pytest.fixture(scope="module")
def coder() -> Coder:
    torch.manual_seed(0)
    network = DelayNetConfig(inputs=12, outputs=4, hidden=(16,), max_delay_ms=100.0, dropout=0.0).build().eval()
    sounds = [np.concatenate([silence(0.2), tone(0.4, 300.0 * (word + 1) + seed), silence(0.3)]) for word in range(5) for seed in range(6)]
    code = CodeSettings(rank=8)
    features = speech_features(network, [ENCODER(sound, RATE) for sound in sounds], 10.0, code)
    return Coder(network, ENCODER, fit_backbone(features, np.repeat(np.arange(5), 6), np.tile(np.arange(6), 5), tuple("abcde"), code))


class Stream:
    """Chunks of a sound; counts how many were taken."""

    def __init__(self, sound: np.ndarray) -> None:
        self.chunks, self.taken = np.array_split(sound, max(len(sound) // 800, 1)), 0

    def __iter__(self):
        for chunk in self.chunks:
            self.taken += 1
            yield chunk


def test_the_first_word_is_recorded_with_silence_around_it(coder):
    stream = Stream(np.concatenate([silence(2.0), tone(0.5), silence(1.0), tone(0.5), silence(1.0)]))
    found = record_word(coder, stream)
    assert len(found) / RATE == pytest.approx(0.3 + 0.5 + 0.4, abs=0.2)
    assert np.abs(found[int(0.4 * RATE) : int(0.7 * RATE)]).max() > 0.25
    assert stream.taken < 35  # the second word was not waited for
    assert len(coder.detector.words(ENCODER(found, RATE), 10.0)) == 1


def test_sound_without_a_word_is_refused_in_time(coder):
    stream = Stream(silence(30.0))
    with pytest.raises(InputError, match="within 2 s"):
        record_word(coder, stream, longest_ms=2000.0)
    assert stream.taken <= 21
    with pytest.raises(InputError, match="heard none"):
        record_word(coder, [])
    with pytest.raises(InputError, match="longest_ms"):
        record_word(coder, [], longest_ms=0)


class Recorder:
    """A module with one microphone, of 8 kHz."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.open = 0

    def InputStream(self, *, samplerate, channels, dtype, device):  # noqa: N802
        if samplerate != RATE:
            raise self.PortAudioError("Invalid sample rate [PaErrorCode -9997]")
        if device == "none":
            raise ValueError("No input device matching 'none'")
        assert (channels, dtype) == (1, "float32")
        return self

    def __enter__(self):
        self.open += 1
        return self

    def __exit__(self, *_):
        self.open -= 1

    def read(self, frames):
        return np.full((frames, 1), 0.5, np.float32), False


def test_a_microphone_gives_chunks_until_it_is_closed():
    recorder = Recorder()
    chunks = microphone(RATE, chunk_ms=50.0, recorder=recorder)
    first = next(chunks)
    assert first.shape == (400,)
    assert first.dtype == np.float32
    assert recorder.open == 1
    chunks.close()
    assert recorder.open == 0


def test_microphones_that_cannot_record_are_refused(monkeypatch):
    with pytest.raises(InputError, match="records at 44100 Hz, got none"):
        next(microphone(44_100, recorder=Recorder()))
    with pytest.raises(InputError, match="No input device matching"):
        next(microphone(RATE, device="none", recorder=Recorder()))
    with pytest.raises(InputError, match="chunk_ms"):
        next(microphone(RATE, chunk_ms=0, recorder=Recorder()))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtraError, match=r"dendrix\[microphone\]"):
        next(microphone(RATE))
