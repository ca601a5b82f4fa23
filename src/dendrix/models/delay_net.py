"""A spiking classifier with learned delays between its layers and, if asked, within them: DCLS-Delays (arXiv 2306.17670), causal."""

import itertools
from dataclasses import dataclass, replace
from typing import Literal, get_args

from torch import Tensor, nn

from ..core import ATan, State, Stateful, Surrogate, Triangle, expect, expect_fields, expect_finite, expect_one_of, expect_valid
from ..errors import InputError
from ..layers import BatchNorm, DelayLinear, HeldDropout, RecurrentDelay, Sequential
from ..layers.delay.linear import Granularity, Interpolation, Padding
from ..neurons import LI, LIF, AdLIF, Neuron

Delays = Literal["learned", "random", "none"]
Cell = Literal["lif", "adlif"]
SurrogateName = Literal["atan", "triangle"]


@dataclass(frozen=True)
class DelayNetConfig:
    """What a `DelayNet` is made of. The network of the paper for SHD is `published_shd()`."""

    inputs: int
    """Channels of the input, C."""
    outputs: int
    """Classes, K."""
    hidden: tuple[int, ...] = (128, 128)
    """Neurons of each hidden layer."""
    delays: Delays = "learned"
    """Trained, fixed at a random start, or none at all."""
    granularity: Granularity = "synaptic"
    """One delay per synapse, per input neuron (axonal) or per output neuron (dendritic)."""
    max_delay_ms: float = 250.0
    """The longest delay, in ms."""
    dt_ms: float = 10.0
    """The time step, in ms."""
    kernel_count: int = 1
    """Synapses per pair of neurons."""
    interpolation: Interpolation = "gauss"
    """How a synapse spreads over time steps while its delay trains."""
    neuron: Cell = "lif"
    """The hidden neurons: leaky integrate-and-fire, or the adaptive kind."""
    tau_ms: float = 10.0
    """Membrane time constant at the start, in ms."""
    decay: float | None = None
    """The decay per step itself, instead of tau_ms; adaptive neurons keep tau_ms."""
    train_tau: bool = True
    """Whether each neuron learns its time constant; adaptive neurons always do."""
    v_reset: float | None = 0.0
    """Membrane after a spike; None subtracts the threshold (LIF only)."""
    detach_reset: bool = True
    """Whether no gradient passes through the reset (LIF only)."""
    surrogate: SurrogateName = "atan"
    """The derivative that training takes for that of a spike, for either kind of neuron."""
    spike_alpha: float = 5.0
    """Steepness of the arctangent surrogate."""
    dropout: float = 0.4
    """Probability that a hidden neuron is silenced for a whole sequence."""
    recurrent_delay_ms: float | None = None
    """The longest delay of connections within each hidden layer, learned unless `delays` is "random"; None: no such connections."""
    recurrent_start_ms: float = 60.0
    """These delays start half-normal, with this standard deviation, in ms."""
    recurrent_dropout: float = 0.0
    """Probability that a hidden neuron hears nothing of its own layer for a whole sequence."""
    padding: Padding = "causal"
    """"published" appends half of the longest delay as silence in every delay layer; a sequence grows, and cannot be continued."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON has lists
        expect_one_of(self.delays, ("learned", "random", "none"), "delays")
        expect_one_of(self.neuron, ("lif", "adlif"), "neuron")
        expect_one_of(self.surrogate, get_args(SurrogateName), "surrogate")
        expect_one_of(self.padding, get_args(Padding), "padding")
        expect_fields(self, max_delay_ms="[0, inf)", dt_ms="(0, inf)", kernel_count="[1, inf)", dropout="[0, 1)", spike_alpha="(0, inf)")
        expect_fields(self, recurrent_delay_ms="[0, inf)", recurrent_start_ms="[0, inf)", recurrent_dropout="[0, 1)")
        expect_fields(self, tau_ms="(0, inf)", decay="(0, 1)", v_reset="(-inf, 1)")
        if min(self.inputs, self.outputs, *self.hidden) < 1:
            raise InputError(f"inputs, outputs and hidden sizes must be at least 1, got {self.inputs}, {self.outputs} and {self.hidden}.")

    def build(self) -> "DelayNet":
        """The network, with the weights of its start."""
        return DelayNet(self)


def published_shd() -> DelayNetConfig:
    """The paper's network for the Spiking Heidelberg Digits: two layers of 256, delays up to 250 ms, an almost memoryless LIF.

    Source: arXiv 2306.17670 and its released configuration, which has `padding="published"`.
    """
    return DelayNetConfig(inputs=140, outputs=20, hidden=(256, 256), decay=1 - 1 / 1.005, train_tau=False)


def published_commands() -> DelayNetConfig:
    """The paper's largest network for the Speech Commands, as spikes or sound: three layers of 512, two synapses for each pair.

    Source: arXiv 2306.17670 and its released configuration, which has one synapse for each pair and `padding="published"`.
    """
    hidden = (512, 512, 512)
    return DelayNetConfig(140, 35, hidden, max_delay_ms=300.0, kernel_count=2, decay=1 - 1 / 1.5, train_tau=False, dropout=0.25)


def delrec_commands() -> DelayNetConfig:
    """Three layers of 256 with no delays between them but learned ones within, which start short and narrow over the whole training.

    Source: Queant et al., DelRec (arXiv 2509.24852), its settings for the Spiking Speech Commands; BatchNorm and read-out are ours.
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
    """x [B, T, C] -> per-step outputs [B, T, K]; state: one entry per stage, as in `Sequential`.

    Each hidden layer is delays -> BatchNorm -> neurons -> dropout; the read-out is delays -> leaky integrators.
    """

    def __init__(self, config: DelayNetConfig):
        stages: list[nn.Module] = []
        sizes = (config.inputs, *config.hidden)
        for before, size in itertools.pairwise(sizes):
            stages += [_delays(config, before, size), BatchNorm(size), _neurons(config, size), HeldDropout(config.dropout)]
        readout = LI(config.outputs, config.tau_ms, config.dt_ms, decay=config.decay, train_tau=config.train_tau)
        super().__init__(*stages, _delays(config, sizes[-1], config.outputs), readout)
        self.config = config

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C", "x_t", C=self.config.inputs)
        if self.config.padding == "published":
            raise InputError("padding='published' has no single step, as a sequence grows in every layer. Use padding='causal'.")
        expect_finite(x_t, "x_t")
        return super().step(x_t, state)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.config.inputs)
        expect_valid(valid, x)
        expect_finite(x if valid is None else x.masked_fill(~valid.unsqueeze(-1), 0))
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
    """The neurons of a hidden layer, with what connects them."""
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
