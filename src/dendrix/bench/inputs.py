"""Inputs of the benchmarks, filled step by step: no larger temporary is allocated, because memory is measured next."""

import torch
from torch import Tensor

from ..core import StepFn
from ..neurons import LIF

MARGIN = 1e-5
"""Least distance of a membrane from the threshold at which float32 code gives the same spikes in any order of additions."""


def _empty(batch: int, steps: int, channels: int, time_first: bool) -> Tensor:
    """[B, T, C], laid out in memory as [T, B, C] if `time_first`."""
    return torch.empty(steps, batch, channels).transpose(0, 1) if time_first else torch.empty(batch, steps, channels)


@torch.no_grad()
def currents(neuron: LIF, batch: int, steps: int, time_first: bool = False) -> Tensor:
    """Random input currents [B, T, C] for which no membrane of `neuron` is within 1e-5 of the threshold.

    At the threshold, rounding decides whether a neuron fires, and all later steps differ. The margin makes implementations with another
    order of additions comparable spike by spike.
    """
    generator = torch.Generator().manual_seed(0)
    x = _empty(batch, steps, neuron.size, time_first)
    threshold = float(neuron.constants["v_threshold"])
    current = torch.empty(batch, neuron.size)
    rule: StepFn = neuron.rule
    state = neuron.init_state(current.double())
    exact = {k: v.double() if isinstance(v, Tensor) else v for k, v in neuron.params().items()}
    for x_t in x.unbind(1):
        x_t.copy_(current.normal_(0.3, 1.0, generator=generator))
        # With an infinite threshold nothing is reset, and the result is the membrane that is compared with the threshold.
        _, before = rule(x_t.double(), state, **(exact | {"v_threshold": 1e30}))
        x_t.add_(torch.where((before.v - threshold).abs() < MARGIN, 1e-3, 0.0))
        _, state = rule(x_t.double(), state, **exact)
    return x


@torch.no_grad()
def clearance(neuron: LIF, x: Tensor) -> float:
    """The least distance of any membrane of `neuron` from its threshold for the currents x [B, T, C]."""
    rule: StepFn = neuron.rule
    params, threshold = neuron.params(), float(neuron.constants["v_threshold"])
    state, nearest = neuron.init_state(x[:, 0]), float("inf")
    for x_t in x.unbind(1):
        _, before = rule(x_t, state, **(params | {"v_threshold": 1e30}))
        nearest = min(nearest, float((before.v - threshold).abs().min()))
        _, state = rule(x_t, state, **params)
    return nearest


def spikes(batch: int, steps: int, channels: int, density: float) -> Tensor:
    """Random binary spikes [B, T, C]."""
    return torch.empty(batch, steps, channels).bernoulli_(density, generator=torch.Generator().manual_seed(1))


def cotangent(batch: int, steps: int, channels: int, time_first: bool = False) -> Tensor:
    """Random gradients of an output [B, T, C], standard normal."""
    generator = torch.Generator().manual_seed(2)
    g = _empty(batch, steps, channels, time_first)
    for g_t in g.unbind(1):
        g_t.copy_(torch.empty(batch, channels).normal_(generator=generator))
    return g
