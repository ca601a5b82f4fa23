"""The delay layer beside DCLS: a training step, the construction of its kernel, and evaluation with integer delays."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from ..core import use_kernels
from ..core.dispatch import Mode
from ..layers import DelayLinear, freeze, rounded
from ..layers.delay.linear import Granularity, shifted
from . import peers
from .harness import OURS, Case, Contender, Results, Step
from .inputs import cotangent, spikes

_PLAIN = "torch conv1d"
_WIDTH = 0.23
"""The published width in the last three quarters of the training; the Gaussian is then 0.5 steps wide."""


def _layer(C: int, H: int, L: int) -> DelayLinear:
    torch.manual_seed(0)
    return DelayLinear(C, H, max_delay_ms=L, dt_ms=1.0, width=_WIDTH)


def _ours(mode: Mode, density: float, input_gradient: bool) -> Callable[..., Step]:
    def build(B: int, T: int, C: int, H: int, L: int) -> Step:
        layer, x, g = _layer(C, H, L), spikes(B, T, C, density).requires_grad_(input_gradient), cotangent(B, T, H)
        wanted: list[Any] = [layer.weight, layer.delay] + [x] * input_gradient

        def step() -> Results:
            with use_kernels(mode):
                y, _ = layer(x)
                grads = torch.autograd.grad(y, wanted, g)
            return _named(y.detach(), grads)

        return step

    return build


def _dcls(density: float, input_gradient: bool) -> Callable[..., Step]:
    def build(B: int, T: int, C: int, H: int, L: int) -> Step:
        ours = _layer(C, H, L)
        layer = peers.dcls_layer(ours.weight.detach(), ours.delay.detach(), _WIDTH, L)
        x = _channel_first(spikes(B, T, C, density)).requires_grad_(input_gradient)
        g = _channel_first(cotangent(B, T, H))
        wanted = [layer.weight, layer.P] + [x] * input_gradient

        def step() -> Results:
            y = layer(pad(x, (L - 1, 0)))
            weight, position, *rest = torch.autograd.grad(y, wanted, g)
            return _named(y.detach().transpose(1, 2), [weight, -position[0], *(r.transpose(1, 2) for r in rest)])

        return step

    return build


def _named(y: Tensor, grads: "list[Tensor] | tuple[Tensor, ...]") -> Results:
    return {"y": y} | dict(zip(("grad weight", "grad delay", "grad x"), grads, strict=False))


def _channel_first(x: Tensor) -> Tensor:
    return x.transpose(1, 2).contiguous()


def _our_kernel(mode: Mode) -> Callable[..., Step]:
    def build(C: int, H: int, L: int) -> Step:
        layer, g = _layer(C, H, L), cotangent(L, C, H)
        wanted: list[Any] = [layer.weight, layer.delay]

        def step() -> Results:
            with use_kernels(mode):
                kernel = layer.kernel()
                weight, delay = torch.autograd.grad(kernel, wanted, g)
            return {"kernel": kernel.detach(), "grad weight": weight, "grad delay": delay}

        return step

    return build


def _dcls_kernel(C: int, H: int, L: int) -> Step:
    ours = _layer(C, H, L)
    layer = peers.dcls_layer(ours.weight.detach(), ours.delay.detach(), _WIDTH, L)
    g = cotangent(L, C, H).flip(0).permute(2, 1, 0).contiguous()

    def step() -> Results:
        kernel = layer.DCK(layer.weight, layer.P, layer.SIG)
        weight, position = torch.autograd.grad(kernel, [layer.weight, layer.P], g)
        return {"kernel": kernel.detach().permute(2, 1, 0).flip(0), "grad weight": weight, "grad delay": -position[0]}

    return step


def _one_delay_each(mode: Mode, granularity: Granularity) -> Callable[..., Step]:
    """A training step of a layer with one delay per input or output neuron."""

    def build(B: int, T: int, C: int, H: int, L: int) -> Step:
        torch.manual_seed(0)
        layer = DelayLinear(C, H, max_delay_ms=L, dt_ms=1.0, width=_WIDTH, granularity=granularity)
        x, g = spikes(B, T, C, 0.10).requires_grad_(), cotangent(B, T, H)
        wanted: list[Any] = [layer.weight, layer.delay, x]

        def step() -> Results:
            with use_kernels(mode):
                y, _ = layer(x)
                return _named(y.detach(), torch.autograd.grad(y, wanted, g))

        return step

    return build


def _shift(mode: Mode) -> Callable[..., Step]:
    """The convolution along time alone, one row of taps per channel."""

    def build(B: int, T: int, C: int, L: int) -> Step:
        x, g = spikes(B, T, C, 0.10).requires_grad_(), cotangent(B, T, C).unsqueeze(3)
        taps = cotangent(C, 1, L).requires_grad_()

        def step() -> Results:
            with use_kernels(mode):
                y = shifted(x, taps)
                grad_x, grad_taps = torch.autograd.grad(y, [x, taps], g)
            return {"y": y.detach(), "grad x": grad_x, "grad taps": grad_taps}

        return step

    return build


def _our_evaluation(density: float) -> Callable[..., Step]:
    def build(B: int, T: int, C: int, H: int, L: int) -> Step:
        layer, x = freeze(_layer(C, H, L)), spikes(B, T, C, density)

        @torch.no_grad()
        def step() -> Results:
            return {"y": layer(x)[0]}

        return step

    return build


def _conv1d_evaluation(density: float) -> Callable[..., Step]:
    """The dense convolution, with its kernel computed before the timing."""

    def build(B: int, T: int, C: int, H: int, L: int) -> Step:
        layer = _layer(C, H, L)
        with torch.no_grad(), use_kernels("reference"), rounded(layer):
            kernel = layer.kernel().flip(0).permute(2, 1, 0).contiguous()
        x = _channel_first(spikes(B, T, C, density))

        @torch.no_grad()
        def step() -> Results:
            return {"y": conv1d(pad(x, (L - 1, 0)), kernel).transpose(1, 2)}

        return step

    return build


def _training(
    name: str, about: str, density: float, input_gradient: bool, B: int = 128, C: int = 256, H: int = 256, repeats: int = 3
) -> Case:
    contenders = (
        Contender(_PLAIN, _ours("reference", density, input_gradient)),
        Contender(OURS, _ours("auto", density, input_gradient), _PLAIN),
        Contender("DCLS", _dcls(density, input_gradient), _PLAIN),
    )
    size, warm = dict(B=B, T=100, C=C, H=H, L=25), dict(B=16, T=30, C=64, H=64, L=25)
    return Case(name, about, size, warm, contenders, 1e-5, repeats, all_threads=repeats > 0)


def _per_neuron() -> list[Case]:
    """One delay per input or output neuron: the convolution along time alone, and whole layers, beside torch's grouped convolution."""
    plain = "torch grouped conv1d"
    contenders = (Contender(plain, _shift("reference")), Contender(OURS, _shift("auto"), plain))
    size, warm = dict(B=64, T=100, C=256, L=25), dict(B=16, T=30, C=64, L=25)
    cases = [Case("delay-shift", "one delay per channel, forward and backward", size, warm, contenders, 1e-5, repeats=5)]
    granularities: tuple[Granularity, ...] = ("axonal", "dendritic")
    for name in granularities:
        layers = (Contender(plain, _one_delay_each("reference", name)), Contender(OURS, _one_delay_each("auto", name), plain))
        about = f"{name} delays: layer with its matrix product, one training step"
        cases.append(Case(f"delay-{name}", about, {**size, "H": 256}, {**warm, "H": 64}, layers, 1e-5, repeats=5))
    return cases


