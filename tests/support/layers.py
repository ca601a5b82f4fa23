"""Every layer with a state: an example of each, or the reason why there is none. The conformance suite runs on the examples."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import dendrix
import dendrix.neurons
from dendrix.convert import convert
from dendrix.convert.max_pool import SpikingMaxPool
from dendrix.convert.network import SpikingNetwork
from dendrix.core import ATan, State, Stateful, expect, expect_floating, expect_state, scan
from dendrix.deploy import IntegerImageNetwork, IntegerNetwork, IntegerSpikeGPT, StreamingNetwork
from dendrix.exchange import GraphNetwork
from dendrix.exchange.delay_line import DelayLine
from dendrix.exchange.exact import ExactLIF
from dendrix.exchange.image_frames import ImageFrames
from dendrix.layers import (
    QCFS,
    ActiveDendrites,
    BatchNorm,
    DelayLinear,
    DendriticSegments,
    HeldDropout,
    KWinners,
    PerStep,
    Recurrent,
    RecurrentDelay,
    Sequential,
    SparseLinear,
)
from dendrix.layers.delay.base import Delayed
from dendrix.models import (
    Converted,
    ConvertedConfig,
    DelayNet,
    DelayNetConfig,
    DendriticNet,
    DendriticNetConfig,
    PromptedClassifier,
    SpikeGPT,
    SpikeGPTConfig,
    StillImageNetwork,
    VGGConfig,
)
from dendrix.models.spikegpt.attention import LocalAttention
from dendrix.models.spikegpt.blocks import Block, ChannelMix, TimeMix, _Mix
from dendrix.models.spikegpt.classifier import SpikeGPTClassifier
from dendrix.models.spikegpt.hf import SpikeGPTBlock, _Body
from dendrix.models.spikegpt.network import SpikeGPTBody
from dendrix.models.spikegpt.neurons import NeuronConfig, SpikeNeurons
from dendrix.neurons import LI, LIF, AdLIF, Decay, Neuron, NIRNeuron
from dendrix.neurons.base import Spike
from dendrix.train.distributed.processes import SharedBatchNorm

SIZE = 4
"""Channels of every small layer, in and out."""

VOCABULARY = 11

ABSTRACT: dict[type[Stateful], str] = {
    Stateful: "has no forward of its own",
    Neuron: "has no rule of its own",
    Delayed: "has no forward of its own; DelayLinear and RecurrentDelay are examples",
    IntegerNetwork: "has no gradient and a state in integers; tests/deploy/test_reference.py tests what it owes its users over time",
    IntegerSpikeGPT: "has no gradient and a state in integers; tests/deploy/test_text_reference.py tests what it owes its users",
    IntegerImageNetwork: "has no gradient and a state in integers; tests/deploy/test_image_reference.py tests what it owes its users",
    StillImageNetwork: "has no forward of its own; Converted is an example",
    StreamingNetwork: "has no gradient and no parameters; tests/deploy/test_streaming.py compares it with the networks that it is made of",
    _Mix: "has no forward of its own; TimeMix and ChannelMix are examples",
    SpikeGPTBlock: "is a Block that transformers can checkpoint; tests/models/spikegpt/test_hf.py compares its gradients",
    _Body: "is a SpikeGPTBody of such blocks; tests/models/spikegpt/test_hf.py tests the models that have it",
}
"""Classes without an example, and why."""


def smooth(layer: Stateful) -> Stateful:
    """The layer with a smooth function where its neurons have a threshold, and a reset that passes gradients."""
    for neuron in layer.modules():
        if isinstance(neuron, Neuron):
            given = neuron.params
            chosen = {name: value for name, value in dict(spike=torch.sigmoid, detach_reset=False).items() if name in given()}
            neuron.params = lambda given=given, chosen=chosen: {**given(), **chosen}
    return layer


@dataclass(frozen=True)
class Example:
    """How a layer is built and what it is given."""

    of: type[Stateful]
    """The class that this is an example of: that of the layer, or of one within it."""
    build: Callable[[], Stateful]
    shape: tuple[int, ...] = (SIZE,)
    """Of one step of one row."""
    tokens: bool = False
    """Whether the input is tokens below `VOCABULARY`, and `shape` is ()."""
    smooth: Callable[[], Stateful] | str | None = None
    """How to build a differentiable twin, or why there is none; None: `smooth` of the layer itself."""
    untraced: str = ""
    """Why `torch.compile` sees no single graph."""

    def differentiable(self) -> Stateful:
        """The twin that is tested against finite differences."""
        assert not isinstance(self.smooth, str)
        return smooth(self.build()) if self.smooth is None else self.smooth()

    def input(self, batch: int, steps: int) -> Tensor:
        """Random input, [B, T, ...], that makes every neuron fire now and then."""
        if self.tokens:
            return torch.randint(VOCABULARY, (batch, steps))
        return torch.randn(batch, steps, *self.shape, dtype=torch.float64) + 0.5

    def changed(self, x: Tensor) -> Tensor:
        """Other input, everywhere."""
        return (x + 1) % VOCABULARY if self.tokens else x + 1


class OwnContext(Stateful):
    """Active dendrites that read what they gate."""

    def __init__(self) -> None:
        super().__init__()
        self.dendrites = ActiveDendrites(SIZE, SIZE, segments=3)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        return self.dendrites(x, state, valid, x)


class UsersNetwork(Stateful):
    """A network as a user writes it: two stages with a state, and a residual connection around the second."""

    def __init__(self) -> None:
        super().__init__()
        self.delays, self.neurons = DelayLinear(SIZE, SIZE, max_delay_ms=40, dt_ms=10), LIF(SIZE)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        line, membrane = (None, None) if state is None else state
        currents, line = self.delays(x, line, valid)
        spikes, membrane = self.neurons(currents, membrane, valid)
        return currents + spikes, (line, membrane)


def low_pass(x: Tensor, state: Tensor, *, share: Tensor) -> tuple[Tensor, Tensor]:
    """A rule as a user writes it: an exponential mean, [B, C]."""
    mean = state + share * (x - state)
    return mean, mean


class UsersScan(Stateful):
    """A layer as a user writes it: a scan of a rule of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.full((SIZE,), 0.3))

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=SIZE)
        expect_floating(x)
        expect_state(state, Tensor, x[:, 0].shape)
        return scan(low_pass, x, torch.zeros_like(x[:, 0]) if state is None else state, valid, share=self.share)


