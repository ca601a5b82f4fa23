"""Training step of a language model: spikegpt-small with and without kernels, beside a GPT-2 of equal size."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..core import use_kernels
from ..core.dispatch import Mode
from ..models.gpt2 import GPT2, GPT2Config
from ..models.spikegpt.blocks import Spikes
from ..models.spikegpt.l2_wrap import l2_wrap
from ..models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from ..train.products import fast_products
from .harness import OURS, Case, Contender, Results, Step, UnavailableError

_LOOPS = "torch loops"
_GPT2 = "GPT-2 (transformers)"
_TWIN = "dendrix, no spikes"
_MKL = "dendrix, products of MKL, AdamW not fused"
_BFLOAT16 = "dendrix, bf16"
_VOCABULARY = 256
_LOUDER = 20.0
"""Factor of some initial weights, which are so small that no neuron fires; with it, one in eight fires."""


def _spikegpt(width: int, layers: int, spikes: Spikes) -> SpikeGPT:
    network = SpikeGPT(SpikeGPTConfig(_VOCABULARY, width, layers, spikes, dropout=0.0))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith(("att.output.weight", "ffn.value.weight")):
                weight.mul_(_LOUDER)
    return network


def _gpt2(context: int) -> GPT2:
    try:
        return GPT2(GPT2Config(_VOCABULARY, width=128, layers=5, context=context))
    except ImportError as missing:
        raise UnavailableError(str(missing)) from missing


def _step(spikes: Spikes | None, mode: Mode = "auto", fast: bool = True, bfloat16: bool = False) -> Callable[..., Step]:
    """Forward, loss, backward, clipping and AdamW, as in `dendrix train`; the results are the loss and its gradients.

    Args:
        spikes: placement of the neurons of SpikeGPT; None is GPT-2.
        mode: mode of the kernels.
        fast: choose the library for products as `dendrix train` does, and fuse AdamW; False leaves both to torch.
        bfloat16: compute products in bfloat16.
    """

    def build(B: int, T: int, C: int, L: int) -> Step:
        torch.manual_seed(0)
        network = _gpt2(T) if spikes is None else _spikegpt(C, L, spikes)
        text = torch.randint(_VOCABULARY, (B, T + 1), generator=torch.Generator().manual_seed(1))
        optimiser = torch.optim.AdamW(network.parameters(), 1e-6, fused=fast)  # a small rate, so that all rounds compute nearly the same

        def step() -> Results:
            optimiser.zero_grad()
            with use_kernels(mode), fast_products() if fast else nullcontext():
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    logits, _ = network(text[:, :-1])
                loss = cross_entropy(logits.float().flatten(0, 1), text[:, 1:].flatten())
                l2_wrap(loss, logits).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            return {"loss": loss.detach(), **_gradients(network)}

        return step

    return build


def _gradients(network: nn.Module) -> dict[str, Tensor]:
    return {f"grad {name}": p.grad for name, p in network.named_parameters() if p.grad is not None}


def cases() -> list[Case]:
    """Windows of 256 and of 1,024 tokens, with the same number of tokens per step."""
    contenders = (
        Contender(_LOOPS, _step("output", "reference")),
        Contender(OURS, _step("output"), _LOOPS),
        Contender(_MKL, _step("output", fast=False), _LOOPS),
        Contender(_BFLOAT16, _step("output", bfloat16=True)),
        Contender(_TWIN, _step("none")),
        Contender(_GPT2, _step(None)),
    )
    found = []
    for B, T in ((16, 256), (4, 1024)):
        about = f"training step of spikegpt-small, 1.1 million parameters, {B} windows of {T} tokens, AdamW"
        size = dict(B=B, T=T, C=160, L=3)
        # Of millions of membranes a few are so near to the threshold that rounding decides; gradients are compared at a small size.
        small = {**size, "B": 2, "T": 64}
        found.append(Case(f"lm-{T}", about, size, small, contenders, 1e-4, repeats=5, exact=small, coarse={"loss": 1e-4}))
    return found
