"""WKV, forward and backward: the defining loop, a chunked form in torch, and the kernel."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import use_kernels
from ..core.dispatch import Mode
from ..layers.rwkv.wkv import wkv
from .harness import OURS, Case, Contender, Results, Step

_LOOP = "torch loop (unbind)"
_CHUNKED = "torch in chunks"
_CHUNK = 8
"""The fastest of 2, 4, 8, 16, 32 and 64 steps."""

Form = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def chunked(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor) -> Tensor:
    """`layers.rwkv.wkv` from an empty past, with a weight for every pair of steps in a chunk; the sums are passed to the next chunk."""
    aa = bb = torch.zeros_like(k[:, 0])
    pp, outputs = torch.full_like(aa, -1e38), []
    for key, value in zip(torch.split(k, _CHUNK, 1), torch.split(v, _CHUNK, 1), strict=True):
        steps = torch.arange(key.shape[1])
        age = (steps.unsqueeze(1) - 1 - steps).unsqueeze(-1)
        exponents = torch.where(age >= 0, key.unsqueeze(1) - age * rate, -1e38)
        exponents = torch.where(age == -1, (key + bonus).unsqueeze(1), exponents)  # [B, to, from, C]
        past = pp.unsqueeze(1) - steps.unsqueeze(1) * rate
        top = torch.maximum(exponents.amax(2), past).detach()
        weights, past = torch.exp(exponents - top.unsqueeze(2)), torch.exp(past - top)
        above = (weights * value.unsqueeze(1)).sum(2) + past * aa.unsqueeze(1)
        outputs.append(above / (weights.sum(2) + past * bb.unsqueeze(1)))
        exponents, past = key - (len(steps) - 1 - steps).unsqueeze(1) * rate, pp - len(steps) * rate
        pp = torch.maximum(exponents.amax(1), past).detach()
        weights, past = torch.exp(exponents - pp.unsqueeze(1)), torch.exp(past - pp)
        aa, bb = (weights * value).sum(1) + past * aa, weights.sum(1) + past * bb
    return torch.cat(outputs, 1)


def _whole(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor) -> Tensor:
    return wkv(k, v, rate, bonus)[0]


def _step(form: Form, mode: Mode = "auto") -> Callable[..., Step]:
    def build(B: int, T: int, C: int) -> Step:
        generator = torch.Generator().manual_seed(0)
        k, v, upstream = (torch.randn(B, T, C, generator=generator) for _ in range(3))
        rate, bonus = torch.exp(torch.linspace(-5, 3, C)), torch.randn(C, generator=generator)  # the initial values of SpikeGPT
        leaves = {"k": k, "v": v, "rate": rate, "bonus": bonus}
        for leaf in leaves.values():
            leaf.requires_grad_()

        def step() -> Results:
            with use_kernels(mode):
                y = form(k, v, rate, bonus)
                gradients = torch.autograd.grad(y, list(leaves.values()), upstream)
            return {"y": y.detach(), **{f"grad {name}": g for name, g in zip(leaves, gradients, strict=True)}}

        return step

    return build


def cases() -> list[Case]:
    """The sizes of spikegpt-small and of the published network of 46 million parameters."""
    contenders = (
        Contender(_LOOP, _step(_whole, "reference")),
        Contender(OURS, _step(_whole), _LOOP),
        Contender(_CHUNKED, _step(chunked), _LOOP),
    )
    found = []
    for B, T, C in ((16, 256, 160), (4, 1024, 512)):
        about = f"WKV forward and backward, [B {B}, T {T}, C {C}]"
        found.append(Case(f"wkv-{T}", about, dict(B=B, T=T, C=C), dict(B=2, T=32, C=C), contenders, 1e-4, repeats=5))
    return found
