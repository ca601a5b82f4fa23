"""Surrogate gradients: Heaviside steps with a smooth derivative in the backward pass.

A surrogate is a frozen dataclass, whose type and parameters a kernel can read. Any other function from `v - v_threshold` to spikes can be
used as well, without a kernel.
Source: Neftci, Mostafa & Zenke (2019), "Surrogate gradient learning in spiking neural networks".
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..checks import expect_fields
from .dispatch import transform


def _step(u: Tensor) -> Tensor:
    return (u >= 0).to(u.dtype)


class _Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, surrogate: "Surrogate") -> Tensor:
        ctx.save_for_backward(u)
        ctx.surrogate = surrogate
        return _step(u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return grads[0] * ctx.surrogate.derivative(u), None


class _TransformedHeaviside(torch.autograd.Function):
    """Variant for torch.func and forward mode; `_Heaviside` is faster by 20 us per call, the cost of `setup_context`."""

    generate_vmap_rule = True
    backward = _Heaviside.backward

    @staticmethod
    def forward(u: Tensor, surrogate: "Surrogate") -> Tensor:
        return _step(u)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, "Surrogate"], output: Tensor) -> None:
        u, ctx.surrogate = inputs
        ctx.save_for_backward(u)
        ctx.save_for_forward(u)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        slope: Tensor = ctx.surrogate.derivative(u)
        return tangents[0] * slope


class _CompiledHeaviside(torch.autograd.Function):
    """Variant for torch.compile, which with dynamic=True cannot read the parameter of a surrogate in two backward passes (torch 2.13)."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return _step(u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return grads[0] * slope, None


@dataclass(frozen=True)
class Surrogate:
    """Base class of surrogates: the step `[u >= 0]` with the gradient `derivative(u)`."""

    def derivative(self, u: Tensor) -> Tensor:
        """Return the surrogate derivative at `u`, a tensor of any shape."""
        raise NotImplementedError(f"{type(self).__name__} is abstract. Define derivative(u) in the subclass.")

    def __call__(self, u: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            return _CompiledHeaviside.apply(u, self.derivative(u.detach()))  # type: ignore[no-any-return, no-untyped-call]
        step = _TransformedHeaviside if transform() else _Heaviside
        return step.apply(u, self)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True)
class ATan(Surrogate):
    """(alpha / 2) / (1 + (pi / 2 * alpha * u)^2). Source: Fang et al. (2021), arXiv 2007.05785."""

    alpha: float = 2.0

    def __post_init__(self) -> None:
        expect_fields(self, alpha="(0, inf)")

    def derivative(self, u: Tensor) -> Tensor:
        return (self.alpha / 2) / (1 + (math.pi / 2 * self.alpha * u) ** 2)


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """alpha * s * (1 - s) with s = sigmoid(alpha * u)."""

    alpha: float = 4.0

    def __post_init__(self) -> None:
        expect_fields(self, alpha="(0, inf)")

    def derivative(self, u: Tensor) -> Tensor:
        s = torch.sigmoid(self.alpha * u)
        return self.alpha * s * (1 - s)


@dataclass(frozen=True)
class Triangle(Surrogate):
    """max(0, 1 - |u| / width) / width. Source: Esser et al. (2016), arXiv 1603.08270."""

    width: float = 1.0

    def __post_init__(self) -> None:
        expect_fields(self, width="(0, inf)")

    def derivative(self, u: Tensor) -> Tensor:
        return (1 - u.abs() / self.width).clamp_min(0) / self.width


@dataclass(frozen=True)
class Boxcar(Surrogate):
    """1 / (2 * width) where |u| < width, else 0."""

    width: float = 0.5

    def __post_init__(self) -> None:
        expect_fields(self, width="(0, inf)")

    def derivative(self, u: Tensor) -> Tensor:
        return (u.abs() < self.width).to(u.dtype) / (2 * self.width)