def _shd_memory() -> list[Case]:
    """The three delay layers of the SHD network at batch 256; only memory is measured."""
    layers = (("first", 140, 256, 0.25, False), ("second", 256, 256, 0.10, True), ("read-out", 256, 20, 0.10, True))
    return [
        _training(f"delay-memory-{name}", f"{name} delay layer of the SHD network, batch 256", density, gradient, 256, C, H, repeats=0)
        for name, C, H, density, gradient in layers
    ]


def _evaluation(percent: int) -> Case:
    contenders = (
        Contender(_PLAIN, _conv1d_evaluation(percent / 100)),
        Contender(OURS, _our_evaluation(percent / 100), _PLAIN),
    )
    about = f"delay layer, evaluation with integer delays, {percent} % of the inputs spike"
    size, warm = dict(B=8, T=110, C=256, H=256, L=25), dict(B=4, T=30, C=64, H=64, L=25)
    return Case(f"delay-evaluation-{percent}", about, size, warm, contenders, 1e-5, repeats=25)


def cases() -> list[Case]:
    """Training of an inner and of a first layer, construction of the kernel, evaluation, one delay per neuron, and memory."""
    kernel = (
        Contender("torch", _our_kernel("reference")),
        Contender(OURS, _our_kernel("auto"), "torch"),
        Contender("DCLS", _dcls_kernel, "torch"),
    )
    return [
        _training("delay-training", "delay layer, one training step, inputs 10 % dense", 0.10, input_gradient=True),
        _training("delay-first-layer", "the same as a first layer: no input gradient, inputs 5 % dense", 0.05, input_gradient=False),
        Case(
            "delay-kernel",
            "Gaussian kernel, construction forward and backward",
            dict(C=256, H=256, L=25),
            dict(C=64, H=64, L=25),
            kernel,
            1e-5,
            repeats=9,
        ),
        *(_evaluation(percent) for percent in (1, 5, 10)),
        *_per_neuron(),
        *_shd_memory(),
    ]
