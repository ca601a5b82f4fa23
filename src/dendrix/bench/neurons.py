"""LIF neurons forward and backward, beside SpikingJelly, snnTorch and Norse in the equations that they share."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import ATan, Triangle, use_kernels
from ..core.dispatch import Mode
from ..neurons import LIF
from . import peers
from .harness import OURS, Case, Contender, Results, Step
from .inputs import cotangent, currents

_LOOP = "torch loop (unbind)"
_DECAY = 0.5
"""Exact in binary, so that `v - v / tau + x` and `decay * v + x` round alike; tau = 2 steps."""

_SHAPES = ((100, 256, 256), (250, 128, 256), (1024, 8, 512))


def _shared(size: int) -> LIF:
    """The equations that SpikingJelly and snnTorch have in common: hard reset to 0, detached, arctangent of alpha 2."""
    return LIF(size, decay=_DECAY, train_tau=False, v_reset=0.0, spike=ATan(2.0))


def _norse(size: int) -> LIF:
    """Norse's equations: scaled input, hard reset to 0 with its gradient, triangle of width 1."""
    return LIF(size, decay=_DECAY, train_tau=False, v_reset=0.0, scale_input=True, detach_reset=False, spike=Triangle(1.0))


def _ours(make: Callable[[int], LIF], mode: Mode) -> Callable[..., Step]:
    def build(T: int, B: int, C: int) -> Step:
        neuron = make(C)
        x, g = currents(neuron, B, T).requires_grad_(), cotangent(B, T, C)

        def step() -> Results:
            with use_kernels(mode):
                y, _ = neuron(x)
                return {"spikes": y.detach(), "grad x": torch.autograd.grad(y, x, g)[0]}

        return step

    return build


def _theirs(make: Callable[[int], LIF], run: Callable[[], Callable[[Tensor], Tensor]]) -> Callable[..., Step]:
    """The step of a peer, in the layout [T, B, C] that it is made for."""

    def build(T: int, B: int, C: int) -> Step:
        forward = run()
        x = currents(make(C), B, T, time_first=True).transpose(0, 1).requires_grad_()
        g = cotangent(B, T, C, time_first=True).transpose(0, 1)

        def step() -> Results:
            y = forward(x)
            (grad,) = torch.autograd.grad(y, x, g)
            return {"spikes": y.detach().transpose(0, 1), "grad x": grad.transpose(0, 1)}

        return step

    return build


def _spikingjelly() -> Callable[[Tensor], Tensor]:
    neuron = peers.spikingjelly_lif(tau=1 / (1 - _DECAY), alpha=2.0)

    def forward(x: Tensor) -> Tensor:
        neuron.reset()
        y: Tensor = neuron(x)
        return y

    return forward


def _snntorch() -> Callable[[Tensor], Tensor]:
    neuron = peers.snntorch_lif(beta=_DECAY, alpha=2.0)

    def forward(x: Tensor) -> Tensor:
        mem, outputs = torch.zeros_like(x[0]), []
        for x_t in x.unbind(0):
            y, mem = neuron(x_t, mem)
            outputs.append(y)
        return torch.stack(outputs)

    return forward


def _norse_loop() -> Callable[[Tensor], Tensor]:
    cell = peers.norse_lif(rate=1 - _DECAY)

    def forward(x: Tensor) -> Tensor:
        state, outputs = None, []
        for x_t in x.unbind(0):  # not norse's own Lift, which indexes x[t]: its backward costs O(T^2)
            y, state = cell(x_t, state)
            outputs.append(y)
        return torch.stack(outputs)

    return forward


def _limit(T: int, B: int, C: int) -> Step:
    """What no neuron can undercut: one multiply of the input forward, one of the gradient backward."""
    x, g = cotangent(B, T, C).requires_grad_(), cotangent(B, T, C)

    def step() -> Results:
        y = x * _DECAY
        return {"product": y.detach(), "grad x": torch.autograd.grad(y, x, g)[0]}

    return step


def cases() -> list[Case]:
    """Three shapes, each in the equations shared by two peers and in those of Norse."""
    shared = (
        Contender(_LOOP, _ours(_shared, "reference")),
        Contender(OURS, _ours(_shared, "auto"), _LOOP),
        Contender("SpikingJelly", _theirs(_shared, _spikingjelly), _LOOP),
        Contender("snnTorch", _theirs(_shared, _snntorch), _LOOP),
        Contender("limit", _limit),
    )
    norse = (
        Contender(_LOOP, _ours(_norse, "reference")),
        Contender(OURS, _ours(_norse, "auto"), _LOOP),
        Contender("Norse", _theirs(_norse, _norse_loop), _LOOP),
    )
    found = []
    for T, B, C in _SHAPES:
        size, warm = dict(T=T, B=B, C=C), dict(T=16, B=8, C=C)
        shape = f"[T {T}, B {B}, C {C}]"
        found.append(Case(f"lif-{T}", f"LIF forward and backward, {shape}", size, warm, shared, 1e-6))
        found.append(Case(f"lif-{T}-norse", f"LIF as Norse has it, forward and backward, {shape}", size, warm, norse, 1e-6))
    return found
