import numpy as np
import pytest

from dendrix.data import LogMel
from dendrix.data.speech.mel import mel_filters


def tone(hertz: float, seconds: float = 0.2) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * 8_000)) / 8_000).astype(np.float32)


def test_a_tone_is_loudest_in_the_filter_around_it():
    encoder = LogMel()
    mel = 2595 * np.log10(1 + np.array([50.0, 4_000.0]) / 700)
    centres = 700 * (10 ** (np.linspace(*mel, 42)[1:-1] / 2595) - 1)
    for hertz in (200.0, 1_000.0, 3_000.0):
        frame = encoder(tone(hertz), 8_000)[-1]
        assert abs(np.log(centres[frame.argmax()] / hertz)) < 0.1


def test_ten_times_louder_adds_two_decades():
    encoder = LogMel(mean=0.0, std=1.0, floor=1e-12)
    soft, loud = (encoder(scale * tone(1_000.0), 8_000)[-1].max() for scale in (0.01, 0.1))
    assert abs((loud - soft).item() - 2) < 1e-3


def test_filters_cover_every_tone_between_the_outer_peaks():
    filters = mel_filters(40, 1_024, 8_000, 50.0, 4_000.0)
    assert filters.shape == (513, 40)
    assert (filters.max(0) > 0.5).all()
    np.testing.assert_allclose(filters[12:474].sum(1), 1, atol=1e-12)


def test_silence_is_the_floor():
    assert np.allclose(LogMel()(np.zeros(800, np.float32), 8_000), (np.log10(1e-8) + 5) / 1.5)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="f_max"):
        LogMel(f_max=5_000.0)
    with pytest.raises(ValueError, match="window_ms"):
        LogMel(window_ms=5.0)
