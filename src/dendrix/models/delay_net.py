"""Spiking classifier with learned delays between its layers and optionally within them: causal DCLS-Delays (arXiv 2306.17670)."""

import itertools
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from torch import Tensor, nn

from ..core import (
    ATan,
    State,
    Stateful,
    Surrogate,
    Triangle,
    expect,
    expect_counts,
    expect_fields,
    expect_finite,
    expect_flag,
    expect_instance,
    expect_one_of,
    expect_valid,
    zero_invalid,
)
from ..errors import InputError
from ..layers import BatchNorm, DelayLinear, HeldDropout, RecurrentDelay, Sequential
from ..layers.delay.linear import Granularity, Interpolation, Padding
from ..neurons import LI, LIF, AdLIF, Neuron

Delays = Literal["learned", "random", "none"]
Cell = Literal["lif", "adlif"]
SurrogateName = Literal["atan", "triangle"]


@dataclass(frozen=True)
class DelayNetConfig:
    """Configuration of a `DelayNet`. The published network for SHD is `published_shd()`.

    Raises:
        InputError: a field is out of range.
    """

    inputs: int
    """Number of input channels, C."""
    outputs: int
    """Number of classes, K."""
    hidden: tuple[int, ...] = (128, 128)
    """Number of neurons of each hidden layer."""
    delays: Delays = "learned"
    """"learned": trained; "random": random and fixed; "none": without delays."""
    granularity: Granularity = "synaptic"
    """One delay per synapse, per input neuron (axonal) or per output neuron (dendritic)."""
    max_delay_ms: float = 250.0
    """Largest delay, in ms."""
    dt_ms: float = 10.0
    """Length of a time step, in ms."""
    kernel_count: int = 1
    """Number of synapses per pair of neurons."""
    interpolation: Interpolation = "gauss"
    """Distribution of a synapse over time steps during the training of its delay."""
    neuron: Cell = "lif"
    """Type of the hidden neurons: leaky integrate-and-fire, or adaptive."""
    tau_ms: float = 10.0
    """Initial membrane time constant, in ms."""
    decay: float | None = None
    """Decay per step, instead of `tau_ms`; adaptive neurons use `tau_ms`."""
    train_tau: bool = True
    """Train one time constant per neuron; adaptive neurons always do."""
    v_reset: float | None = 0.0
    """Membrane potential after a spike; None subtracts the threshold (LIF only)."""
    detach_reset: bool = True
    """Pass no gradient through the reset (LIF only)."""
    surrogate: SurrogateName = "atan"
    """Surrogate gradient of a spike, for both types of neurons."""
    spike_alpha: float = 5.0
    """Steepness of the arctangent surrogate."""
    dropout: float = 0.4
    """Probability that a hidden neuron is dropped for a whole sequence."""
    recurrent_delay_ms: float | None = None
    """Largest delay of the connections within each hidden layer, trained unless `delays` is "random"; None: no such connections."""
    recurrent_start_ms: float = 60.0
    """Standard deviation of the half-normal initialisation of these delays, in ms."""
    recurrent_dropout: float = 0.0
    """Probability that a hidden neuron receives no input from its own layer for a whole sequence."""
    padding: Padding = "causal"
    """"causal", or "published": every delay layer appends zeros of half the largest delay, so sequences grow and cannot be streamed."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", expect_counts(self.hidden, "hidden"))  # JSON has lists
        expect_one_of(self.granularity, get_args(Granularity), "granularity")
        expect_one_of(self.interpolation, get_args(Interpolation), "interpolation")
        expect_one_of(self.delays, ("learned", "random", "none"), "delays")
        expect_one_of(self.neuron, ("lif", "adlif"), "neuron")
        expect_one_of(self.surrogate, get_args(SurrogateName), "surrogate")
        expect_one_of(self.padding, get_args(Padding), "padding")
        counts = dict.fromkeys(("inputs", "outputs", "kernel_count"), "[1, inf)")
        expect_fields(self, whole=counts, **counts)
        expect_fields(self, max_delay_ms="[0, inf)", dt_ms="(0, inf)", dropout="[0, 1)", spike_alpha="(0, inf)")
        expect_fields(self, recurrent_delay_ms="[0, inf)", recurrent_start_ms="[0, inf)", recurrent_dropout="[0, 1)")
        expect_fields(self, tau_ms="(0, inf)", decay="(0, 1)", v_reset="(-inf, 1)")
        for name in ("train_tau", "detach_reset"):
            expect_flag(getattr(self, name), name)

    def build(self) -> "DelayNet":
        """Create the network with initial weights."""
        return DelayNet(self)


def published_shd() -> DelayNetConfig:
    """Return the published network for the Spiking Heidelberg Digits: two layers of 256 almost memoryless LIF neurons, delays up to 250 ms.

    Source: arXiv 2306.17670 and its released configuration, which has `padding="published"`.
    """
    return DelayNetConfig(inputs=140, outputs=20, hidden=(256, 256), decay=1 - 1 / 1.005, train_tau=False)


def published_commands() -> DelayNetConfig:
    """Return the largest published network for the Speech Commands (spikes or audio): three layers of 512, two synapses per pair of
    neurons.

    Source: arXiv 2306.17670 and its released configuration, which has one synapse per pair and `padding="published"`.
    """
    hidden = (512, 512, 512)
    return DelayNetConfig(140, 35, hidden, max_delay_ms=300.0, kernel_count=2, decay=1 - 1 / 1.5, train_tau=False, dropout=0.25)


def delrec_commands() -> DelayNetConfig:
    """Return a network of three layers of 256 with learned recurrent delays within the layers and no delays between them.

    The recurrent delays are initialised to short values, and their interpolation kernel narrows over the whole training.

    Source: Queant et al., DelRec (arXiv 2509.24852), settings for the Spiking Speech Commands; BatchNorm and readout are ours.
    """
    return replace(
        published_commands(),
        hidden=(256, 256, 256),
        delays="none",
        kernel_count=1,
        decay=0.5,
        v_reset=None,
        detach_reset=False,
        surrogate="triangle",
        dropout=0.1,
        recurrent_delay_ms=400.0,
        recurrent_start_ms=67.2,
        recurrent_dropout=0.3,
    )


class DelayNet(Sequential):
    """Delay network: x [B, T, C] -> per-step outputs [B, T, K]. The state has one entry per stage, as in `Sequential`.

    Each hidden layer consists of delays, BatchNorm, neurons and dropout; the readout of delays and leaky integrators.

    Args:
        config: configuration of the network.
    """

    def __init__(self, config: DelayNetConfig):
        expect_instance(config, DelayNetConfig, "config")
        stages: list[nn.Module] = []
        sizes = (config.inputs, *config.hidden)
        for before, size in itertools.pairwise(sizes):
            stages += [_delays(config, before, size), BatchNorm(size), _neurons(config, size), HeldDropout(config.dropout)]
        readout = LI(config.outputs, config.tau_ms, config.dt_ms, decay=config.decay, train_tau=config.train_tau)
        super().__init__(*stages, _delays(config, sizes[-1], config.outputs), readout)
        self.config = config

    def arguments(self) -> dict[str, Any]:
        return dict(config=self.config)

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C", "x_t", C=self.config.inputs)
        if self.config.padding == "published":
            raise InputError(
                "padding: expected 'causal' for a single step, got 'published', which has no single step because sequences grow."
            )
        expect_finite(x_t, "x_t")
        return super().step(x_t, state)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.config.inputs)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        expect_finite(x)
        return super().forward(x, state, valid)


def _delays(config: DelayNetConfig, before: int, size: int) -> DelayLinear:
    return DelayLinear(
        before,
        size,
        0.0 if config.delays == "none" else config.max_delay_ms,
        config.dt_ms,
        kernel_count=config.kernel_count,
        granularity=config.granularity,
        interpolation=config.interpolation,
        train_delays=config.delays == "learned",
        padding=config.padding,
    )


def _neurons(config: DelayNetConfig, size: int) -> Stateful:
    """Return the neurons of a hidden layer, with their recurrent connections if configured."""
    if config.recurrent_delay_ms is None:
        return _cells(config, size)
    return RecurrentDelay(
        _cells(config, size),
        config.recurrent_delay_ms,
        config.dt_ms,
        start_ms=config.recurrent_start_ms,
        dropout=config.recurrent_dropout,
        train_delays=config.delays != "random",
    )


def _cells(config: DelayNetConfig, size: int) -> Neuron:
    spike: Surrogate = Triangle() if config.surrogate == "triangle" else ATan(config.spike_alpha)
    if config.neuron == "adlif":
        return AdLIF(size, config.tau_ms, dt_ms=config.dt_ms, spike=spike)
    return LIF(
        size,
        config.tau_ms,
        config.dt_ms,
        decay=config.decay,
        train_tau=config.train_tau,
        v_reset=config.v_reset,
        detach_reset=config.detach_reset,
        spike=spike,
    )
