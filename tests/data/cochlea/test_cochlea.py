import dataclasses

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfilt

from dendrix.compiled import compiled
from dendrix.data import Cochlea, PublishedCochlea
from dendrix.data.cochlea.basilar import membrane_motion, response
from dendrix.data.cochlea.filterbank import even_out, filter_bank, filter_wave
from dendrix.data.cochlea.haircell import euler_hair_cells, exact_hair_cells, hair_cells_at_rest
from dendrix.data.cochlea.model import _fast_length, _window
from dendrix.data.cochlea.nerve import bushy_cells, nerve_fibres, noise_keys
from dendrix.data.speech.audio import resample
from support import published_cochlea as published

SMALL = Cochlea(cells=70, group=5)


def voice(seconds: float = 0.3, rate: int = 48_000, seed: int = 0) -> np.ndarray:
    """A buzz with two moving formants, nothing above 3.5 kHz."""
    t = np.arange(int(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 30 * t / seconds) / rate
    buzz = sum(np.cos(k * pitch) for k in range(1, 25))
    low, high = (sosfilt(butter(2, band, "bandpass", fs=rate, output="sos"), buzz) for band in ([400, 800], [1500, 2500]))
    noise = 0.01 * np.random.default_rng(seed).standard_normal(len(t))
    whole = sosfilt(butter(8, 3000, fs=rate, output="sos"), low * (1 - t / seconds) + high * t / seconds + noise)
    return (0.2 * whole / np.abs(whole).max()).astype(np.float32)


@pytest.mark.slow
def test_membrane_equals_the_published_formulas():
    wave = voice(0.1)
    places = [0, 123, 350, 699]
    expected = published.membrane(wave, 48_000, np.linspace(0, 3.5, 700)[places])
    spectrum = np.fft.fft(_window(wave, 0.3))[: len(wave) // 2 + 1]
    motion = membrane_motion(spectrum, 48_000, 0, 700)[:, places]
    assert (np.abs(motion - expected).max(0) / np.abs(expected).max(0)).max() < 1e-9


@pytest.mark.parametrize(("n", "fast"), [(1, 1), (7, 8), (2396, 2400), (2401, 2430), (12_667, 12_800)])
def test_fast_lengths(n, fast):
    assert _fast_length(n) == fast


def test_hair_cell_equals_the_published_step():
    motion = 40 * np.random.default_rng(0).standard_normal((2000, 2))
    expected = np.stack([published.hair_cell(channel, 24_000) for channel in motion.T], 1)
    compiled(euler_hair_cells)(motion, 24_000.0, *hair_cells_at_rest(2, np.float64))
    np.testing.assert_allclose(motion, expected, rtol=1e-9)


def test_exact_hair_cell_converges_in_second_order_to_small_euler_steps():
    held = 40 * np.random.default_rng(0).standard_normal(400)

    def integral(loop, pieces, dtype):
        steps = np.repeat(held, pieces).astype(dtype)[:, None]
        compiled(loop)(steps, 8_000.0 * pieces, *hair_cells_at_rest(1, dtype))
        expected_spikes = steps if loop is euler_hair_cells else -np.log1p(-steps)
        return expected_spikes.reshape(400, pieces).sum(1)

    # Richardson's extrapolation takes the first order out of Euler's error.
    limit = 2 * integral(euler_hair_cells, 3200, np.float64) - integral(euler_hair_cells, 1600, np.float64)
    errors = [np.abs(integral(exact_hair_cells, pieces, np.float32) / limit - 1).max() for pieces in (1, 2, 4)]
    assert errors[0] < 0.01
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3


@pytest.mark.parametrize("rate", [4_000.0, 8_000.0, 24_000.0])
def test_exact_hair_cell_keeps_its_rest_at_any_rate(rate):
    silence = np.zeros((5000, 1), np.float32)
    state = hair_cells_at_rest(1, np.float32)
    compiled(exact_hair_cells)(silence, rate, *state)
    np.testing.assert_allclose(-np.log1p(-silence) * rate, 50_000 * hair_cells_at_rest(1, np.float64).c[0], rtol=2e-3)


@pytest.mark.parametrize("p", [0.002, 0.05, 0.5])
def test_fibres_fire_as_independent_bernoulli_fibres_with_refractoriness(p):
    steps = 20_000
    keys = compiled(noise_keys)(np.zeros(steps, np.float32), np.array([1], np.uint64))
    ours = compiled(nerve_fibres)(np.full((steps, 1), p), keys, np.array([7], np.uint32), np.zeros((7, 1), np.uint8))[7:, 0]
    theirs = published.fibres(np.full(steps, p), 8_000, np.random.default_rng(0))
    # Both are random: means within five standard errors, and the same correlation with the sample one rest later.
    assert abs(ours.mean() - theirs.mean()) < 5 * theirs.std() * np.sqrt(2 / steps)
    assert abs(ours.var() - theirs.var()) < 0.08 * theirs.var()
    for lag in (1, 8):
        ours_lag, theirs_lag = (np.corrcoef(x[lag:], x[:-lag])[0, 1] for x in (ours, theirs))
        assert abs(ours_lag - theirs_lag) < 0.05


def test_bushy_cell_equals_the_published_step():
    counts = np.random.default_rng(0).poisson(1.0, (3000, 1)).astype(np.uint8)
    rate = 24_000
    state = np.zeros(1, np.float32), np.zeros(1, np.float32), np.zeros(1, np.int32)
    spikes = compiled(bushy_cells)(counts, np.exp(-1 / (0.5e-3 * rate)), np.exp(-1 / (1e-3 * rate)), 325 / rate, 24, *state)
    expected = published.bushy(counts[:, 0], rate)
    assert expected.sum() > 20
    assert np.array_equal(spikes[:, 0], expected)


def test_noise_is_uniform_and_follows_the_sound():
    wave = voice(0.2, 16_000)
    keys = compiled(noise_keys)(wave, np.array([0], np.uint64))
    assert abs(keys.mean() / 2**32 - 0.5) < 5 / np.sqrt(12 * len(keys))
    changed = wave.copy()
    changed[100] += 1e-6
    other = compiled(noise_keys)(changed, np.array([0], np.uint64))
    assert np.array_equal(keys[:100], other[:100])
    assert (keys[100:] != other[100:]).all()


@pytest.mark.parametrize("quality", [1.33, 3.0])
def test_filters_peak_where_they_say_and_as_high_as_the_membrane(quality):
    rate, tones = 16_000, np.geomspace(100, 7_000, 2_000)
    bank = filter_bank(20, 110.0, 6_000.0, quality, rate)
    impulse = np.zeros(rate, np.float32)
    impulse[0] = 1
    zeros = np.zeros((4, 20), np.float32)
    motion = compiled(filter_wave)(impulse, *bank, np.zeros(2, np.float32), zeros, zeros.copy())
    size = np.abs(np.fft.rfft(motion, axis=0))
    peaks = np.geomspace(6_000, 110, 20)
    found = size.argmax(0)  # one bin is 1 Hz
    np.testing.assert_allclose(found, peaks, rtol=0.07)
    membrane = np.abs(response(2 * np.pi * tones[:, None], np.linspace(0.3, 3.5, 100)[None]))
    loudest = np.interp(found, tones[membrane.argmax(0)][::-1], membrane.max(0)[::-1])
    np.testing.assert_allclose(size.max(0), loudest, rtol=0.05)


def test_automatic_gain_lifts_a_soft_voice_to_a_loud_one():
    wave = voice(0.2, 16_000)
    loud, soft = (compiled(even_out)(x, 0.9999, 1e-6, np.zeros(1, np.float32)) for x in (wave, wave / 10))
    np.testing.assert_allclose(soft[10:], loud[10:], atol=1e-3)
    assert np.abs(loud).max() <= 1


def test_spikes_do_not_depend_on_the_rate_of_the_file():
    wave = voice(0.4)
    counts = {rate: Cochlea(group=700)(resample(wave, 48_000, rate), rate).sum().item() for rate in (8_000, 16_000, 48_000)}
    assert counts[16_000] > 500
    assert max(counts.values()) < 1.05 * min(counts.values()), counts


@pytest.mark.slow
def test_published_spikes_do_not_depend_on_the_rate_of_the_file():
    wave = voice(0.4)
    counts = {rate: PublishedCochlea(group=700)(resample(wave, 48_000, rate), rate).sum().item() for rate in (8_000, 16_000, 48_000)}
    assert counts[48_000] > 500
    assert max(counts.values()) < 1.05 * min(counts.values()), counts


def test_spikes_do_not_depend_on_the_rate_inside():
    wave = voice(0.4)
    counts = [
        dataclasses.replace(Cochlea(f_max=3_000.0, group=700), rate=rate)(wave, 48_000).sum().item() for rate in (8_000, 16_000, 48_000)
    ]
    assert max(counts) < 1.1 * min(counts), counts


def test_a_tone_is_loudest_at_its_place():
    t = np.arange(4_800) / 16_000
    places = np.geomspace(6_000, 110, 70)
    for hertz in (250.0, 1_000.0, 3_000.0):
        x = Cochlea(cells=70, group=1)((0.1 * np.sin(2 * np.pi * hertz * t)).astype(np.float32), 16_000)
        best = places[x.sum(0).numpy().argsort()[-5:]].mean()
        assert abs(np.log(best / hertz)) < 0.25, (hertz, best)


def test_published_clip_may_start_at_its_first_spike():
    wave = np.concatenate([np.zeros(9_600, np.float32), voice(0.2)])
    whole, trimmed = PublishedCochlea()(wave, 48_000), PublishedCochlea(trim=True)(wave, 48_000)
    assert len(whole) == 41
    assert trimmed[0].sum() > 0
    assert len(trimmed) <= len(whole)
    assert trimmed.sum() == whole.sum()


def test_silence_stays_finite_and_nearly_silent():
    for encoder in (SMALL, PublishedCochlea()):
        x = encoder(np.zeros(3_200, np.float32), 16_000)
        assert torch.isfinite(x).all()
        assert x.mean() < 0.1


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="divisor of the 700 cells"):
        Cochlea(group=3)
    with pytest.raises(ValueError, match="f_max"):
        Cochlea(f_max=9_000.0)
    with pytest.raises(ValueError, match="quality"):
        Cochlea(quality=0.4)
    with pytest.raises(ValueError, match="whole number of samples"):
        Cochlea(dt_ms=0.33)
