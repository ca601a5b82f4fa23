"""`repr` of neurons, layers and networks: the arguments that say what a layer computes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from dendrix.core import ATan, Described
from dendrix.layers import LSQ, QCFS, ClippedReLU, DelayLinear, HeldDropout, KWinners, Recurrent, RecurrentDelay, Sequential, SparseLinear
from dendrix.models import DelayNet, DelayNetConfig, SpikeGPT, SpikeGPTConfig
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, SignedIF


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        (lambda: LIF(3), "LIF(3, tau_ms=10, dt_ms=1, v_threshold=1, v_reset=None)"),
        (
            lambda: LIF(3, 20.0, 5.0, v_reset=0.0, spike=ATan(5.0)),
            "LIF(3, tau_ms=20, dt_ms=5, v_threshold=1, v_reset=0, spike=ATan(alpha=5.0))",
        ),
        (lambda: LIF(2, [5.0, 20.0], v_threshold=[0.5, 2.0]), "LIF(2, tau_ms=5..20, dt_ms=1, v_threshold=0.5..2, v_reset=None)"),
        (
            lambda: LIF(3, decay=0.5, train_tau=False),
            "LIF(3, tau_ms=1.443, dt_ms=1, decay=0.5, train_tau=False, v_threshold=1, v_reset=None)",
        ),
        (lambda: LI(2, tau_ms=30.0), "LI(2, tau_ms=30, dt_ms=1)"),
        (lambda: PLIF(3, tau_ms=4.0), "PLIF(3, tau_ms=4, dt_ms=1, v_threshold=1, v_reset=0)"),
        (lambda: IF(3, v_init=0.5), "IF(3, v_init=0.5, v_threshold=1, v_reset=None)"),
        (lambda: SignedIF(3, limit=7), "SignedIF(3, limit=7, v_threshold=1)"),
        (lambda: AdLIF(3, 8.0, 50.0), "AdLIF(3, tau_ms=8, tau_w_ms=50, dt_ms=1, v_threshold=1)"),
        (lambda: CubaLIF(3, 4.0, 8.0), "CubaLIF(3, tau_syn_ms=4, tau_ms=8, dt_ms=1, v_threshold=1, v_reset=None)"),
        (lambda: DelayLinear(3, 2, 40.0, 10.0), "DelayLinear(3, 2, max_delay_ms=40, dt_ms=10, granularity='synaptic')"),
        (
            lambda: DelayLinear(3, 2, 40.0, 10.0, granularity="axonal", train_delays=False),
            "DelayLinear(3, 2, max_delay_ms=40, dt_ms=10, granularity='axonal', train_delays=False)",
        ),
        (lambda: KWinners(10, 2), "KWinners(10, winners=2)"),
        (lambda: SparseLinear(8, 4, 0.25), "SparseLinear(8, 4, density=0.25)"),
        (lambda: HeldDropout(0.4), "HeldDropout(p=0.4)"),
        (lambda: QCFS(4, 2.0), "QCFS(levels=4, threshold=2)"),
        (lambda: LSQ(2), "LSQ(bits=2, step=0.5)"),
        (lambda: ClippedReLU([1.0, 3.0]), "ClippedReLU(threshold=1..3)"),
        (lambda: Sequential(), "Sequential(\n  (stages): ModuleList()\n)"),
    ],
)  # fmt: skip
def test_repr_shows_time_constants_thresholds_and_delays(build: Callable[[], nn.Module], shown: str) -> None:
    assert repr(build()) == shown


def test_repr_of_layers_with_neurons_inside() -> None:
    delayed = repr(RecurrentDelay(LIF(3, 20.0), 30.0, 10.0))
    assert "max_delay_ms=30, dt_ms=10" in delayed
    assert "(inner): LIF(3, tau_ms=20, dt_ms=1, v_threshold=1, v_reset=None)" in delayed
    assert "(inner): LIF(3, tau_ms=10" in repr(Recurrent(LIF(3), nn.Linear(3, 3)))


def test_repr_of_networks_shows_the_configuration() -> None:
    assert "config=DelayNetConfig(inputs=3, outputs=2, hidden=(4,))" in repr(DelayNet(DelayNetConfig(3, 2, (4,))))
    assert "config=SpikeGPTConfig(vocab_size=7, width=4, layers=1)" in repr(SpikeGPT(SpikeGPTConfig(7, 4, 1)))


def test_repr_follows_training() -> None:
    layer = LIF(2, tau_ms=10.0)
    with torch.no_grad():
        layer.decay.log_tau.copy_(torch.tensor([5.0, 50.0]).log())
    assert repr(layer) == "LIF(2, tau_ms=5..50, dt_ms=1, v_threshold=1, v_reset=None)"
    assert layer.arguments()["tau_ms"] == 10.0


def test_repr_without_data_or_arguments() -> None:
    class Plain(Described):
        def __init__(self, size: Any) -> None:
            super().__init__()

    assert repr(Plain(3)) == "Plain()"
    with torch.device("meta"):
        assert repr(LIF(3)).startswith("LIF(3, tau_ms=")
