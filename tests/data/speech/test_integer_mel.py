"""Log-mel frames in whole numbers: near those of floating point, and refused where there is no integer form."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dendrix.data import EvenMel, IntegerMel, LogMel, MelLIF, integer_encoder
from dendrix.data.speech.integer_base import samples
from dendrix.data.speech.integer_mel import _log2
from dendrix.errors import InputError


def voice(seed: int, size: float) -> np.ndarray:
    """A chord that swells and fades over noise, 1 s."""
    rng, time = np.random.default_rng(seed), np.arange(8000) / 8000
    tones = sum(np.sin(2 * np.pi * rng.uniform(100, 3500) * time) for _ in range(4))
    return (size * (np.sin(np.pi * time) * tones / 4 + 0.01 * rng.standard_normal(8000))).astype(np.float32)


@pytest.mark.parametrize(
    "encoder",
    [
        EvenMel(centred=True, dt_ms=20.0, window_ms=32.0),
        EvenMel(),
        LogMel(mean=-8.0, std=2.0),
        LogMel(n_mels=24, window_ms=32.0, dt_ms=16.0),
    ],
    ids=["centred", "gain", "plain", "power of two"],
)
@pytest.mark.parametrize("size", [0.9, 0.05, 0.003])
def test_differs_from_floating_point_by_a_unit_at_most(encoder: LogMel, size: float) -> None:
    whole = integer_encoder(encoder, shift=6)
    # The noise of 16 bits is in both.
    wave = samples(voice(0, size)).astype(np.float32) / 32768
    expected = torch.floor(encoder.encode(wave).double() * 64 + 0.5)
    found = whole.encode(wave).double() * 64
    assert (found - expected).abs().max() <= 1
    assert (found != expected).float().mean() < 0.1


def test_logarithm_is_exact_at_powers_of_two_and_close_elsewhere() -> None:
    table = IntegerMel().tables().logarithm
    x = np.concatenate([2 ** np.arange(62), np.random.default_rng(0).integers(1, 2**62, 1000), np.arange(1, 300)])
    error = _log2(x, table) / 65536 - np.array([math.log2(int(value)) for value in x])
    assert np.abs(error[:62]).max() == 0
    assert np.abs(error).max() < 1e-4


def test_no_sound_overflows() -> None:
    mel = IntegerMel(floor=1e-9, peak_floor=1.6e-5)
    for wave in (np.full(800, -32768), np.where(np.arange(800) % 2, 32767, -32768), np.random.default_rng(0).integers(-32768, 32768, 800)):
        frames, _ = mel.run(wave.astype(np.int64), mel.init_state())
        assert np.abs(frames).max() < 1000


def test_samples_are_rounded_and_limited() -> None:
    assert samples(np.array([1.0, -1.0, 0.5 / 32768, -2.0], np.float32)).tolist() == [32767, -32768, 1, -32768]


def test_other_encoders_are_named() -> None:
    with pytest.raises(InputError, match="MelLIF, which has no integer form"):
        integer_encoder(MelLIF(), shift=6)
    for wrong in ({"peak_floor": 1e-6}, {"floor": 0.0}, {"shift": 9}, {"window_ms": 900.0}):
        with pytest.raises(InputError):
            replace(IntegerMel(), **wrong)
