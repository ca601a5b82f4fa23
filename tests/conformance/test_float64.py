"""float64 all the way: a layer converted to float64 computes with its arguments to full precision, not with what float32 made of them."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dendrix.layers import QCFS, DelayLinear
from dendrix.layers.delay.training import rounded
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, SignedIF

EXACT: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], Tensor | float], float]] = {
    "LIF tau": (lambda: LIF(3, tau_ms=7.3, dt_ms=0.1), lambda m: m.decay(), math.exp(-0.1 / 7.3)),
    "LIF decay": (lambda: LIF(3, decay=0.3), lambda m: m.decay(), 0.3),
    "LI fixed": (lambda: LI(3, tau_ms=7.3, train_tau=False), lambda m: m.decay(), math.exp(-1 / 7.3)),
    "CubaLIF": (lambda: CubaLIF(3, tau_syn_ms=3.3), lambda m: m.decay_syn(), math.exp(-1 / 3.3)),
    "AdLIF a": (lambda: AdLIF(3, a=0.1), lambda m: m.a, 0.1),
    "PLIF": (lambda: PLIF(3, tau_ms=3.7), lambda m: m.params()["decay"], 1 - 1 / 3.7),
    "IF threshold": (lambda: IF(3, v_threshold=[0.1, 0.1, 0.1]), lambda m: m.params()["v_threshold"], 0.1),
    "SignedIF start": (lambda: SignedIF(3, v_init=[0.1, 0.1, 0.1]), lambda m: m.v_init, 0.1),
    "QCFS": (lambda: QCFS(4, threshold=0.7), lambda m: m.threshold, 0.7),
}


@pytest.mark.parametrize("name", EXACT)
def test_arguments_keep_their_digits(name: str) -> None:
    build, read, expected = EXACT[name]
    for converted in (build().double(), build().to(torch.float64), nn.Sequential(build()).double()[0]):
        found = torch.as_tensor(read(converted)).flatten()
        assert found.dtype == torch.float64
        assert (found - expected).abs().max() < 1e-12 * max(1.0, abs(expected))


def test_lif_in_float64_equals_a_scalar_loop() -> None:
    x = torch.rand(1, 200, 1, dtype=torch.float64)
    membranes, _ = LI(1, tau_ms=7.3).double()(x)
    v, decay = 0.0, math.exp(-1 / 7.3)
    for given, found in zip(x.flatten().tolist(), membranes.flatten().tolist(), strict=True):
        v = decay * v + given
        assert abs(found - v) < 1e-12


@pytest.mark.parametrize("granularity", ["synaptic", "axonal", "dendritic"])
@pytest.mark.parametrize("size", [3, 60])
def test_whole_delays_have_the_weight_of_a_gaussian_on_one_tap(granularity: str, size: int) -> None:
    layer = DelayLinear(size, size, 200.0, 10.0, granularity=granularity).double()
    x = (torch.rand(2, 90, size) < 0.2).double()
    with rounded(layer), torch.no_grad():
        found, _ = layer(x)
        delays = layer.integer_delay().expand_as(layer.weight)[..., 0]
    expected = torch.zeros_like(found)
    for lag in range(layer.taps):
        weight = torch.where(delays == lag, layer.weight[..., 0], 0).detach() / (1 + 1e-7)
        moved = torch.zeros_like(x)
        moved[:, lag:] = x[:, : x.shape[1] - lag]
        expected += moved @ weight.t()
    assert (found - expected).abs().max() < 1e-12