class UsersNeuronState(NamedTuple):
    """The membrane `v` and a slow threshold `theta`, [B, C, ...]."""

    v: Tensor
    theta: Tensor


def users_step(x: Tensor, state: UsersNeuronState, *, decay: Tensor, spike: Spike) -> tuple[Tensor, UsersNeuronState]:
    """A leaky neuron whose threshold rises with every spike, [B, C, ...]."""
    v = decay * state.v + x
    s = spike(v - 1 - state.theta)
    return s, UsersNeuronState(v - s, 0.9 * state.theta + 0.2 * s)


class UsersNeuron(Neuron):
    """A neuron as a user writes it, after docs/howto/own-neuron.md."""

    rule = staticmethod(users_step)
    state_type = UsersNeuronState

    def __init__(self, size: int = SIZE) -> None:
        super().__init__(size)
        self.decay = Decay(size, 10.0, 1.0)
        self.hold(spike=ATan())

    def params(self) -> dict[str, Any]:
        return dict(decay=self.decay(), **self.constants)


class UsersBranches(Stateful):
    """Two branches side by side, with a nested state: a dict of the states of a row of layers and of a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = Sequential(DelayLinear(SIZE, SIZE, max_delay_ms=40, dt_ms=10), Sequential(LIF(SIZE, 30.0), LI(SIZE)))
        self.fast = Recurrent(UsersNeuron(), nn.Linear(SIZE, SIZE))

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        before = dict(slow=None, fast=None) if state is None else state
        slow, after_slow = self.slow(x, before["slow"], valid)
        fast, after_fast = self.fast(x, before["fast"], valid)
        return slow + fast, dict(slow=after_slow, fast=after_fast)


def segments(**options: Any) -> DendriticSegments:
    return DendriticSegments(SIZE, SIZE, synapses=2, theta=1, **options)


def dendritic_net() -> DendriticNet:
    """One that knows two tasks."""
    network = DendriticNet(DendriticNetConfig(inputs=SIZE, outputs=3, hidden=(6, 6), active=0.5, segments=3, tasks=3))
    for shift in (0.0, 1.0):
        network.begin_task(torch.randn(8, SIZE) + shift)
    return network


def delay_net(**options: Any) -> DelayNet:
    return DelayNet(DelayNetConfig(inputs=SIZE, outputs=3, hidden=(5,), max_delay_ms=40.0, **options))


def spikegpt(layers: int = 1, **options: Any) -> SpikeGPTConfig:
    return SpikeGPTConfig(VOCABULARY, width=6, layers=layers, start="rwkv", **options)


def prompted() -> PromptedClassifier:
    return PromptedClassifier(SpikeGPT(spikegpt()), [torch.tensor([1, 2, 3]), torch.tensor([4])])


EVERY = NeuronConfig(levels=2, signed=True, scales=True, decays=True, separate=True)
"""Neurons that differ from the published ones in all respects that do not exclude spikes before products."""


def spike_neurons(config: NeuronConfig, norm: bool = False, spike: Spike | None = None) -> SpikeNeurons:
    """Neurons with a different threshold, amplitude and decay for each channel where they are trained, and a surrogate if it is given."""
    neurons = SpikeNeurons(SIZE, 0.5, config, norm)
    for name, parameter in neurons.named_parameters():
        if not name.startswith("norm"):
            nn.init.normal_(parameter, std=0.3)
    neurons.spike = spike or neurons.spike
    return neurons


def classifier(config: SpikeGPTConfig) -> SpikeGPTClassifier:
    """One with an opinion: weights of zero hide what its body does."""
    network = SpikeGPTClassifier(config, outputs=3)
    nn.init.normal_(network.classifier.weight)
    return network


def time_mix(spikes: Any) -> TimeMix:
    """One with local attention and a decay that depends on the data."""
    mix = TimeMix(SIZE, spikes, decay_rank=2, window=3)
    nn.init.normal_(mix.decay_up.weight)
    return mix


def block(spikes: Any = "output", first: bool = False, channel_only: bool = False) -> Block:
    return Block(SIZE, spikes, 1.0, first=first, channel_only=channel_only, dropout=0.1)


def spiking_network() -> SpikingNetwork:
    """A small convolutional network, converted; it takes currents [B, T, 2, 4, 4]."""
    stages = nn.Conv2d(1, 2, 3, padding=1), QCFS(4, 1.0), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 4), QCFS(4, 1.0), nn.Linear(4, 3)
    return convert(nn.Sequential(*stages).eval(), torch.zeros(2, 1, 4, 4), max_pool="spiking").network


def converted() -> Converted:
    config = VGGConfig(3, stages=((2,), (2,)), threshold=1.0)
    return Converted(ConvertedConfig("vgg", vars(config), height=4, width=4))


def graph_network() -> GraphNetwork:
    """One with a residual connection, feedback through a delay, and two outputs."""
    layers = {"a": NIRNeuron(SIZE), "b": PerStep(nn.Linear(SIZE, SIZE)), "c": DelayLine(2), "d": NIRNeuron(SIZE, alpha=0.5, v_reset=None)}
    edges = [("x", "a"), ("a", "b"), ("b", "c"), ("a", "d"), ("x", "d"), ("a", "y"), ("d", "z")]
    return GraphNetwork(layers, edges, {"x": (SIZE,)}, {"y": (SIZE,), "z": (SIZE,)}, [("c", "a")])


RUNNING_MAXIMUM = "WKV scales its state by a running maximum, which counts as a constant: tests/layers/rwkv/test_wkv.py has its gradients"
NO_GRADIENT = "it is a reference for traces, and its spikes have no gradient"
EXAMPLES: dict[str, Example] = {
    "Recurrent": Example(Recurrent, lambda: Recurrent(LIF(SIZE), nn.Linear(SIZE, SIZE, bias=False))),
    "Recurrent AdLIF": Example(Recurrent, lambda: Recurrent(AdLIF(SIZE), nn.Linear(SIZE, SIZE))),
    "RecurrentDelay": Example(RecurrentDelay, lambda: RecurrentDelay(LIF(SIZE), 30, 10, start_ms=15)),
    "Sequential": Example(Sequential, lambda: Sequential(LIF(SIZE), BatchNorm(SIZE), nn.Linear(SIZE, SIZE), HeldDropout(0.5), LI(SIZE))),
    "PerStep": Example(PerStep, lambda: PerStep(nn.Linear(SIZE, SIZE))),
    "BatchNorm": Example(BatchNorm, lambda: BatchNorm(SIZE)),
    "SharedBatchNorm": Example(SharedBatchNorm, lambda: SharedBatchNorm(SIZE), untraced="it trains among several processes only"),
    "HeldDropout": Example(HeldDropout, lambda: HeldDropout(0.5)),
    "KWinners": Example(KWinners, lambda: KWinners(SIZE, 2, boost=1.0, momentum=0.0)),
    "SparseLinear": Example(SparseLinear, lambda: SparseLinear(SIZE, SIZE)),
    "ActiveDendrites": Example(ActiveDendrites, OwnContext),
    # The straight-through gradient of the connections is no derivative, so they are fixed where the threshold is smooth.
    "DendriticSegments": Example(DendriticSegments, segments, smooth=lambda: segments(spike=torch.sigmoid).requires_grad_(False)),
    # SpikeGPT fixes its surrogate: its differentiable twin has no neurons.
    "SpikeNeurons": Example(
        SpikeNeurons,
        lambda: spike_neurons(NeuronConfig(scales=True, decays=True)),
        smooth=lambda: spike_neurons(NeuronConfig(scales=True, decays=True), spike=torch.sigmoid),
    ),
    "SpikeNeurons with all": Example(
        SpikeNeurons, lambda: spike_neurons(EVERY, norm=True), smooth=lambda: spike_neurons(EVERY, norm=True, spike=torch.sigmoid)
    ),
    "TimeMix": Example(TimeMix, lambda: TimeMix(SIZE), smooth=RUNNING_MAXIMUM),
    "TimeMix on bits": Example(TimeMix, lambda: TimeMix(SIZE, "input"), smooth=RUNNING_MAXIMUM),
    "TimeMix with all": Example(TimeMix, lambda: time_mix("input"), smooth=RUNNING_MAXIMUM),
    "LocalAttention": Example(
        LocalAttention,
        lambda: LocalAttention(SIZE, 3),
        smooth=lambda: LocalAttention(SIZE, 3, spiking=False),
    ),
    "ChannelMix": Example(ChannelMix, lambda: ChannelMix(SIZE), smooth=lambda: ChannelMix(SIZE, "none")),
    "Block": Example(Block, lambda: block(first=True), smooth=RUNNING_MAXIMUM),
    "Block on bits": Example(Block, lambda: block("input"), smooth=RUNNING_MAXIMUM),
    "Block without time": Example(Block, lambda: block(channel_only=True), smooth=lambda: block("none", channel_only=True)),
    "SpikeGPTBody": Example(SpikeGPTBody, lambda: SpikeGPTBody(spikegpt()), (), tokens=True, smooth=RUNNING_MAXIMUM),
    "SpikeGPT": Example(SpikeGPT, lambda: SpikeGPT(spikegpt(layers=2)), (), tokens=True, smooth=RUNNING_MAXIMUM),
    "SpikeGPT on bits": Example(SpikeGPT, lambda: SpikeGPT(spikegpt(spikes="input")), (), tokens=True, smooth=RUNNING_MAXIMUM),
    "PromptedClassifier": Example(PromptedClassifier, prompted, (), tokens=True, smooth=RUNNING_MAXIMUM, untraced="makes states in a loop"),
    "SpikeGPT with other neurons": Example(
        SpikeGPT, lambda: SpikeGPT(spikegpt(spikes="input", neurons=EVERY)), (), tokens=True, smooth=RUNNING_MAXIMUM
    ),
    "SpikeGPT with norms": Example(
        SpikeGPT, lambda: SpikeGPT(spikegpt(neurons=NeuronConfig(norm=True))), (), tokens=True, smooth=RUNNING_MAXIMUM
    ),
    "SpikeGPT with another time mix": Example(
        SpikeGPT, lambda: SpikeGPT(spikegpt(spikes="input", decay_rank=2, window=3)), (), tokens=True, smooth=RUNNING_MAXIMUM
    ),
    "SpikeGPTClassifier": Example(SpikeGPTClassifier, lambda: classifier(spikegpt()), (), tokens=True, smooth=RUNNING_MAXIMUM),
    "DelayNet": Example(DelayNet, delay_net),
    "DelayNet with feedback": Example(DelayNet, lambda: delay_net(neuron="adlif", recurrent_delay_ms=30.0)),
    "DendriticNet": Example(DendriticNet, dendritic_net, untraced="the number of tasks is a buffer; a graph cannot branch on it"),
    "SpikingMaxPool": Example(SpikingMaxPool, lambda: SpikingMaxPool(nn.MaxPool2d(2)), (2, 4, 4)),
    "SpikingNetwork": Example(SpikingNetwork, spiking_network, (2, 4, 4)),
    "Converted": Example(Converted, converted, (2, 4, 4)),
    "ImageFrames": Example(ImageFrames, lambda: ImageFrames(converted()), (3, 4, 4)),
    "NIRNeuron with all": Example(NIRNeuron, lambda: NIRNeuron(SIZE, alpha=[0.1, 0.2, 0.3, 0.4], c=0.1, q=0.5, v_reset=None, v_min=-1.0)),
    "ExactLIF": Example(ExactLIF, lambda: ExactLIF(SIZE), smooth=NO_GRADIENT, untraced=NO_GRADIENT),
    "DelayLine": Example(DelayLine, lambda: DelayLine([0, 1, 3, 2])),
    "GraphNetwork": Example(GraphNetwork, graph_network),
    "a user's network": Example(UsersNetwork, UsersNetwork),
    "a user's scan": Example(UsersScan, UsersScan),
    "a user's neuron": Example(UsersNeuron, UsersNeuron),
    "a user's neuron with delayed feedback": Example(UsersNeuron, lambda: RecurrentDelay(UsersNeuron(), 30, 10, start_ms=15)),
    "a user's branches": Example(UsersBranches, UsersBranches),
} | {
    f"DelayLinear {granularity}": Example(
        DelayLinear, lambda granularity=granularity: DelayLinear(SIZE, SIZE, max_delay_ms=40, dt_ms=10, granularity=granularity)
    )
    for granularity in ("synaptic", "axonal", "dendritic")
}


def subclasses(cls: type[Stateful]) -> set[type[Stateful]]:
    """All classes below one, however deep."""
    return set(cls.__subclasses__()).union(*map(subclasses, cls.__subclasses__()))


def import_all() -> None:
    """Import every module of dendrix but the command itself; one whose optional package is missing is left out."""
    for module in pkgutil.walk_packages(dendrix.__path__, "dendrix."):
        if module.name == "dendrix.__main__":
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as missing:
            if (missing.name or "dendrix").split(".")[0] == "dendrix":
                raise


def without_example(classes: Iterable[type[Stateful]]) -> set[type[Stateful]]:
    """Those that have neither an example nor a reason to have none."""
    return set(classes) - {example.of for example in EXAMPLES.values()} - set(ABSTRACT)


for module in pkgutil.iter_modules(dendrix.neurons.__path__, "dendrix.neurons."):
    importlib.import_module(module.name)
for cls in sorted(subclasses(Neuron) - {UsersNeuron}, key=lambda cls: cls.__name__):  # every neuron of dendrix, without a list
    EXAMPLES.setdefault(cls.__name__, Example(cls, lambda cls=cls: cls(SIZE)))
