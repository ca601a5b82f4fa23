"""LIF neurons, forward and backward, beside SpikingJelly, snnTorch and Norse in the equations that they share, on CPU and GPU."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiled import compiled
from ..core import ATan, Triangle, use_kernels
from ..core.dispatch import Mode
from ..core.threads import in_parts
from ..neurons import LIF
from . import peers
from .harness import OURS, Case, Contender, Results, Step, UnavailableError
from .inputs import cotangent, currents

_LOOP = "torch loop (unbind)"
_DECAY = 0.5
"""Exact in binary, so that `v - v / tau + x` and `decay * v + x` have the same rounding; tau = 2 steps."""

_SHAPES = ((100, 256, 256), (250, 128, 256), (1024, 8, 512))


def _shared(size: int) -> LIF:
    """The equations of SpikingJelly and snnTorch: hard reset to 0, detached, surrogate gradient ATan(2)."""
    return LIF(size, decay=_DECAY, train_tau=False, v_reset=0.0, spike=ATan(2.0))


def _norse(size: int) -> LIF:
    """The equations of Norse: scaled input, hard reset to 0 with its gradient, triangular surrogate gradient of width 1."""
    return LIF(size, decay=_DECAY, train_tau=False, v_reset=0.0, scale_input=True, detach_reset=False, spike=Triangle(1.0))


def _ours(make: Callable[[int], LIF], mode: Mode, device: str = "cpu") -> Callable[..., Step]:
    def build(T: int, B: int, C: int) -> Step:
        _expect_device(device)
        neuron = make(C)
        x, g = currents(neuron, B, T).to(device).requires_grad_(), cotangent(B, T, C).to(device)
        neuron.to(device)

        def step() -> Results:
            with use_kernels(mode):
                y, _ = neuron(x)
                results = {"spikes": y.detach(), "grad x": torch.autograd.grad(y, x, g)[0]}
            _finish(device)
            return results

        return step

    return build


def _theirs(make: Callable[[int], LIF], run: Callable[[], Callable[[Tensor], Tensor]], device: str = "cpu") -> Callable[..., Step]:
    """The step of a peer, in its layout [T, B, C]."""

    def build(T: int, B: int, C: int) -> Step:
        _expect_device(device)
        forward = run()
        x = currents(make(C), B, T, time_first=True).transpose(0, 1).to(device).requires_grad_()
        g = cotangent(B, T, C, time_first=True).transpose(0, 1).to(device)

        def step() -> Results:
            y = forward(x)
            (grad,) = torch.autograd.grad(y, x, g)
            _finish(device)
            return {"spikes": y.detach().transpose(0, 1), "grad x": grad.transpose(0, 1)}

        return step

    return build


def _expect_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("no CUDA device was found")


def _finish(device: str) -> None:
    """Wait for the kernels of a GPU, which run after their call returns."""
    if device == "cuda":
        torch.cuda.synchronize()


def _spikingjelly(device: str = "cpu") -> Callable[[Tensor], Tensor]:
    if device == "cuda":
        os.environ["SJ_LIF_CUDA_IMPLEMENTATION"] = "triton"  # selects its Triton kernels
    neuron = peers.spikingjelly_lif(tau=1 / (1 - _DECAY), alpha=2.0).to(device)

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
        for x_t in x.unbind(0):  # not norse's Lift, which indexes x[t]: the cost of its backward pass is O(T^2)
            y, state = cell(x_t, state)
            outputs.append(y)
        return torch.stack(outputs)

    return forward


def _limit(T: int, B: int, C: int) -> Step:
    """A lower bound for every neuron: one multiplication of the input forward, and one of the gradient backward."""
    x, g = cotangent(B, T, C).requires_grad_(), cotangent(B, T, C)

    def step() -> Results:
        y = x * _DECAY
        return {"product": y.detach(), "grad x": torch.autograd.grad(y, x, g)[0]}

    return step


def _halve(x: Any, y: Any, first: int, last: int) -> None:
    for i in range(np.uintp(first), np.uintp(last)):
        y[i] = x[i] * np.float32(0.5)


def _halve_and_add(x: Any, g: Any, y: Any, first: int, last: int) -> None:
    for i in range(np.uintp(first), np.uintp(last)):
        y[i] = x[i] * np.float32(0.5) + g[i]


def _same_accesses(T: int, B: int, C: int) -> Step:
    """A lower bound for a scan that keeps no membrane: x is read and y written, then x and its output's gradient read and one written."""
    x, g = cotangent(B, T, C), cotangent(B, T, C)
    inputs = [part.numpy().reshape(-1) for part in (x, g)]
    forward, backward = compiled(_halve), compiled(_halve_and_add)

    def step() -> Results:
        y, grad = torch.empty_like(x), torch.empty_like(x)
        in_parts(partial(forward, inputs[0], y.numpy().reshape(-1)), y.numel())
        in_parts(partial(backward, *inputs, grad.numpy().reshape(-1)), y.numel())
        return {"product": y, "grad x": grad}

    return step


def cases() -> list[Case]:
    """Three shapes, each with the equations of SpikingJelly and snnTorch and with those of Norse."""
    shared = (
        Contender(_LOOP, _ours(_shared, "reference")),
        Contender(OURS, _ours(_shared, "auto"), _LOOP),
        Contender("SpikingJelly", _theirs(_shared, _spikingjelly), _LOOP),
        Contender("snnTorch", _theirs(_shared, _snntorch), _LOOP),
        Contender("same accesses", _same_accesses),
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
        about = f"LIF forward and backward, {shape}; same accesses: loops that only read and write what a scan must"
        found.append(Case(f"lif-{T}", about, size, warm, shared, 1e-6))
        found.append(Case(f"lif-{T}-norse", f"LIF with the equations of Norse, forward and backward, {shape}", size, warm, norse, 1e-6))
    return found


def gpu_cases() -> list[Case]:
    """The same shapes on a GPU: the Triton kernels of dendrix and of SpikingJelly, and the loop. No result has been published yet."""
    contenders = (
        Contender(_LOOP, _ours(_shared, "reference", "cuda")),
        Contender(OURS, _ours(_shared, "required", "cuda"), _LOOP),
        Contender("SpikingJelly, Triton", _theirs(_shared, partial(_spikingjelly, "cuda"), "cuda"), _LOOP),
    )
    return [
        Case(
            f"gpu-lif-{T}",
            f"LIF on a GPU, forward and backward, [T {T}, B {B}, C {C}]",
            dict(T=T, B=B, C=C),
            dict(T=16, B=8, C=C),
            contenders,
            1e-6,
            repeats=20,
            all_threads=False,
            memory=False,
        )
        for T, B, C in _SHAPES
    ]
