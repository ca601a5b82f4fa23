import numpy as np
import pytest
import torch

from dendrix.data import PublishedMel

NOISE = (0.1 * np.random.default_rng(0).standard_normal(8_000)).astype(np.float32)


def test_a_second_has_101_frames_of_which_53_channels_are_empty() -> None:
    x = PublishedMel()(NOISE, 8_000)
    assert x.shape == (101, 140)
    assert ((x == -100).all(0)).sum() == 53
    assert ((x > -60).all(0)).sum() == 87


def test_it_equals_torch_stft_and_triangles_written_out() -> None:
    wave = torch.from_numpy(NOISE).double()
    window = torch.hann_window(256, dtype=torch.float64)
    power = torch.stft(wave, 256, 80, window=window, center=True, pad_mode="reflect", return_complex=True).abs().square().T
    points = 700 * (10 ** (torch.linspace(*(2595 * np.log10(1 + f / 700) for f in (50, 14_000)), 142, dtype=torch.float64) / 2595) - 1)
    hertz = torch.linspace(0, 4_000, 129, dtype=torch.float64)
    expected = torch.full((101, 140), 1e-10, dtype=torch.float64)
    for band in range(140):
        left, centre, right = points[band : band + 3]
        triangle = torch.minimum((hertz - left) / (centre - left), (right - hertz) / (right - centre)).clamp(min=0)
        expected[:, band] = (power @ triangle).clamp(min=1e-10)
    torch.testing.assert_close(PublishedMel()(NOISE, 8_000), 10 * expected.log10().float(), rtol=1e-5, atol=1e-4)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="f_max"):
        PublishedMel(f_max=10.0)
    with pytest.raises(ValueError, match="window"):
        PublishedMel(window=1)
