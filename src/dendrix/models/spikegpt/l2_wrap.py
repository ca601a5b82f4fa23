"""L2Wrap: a penalty on the largest logit of every token, which prevents the logits from drifting."""

from typing import Any

import torch
from torch import Tensor

from ...core import expect


def l2_wrap(loss: Tensor, logits: Tensor, factor: float = 1e-4) -> Tensor:
    """Return the loss unchanged, with `factor / (B T)` times the largest logit of every token added to the gradient of that logit.

    The added gradient is scaled with the gradient of the loss, unlike in the release, so that loss scaling and gradient accumulation affect
    both equally.

    Args:
        loss: scalar [].
        logits: [B, T, V].
        factor: strength of the penalty.
    Source: SpikeGPT (arXiv 2302.13939) as released, after RWKV-4.
    """
    expect(logits, "B T V", "logits")
    largest, where = logits.max(-1, keepdim=True)
    wrapped: Tensor = _L2Wrap.apply(loss, logits, largest * (factor / largest.numel()), where)  # type: ignore[no-untyped-call]
    return wrapped


class _L2Wrap(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(loss: Tensor, logits: Tensor, pull: Tensor, where: Tensor) -> Tensor:
        return loss.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Tensor], output: Tensor) -> None:
        _, logits, pull, where = inputs
        ctx.save_for_backward(pull, where)
        ctx.save_for_forward(pull, where)
        ctx.shape = logits.shape

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        pull, where = ctx.saved_tensors
        return upstream, pull.new_zeros(ctx.shape).scatter(-1, where, pull * upstream), None, None

    @staticmethod
    def jvp(ctx: Any, dloss: Tensor, dlogits: Tensor, *_: None) -> Tensor:
        pull, where = ctx.saved_tensors
        return torch.add(dloss, (pull * dlogits.gather(-1, where)).sum())
