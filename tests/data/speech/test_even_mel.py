"""Loudness: what is evened out, what is not, and how fast."""

import numpy as np
import pytest

from dendrix.data import EvenMel


def tone(seconds: float = 0.3) -> np.ndarray:
    return np.sin(2 * np.pi * 1_000 * np.arange(int(seconds * 8_000)) / 8_000).astype(np.float32)


def test_soft_and_loud_sounds_look_alike_and_silence_is_zero() -> None:
    encoder = EvenMel(peak_floor=1e-6)
    soft, loud = (encoder(scale * tone(), 8_000) for scale in (0.01, 1.0))
    assert abs(soft - loud).max() < 1e-3
    assert loud.max() > 2
    assert not encoder(np.zeros(800, np.float32), 8_000).any()


def test_a_sound_at_the_floor_stays_half_as_loud() -> None:
    encoder = EvenMel(mean=0.0, std=1.0, floor=1e-12, peak_floor=0.01)
    at_floor, far_above = (encoder(scale * tone(), 8_000)[10].max().item() for scale in (0.01, 1.0))
    assert far_above - at_floor == pytest.approx(2 * np.log10(2 / 1.01), abs=0.01)


def test_the_gain_recovers_at_its_rate() -> None:
    encoder = EvenMel(mean=0.0, std=1.0, floor=1e-12, peak_floor=1e-6, release_ms=100.0)
    frames = encoder(np.concatenate([tone(0.1), 1e-3 * tone(0.4)]), 8_000).max(1).values
    decades = (frames[25] - frames[20]).item()  # 50 ms: half a release, in energy
    assert decades == pytest.approx(2 * 0.5 * np.log10(np.e), abs=0.01)


def test_centred_frames_have_the_shape_of_the_spectrum_alone() -> None:
    plain, centred = (EvenMel(centred=centred)(tone(), 8_000) for centred in (False, True))
    assert abs(centred.mean(1)).max() < 1e-6
    np.testing.assert_allclose(centred - centred[:, :1], plain - plain[:, :1], atol=1e-5)
    assert not EvenMel(centred=True)(np.zeros(800, np.float32), 8_000).any()
