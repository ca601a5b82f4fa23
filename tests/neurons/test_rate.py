"""The neurons of converted networks against published spike trains, and what they are made for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.layers import QCFS
from dendrix.neurons import IF, SignedIF
from support.networks import rate_if, signed_if
from support.paths import FIXTURES


@pytest.fixture(scope="module")
def pack() -> dict[str, Tensor]:
    with np.load(FIXTURES / "dynconf_conversion.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items() if array.dtype.kind == "f" and array.ndim}


@pytest.fixture(params=["reference", "required"])
def kernels(request: pytest.FixtureRequest) -> str:
    return request.param


def run(layer: torch.nn.Module, x: Tensor, mode: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One input [T, C]."""
    with use_kernels(mode), torch.no_grad():
        y, state = layer(x.unsqueeze(0))
    return y[0], tuple(part[0] for part in state)


def test_constant_input_equals_the_published_spikes_and_qcfs(pack: dict[str, Tensor], kernels: str) -> None:
    spikes, _ = run(rate_if(4129, 1.5), pack["in_x"].expand(16, -1), kernels)
    assert_close(spikes, pack["ref_if_const"], rtol=0, atol=0)
    assert_close(spikes.mean(0), pack["ref_qcfs_L_eq_T"], rtol=0, atol=0)


def test_noisy_input_equals_the_published_spikes(pack: dict[str, Tensor], kernels: str) -> None:
    spikes, (v,) = run(rate_if(2048, 1.5), pack["in_noisy"], kernels)
    assert_close(spikes, pack["ref_if_noisy"], rtol=0, atol=0)
    assert_close(v, pack["port_if_noisy_final_mem"], rtol=0, atol=0)


def test_the_neuron_of_dynamic_confidence_is_the_same(pack: dict[str, Tensor], kernels: str) -> None:
    theta = 0.4 * 3
    spikes, (v,) = run(rate_if(2048, theta), pack["in_noisy"], kernels)
    assert_close(spikes, pack["ref_dcneuron_spikes"], rtol=0, atol=0)
    # There the reset of a spike comes with the next input.
    assert_close(v + spikes[-1], pack["ref_dcneuron_mem_before_last_reset"], rtol=0, atol=1e-6)


def test_suppressed_noise_equals_qffs(pack: dict[str, Tensor], kernels: str) -> None:
    spikes, (_, sent) = run(signed_if(2048, 0.4 * 3, limit=3), pack["in_noisy"], kernels)
    assert_close(spikes, pack["port_qffs_spikes"], rtol=0, atol=0)
    assert_close(spikes.sum(0), pack["port_qffs_sum"], rtol=0, atol=1e-6)
    assert sent.min() == 0
    assert sent.max() == 3


@settings(deadline=None)
@given(st.integers(1, 16), st.floats(0.1, 10), st.lists(st.integers(-64, 256), min_size=1, max_size=20))
def test_constant_input_is_qcfs_with_as_many_levels_as_steps(steps: int, threshold: float, grid: list[int]) -> None:
    """Inputs off the edges of levels, where rounding would decide."""
    x = (torch.tensor(grid) + 0.37) / 64 * threshold
    expected = QCFS(steps, threshold)(x).detach()
    for layer in (rate_if(len(grid), threshold), signed_if(len(grid), threshold)):
        spikes, _ = layer(x.expand(1, steps, -1))
        assert_close(spikes.mean(1)[0], expected)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_signed_spikes_tell_the_clipped_sum_once_input_ends(seed: int) -> None:
    """However uneven the input was: this is what `IF` cannot, where it has spiked too early."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 8, 50, generator=generator)
    silent = torch.zeros(1, 32, 50)
    spikes, _ = signed_if(50)(torch.cat([x, silent], 1))
    total = x.double().sum(1)
    clear = ((total + 0.5) % 1 - 0.5).abs() < 0.499
    assert_close(spikes.sum(1)[clear].double(), (total + 0.5).floor().clamp_min(0)[clear], rtol=0, atol=0)


def test_negative_spikes_close_the_gap_that_early_ones_leave() -> None:
    x = torch.tensor([2.0, -2.0, 0.0, 0.0]).view(1, 4, 1)
    early, _ = rate_if(1)(x)
    assert early.sum() == 1
    taken_back, _ = signed_if(1)(x)
    assert taken_back.flatten().tolist() == [1, -1, 0, 0]


def test_each_channel_has_its_threshold() -> None:
    x = torch.rand(2, 6, 3, 4, 5)
    y, state = rate_if(3, torch.tensor([0.5, 1.0, 2.0]))(x)
    for c, threshold in enumerate((0.5, 1.0, 2.0)):
        alone, alone_state = rate_if(1, threshold)(x[:, :, c : c + 1])
        assert_close(y[:, :, c : c + 1], alone, rtol=0, atol=0)
        assert_close(state.v[:, c : c + 1], alone_state.v, rtol=0, atol=0)


def test_the_threshold_is_in_the_state_dict() -> None:
    other = rate_if(3, 7.0)
    other.load_state_dict(rate_if(3, 0.25).state_dict())
    assert other.v_threshold == 0.25


@pytest.mark.parametrize("cls", [IF, SignedIF])
def test_bad_thresholds_are_refused(cls: type[IF | SignedIF]) -> None:
    for threshold in (0.0, -1.0, float("nan"), float("inf"), torch.tensor([1.0, 0.0, 1.0])):
        with pytest.raises(ValueError, match=r"v_threshold: expected a number in \(0, inf\)"):
            cls(3, v_threshold=threshold)
    with pytest.raises(ValueError, match="one for each of 3 channels"):
        cls(3, v_threshold=torch.ones(2))
    with pytest.raises(ValueError, match="limit: expected a whole number in \\[1, inf\\), got 0"):
        signed_if(3, limit=0)
