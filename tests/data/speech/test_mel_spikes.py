"""What is special to each code; shape, causality, streams and JSON are tested in test_encoder."""

import numpy as np
import pytest
import torch

from dendrix.data import Encoder, LogMel, MelLatency, MelLevels, MelLIF, MelRate
from dendrix.data.speech.mel_spikes import MelLoudness


def sound(samples: int = 8_000, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades."""
    return (np.random.default_rng(seed).standard_normal(samples) * np.sin(np.pi * np.arange(samples) / samples) ** 4 * 0.3).astype(
        np.float32
    )


def test_loudness_is_the_clipped_frame() -> None:
    frames, loudness = LogMel(n_mels=6)(sound(), 8_000), MelLoudness(n_mels=6, low=-0.5, high=1.0)(sound(), 8_000)
    torch.testing.assert_close(loudness, ((frames + 0.5) / 1.5).clamp(0, 1))
    assert loudness.min() == 0
    assert loudness.max() > 0.5


def test_rate_is_proportional_to_loudness() -> None:
    wave = np.concatenate([sound(seed=seed) for seed in range(4)])
    expected = MelLoudness()(wave, 8_000) * 0.5
    spikes = MelRate(rate_hz=50.0)(wave, 8_000)
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    assert not spikes[expected == 0].any()
    deviation = (spikes - expected).sum(0) / (expected * (1 - expected)).sum(0).sqrt()
    assert deviation.abs().max() < 4.5
    assert deviation.std() < 1.6
    both = [MelRate(rate_hz=50.0, seed=seed)(wave, 8_000) for seed in (0, 1)]
    assert torch.equal(both[0], spikes)
    assert not torch.equal(both[1], spikes)


def test_a_louder_band_spikes_sooner() -> None:
    encoder = MelLatency(n_mels=12, window_steps=5)
    loudness = MelLoudness(n_mels=12, dt_ms=2.0)(sound(), 8_000)[::5]
    spikes = encoder(sound(), 8_000).reshape(-1, 5, 12)
    assert torch.equal(spikes.sum(1), (loudness > 0).float())
    assert torch.equal(spikes.argmax(1)[loudness > 0], ((1 - loudness) * 4).round().long()[loudness > 0])
    assert len(spikes.argmax(1).unique()) > 3


def test_levels_can_be_added_up_to_the_frames() -> None:
    encoder = MelLevels(n_mels=9, delta=0.25)
    frames = LogMel(n_mels=9)(sound(), 8_000)
    spikes = encoder(sound(), 8_000)
    rebuilt = torch.from_numpy(encoder.init_state().level) + 0.25 * (spikes[:, :9] - spikes[:, 9:]).cumsum(0)
    assert (rebuilt - frames).abs().max() < 0.25 + 1e-4
    assert not (spikes[:, :9] * spikes[:, 9:]).any()
    assert torch.equal(spikes, spikes.round())
    assert not encoder(np.zeros(800, np.float32), 8_000).any()


def test_lif_equals_a_scalar_loop() -> None:
    encoder = MelLIF(n_mels=3, tau_ms=15.0, gain=1.7)
    drive = 1.7 * MelLoudness(n_mels=3)(sound(), 8_000).double()
    counts = encoder(sound(), 8_000)
    for channel in range(3):
        v, expected = 0.0, []
        for x in drive[:, channel].tolist():
            v = np.exp(-10 / 15) * v + x
            expected.append(float(v // 1))
            v -= expected[-1]
        assert counts[:, channel].tolist() == expected
    assert counts.max() >= 2


@pytest.mark.parametrize(
    ("kind", "setting", "complaint"),
    [
        (MelRate, {"rate_hz": 101.0}, r"rate_hz: expected a number in \(0, 100"),
        (MelLatency, {"window_steps": 1}, "window_steps"),
        (MelLevels, {"delta": 0.0}, "delta"),
        (MelLIF, {"tau_ms": 0.0}, "tau_ms"),
        (MelLIF, {"low": 2.0}, "low: expected less than high=2"),
    ],
)
def test_settings_out_of_range_are_refused(kind: type[Encoder], setting: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        kind(**setting)  # type: ignore[arg-type]
