"""Whole networks with integer delays, from events or dense inputs to outputs, beside torch's dense form: convolutions and our neurons."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from ..core import use_kernels
from ..deploy import Spikes, StreamingNetwork
from ..layers import BatchNorm, DelayLinear, HeldDropout, Sequential, freeze
from ..neurons import LI, LIF
from ..pretrained import find_run
from ..run_folder import load
from .harness import OURS, Case, Contender, Results, Step
from .inputs import spikes

_DENSE, _FROM_EVENTS = "torch conv1d", "dendrix, from events"
_HIDDEN_RATE = 0.08
"""Rate of the hidden spikes of the network of random weights; that of the shipped `commands` on its test set is 0.07 and 0.10."""
_GRID = 2.0**-12
"""Unit of its weights: with a decay of 1/2, sums are then exact in every order, and no membrane meets its threshold in one order alone."""
STEPS = {"shd": 100, "fsdd": 60, "commands": 110}


def cases() -> list[Case]:
    """Inputs at 1, 5 and 10 %, in batches of 8 and alone, through a network of the size for SHD and the shipped ones."""
    networks = {"shd": "700 -> 256 -> 256 -> 20, random delays of up to 25 steps, hidden layers spike at 8 %"}
    networks |= {name: f"the shipped network `{name}`, its hidden layers at their own rates" for name in ("fsdd", "commands")}
    return [_case(name, about, percent, batch) for name, about in networks.items() for percent in (1, 5, 10) for batch in (8, 1)]


def _case(name: str, about: str, percent: int, batch: int) -> Case:
    ours = {OURS: _compiled, _FROM_EVENTS: _from_events}
    contenders = [Contender(_DENSE, _build(_dense, name, percent))]
    contenders += [Contender(key, _build(make, name, percent), _DENSE) for key, make in ours.items()]
    size = dict(B=batch, T=STEPS[name])
    text = f"{about}; {percent} % of the inputs are events"
    return Case(f"events-{name}-{percent}-b{batch}", text, size, dict(B=2, T=20), tuple(contenders), 1e-4, repeats=25, memory=False)


def _build(make: Callable[[Sequential, Tensor], Step], name: str, percent: int) -> Callable[..., Step]:
    def build(B: int, T: int) -> Step:
        network = network_of(name, percent)
        return make(network, spikes(B, T, channels(network), percent / 100))

    return build


def _compiled(network: Sequential, x: Tensor) -> Step:
    fast = StreamingNetwork(network)
    return lambda: {"y": fast(x)[0]}


def _from_events(network: Sequential, x: Tensor) -> Step:
    fast, steps = StreamingNetwork(network), x.shape[1]
    rows = [events_of(row) for row in x]
    return lambda: {"y": fast.forward_events(rows, steps)[0]}


def channels(network: Sequential) -> int:
    """Number of input channels."""
    first: Any = network.stages[0]
    return int(first.in_features)


def events_of(x: Tensor) -> Spikes:
    """What is not zero in x [T, C]."""
    step, channel = (part.numpy() for part in x.nonzero(as_tuple=True))
    return Spikes(step, channel, x.numpy()[step, channel])


def _dense(network: Sequential, x: Tensor) -> Step:
    """Each delay layer as a convolution with its kernel, computed before the timing, with BatchNorm folded in."""
    parts: list[Any] = []
    for part in network.stages:
        if isinstance(part, DelayLinear):
            with torch.no_grad(), use_kernels("reference"):
                parts.append([part.kernel().flip(0).permute(2, 1, 0).contiguous(), None])
        elif isinstance(part, BatchNorm):
            gain = part.weight / (part.running_var + part.eps).sqrt()
            parts[-1] = [parts[-1][0] * gain.view(-1, 1, 1), part.bias - part.running_mean * gain]
        elif not isinstance(part, HeldDropout):
            parts.append(part)

    @torch.no_grad()
    def step() -> Results:
        h = x
        for part in parts:
            if isinstance(part, list):
                kernel, bias = part
                h = conv1d(pad(h.transpose(1, 2), (kernel.shape[2] - 1, 0)), kernel, bias).transpose(1, 2)
            else:
                h, _ = part(h)
        return {"y": h}

    return step


@cache
@torch.no_grad()
def network_of(name: str, percent: int) -> Sequential:
    """A shipped network, or one of random weights that are scaled until its hidden layers spike at `_HIDDEN_RATE`."""
    if name != "shd":
        return cast(Sequential, load(find_run(name)))
    torch.manual_seed(0)
    sizes = (700, 256, 256)
    h = spikes(2, 100, sizes[0], percent / 100)
    parts: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        layer, neuron = DelayLinear(inputs, outputs, 250.0, 10.0, train_delays=False), LIF(outputs, decay=0.5, v_reset=0.0, train_tau=False)
        drive, low, high = layer(h)[0], 1e-3, 1e3
        for _ in range(40):
            middle = (low * high) ** 0.5
            below = float(neuron(drive * middle)[0].mean()) < _HIDDEN_RATE
            low, high = (middle, high) if below else (low, middle)
        layer.weight.copy_((layer.weight * high / _GRID).round() * _GRID)
        h = neuron(layer(h)[0])[0]
        parts += [layer, neuron]
    last = DelayLinear(sizes[-1], 20, 250.0, 10.0, train_delays=False), LI(20, 20.0, 10.0)
    return cast(Sequential, freeze(Sequential(*parts, *last)))
