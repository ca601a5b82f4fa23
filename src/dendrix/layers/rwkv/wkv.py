"""WKV: a running average of values weighted by keys and age, which replaces attention at linear cost."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...core import expect, expect_floating, expect_state, expect_valid, find_kernel, select, zero_invalid


class WKVState(NamedTuple):
    """Sums over the past, [B, C] each, scaled by exp(-pp); float64 for float64 inputs, otherwise float32."""

    aa: Tensor
    """Weighted sum of the values."""
    bb: Tensor
    """Sum of the weights."""
    pp: Tensor
    """Exponent of the scale. It has no gradient, because the scale cancels out."""


_NOTHING = -1e38
"""Exponent of an empty past, finite so that differences are not NaN."""


def wkv(
    k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, state: WKVState | None = None, valid: Tensor | None = None
) -> tuple[Tensor, WKVState]:
    """Compute a running average of values with weights exp(k), which decay by exp(-rate) per step.

    y_t = (sum_{i<t} e^{k_i - (t-1-i) rate} v_i + e^{bonus + k_t} v_t) / (the same without v)

    With a rate for each step, (t-1-i) rate is the sum of the rates of steps i+1 to t-1.

    Args:
        k: keys, [B, T, C].
        v: values, [B, T, C].
        rate: decay rate, positive, per step: [C], or [B, T, C] for rates that differ between steps.
        bonus: constant added to the key of the current step, [C].
        state: sums before the first step; None for an empty past.
        valid: bool [B, T]; an invalid step outputs zero and does not change the sums. None: all steps are valid.
    Returns:
        y [B, T, C] with the dtype of `v`, and the state after the last step.
    Raises:
        InputError, InputTypeError: a shape or dtype does not match.
    Source: SpikeGPT (arXiv 2302.13939) as released, after RWKV-4 (arXiv 2305.13048). Rates of steps: ours, after the idea of RWKV-6
        (arXiv 2404.05892).
    """
    expect(k, "B T C", "k")
    expect(v, "B T C", "v", B=k.shape[0], T=k.shape[1], C=k.shape[2])
    expect_floating(v, "v")
    varying = rate.dim() == 3
    if varying:
        expect(rate, "B T C", "rate", B=k.shape[0], T=k.shape[1], C=k.shape[2])
    else:
        expect(rate, "C", "rate", C=k.shape[2])
    expect(bonus, "C", "bonus", C=k.shape[2])
    expect_valid(valid, k)
    expect_state(state, WKVState, k[:, 0].shape)
    kept = torch.float64 if v.dtype == torch.float64 else torch.float32
    k, values, rate, bonus = (x.to(kept) for x in (k, v, rate, bonus))
    if state is None:
        rest = torch.zeros_like(k[:, 0])
        state = WKVState(rest, rest.clone(), torch.full_like(rest, _NOTHING))
    if fused := find_kernel("varying_wkv" if varying else "wkv", k.device.type, k, values, rate, bonus, state, valid):
        y, state = fused.run(k, values, rate, bonus, state, valid)
        return y.to(v.dtype), state
    outputs = []
    rates = zero_invalid(rate, valid).unbind(1) if varying else [rate] * k.shape[1]
    for t, (k_t, v_t, rate_t) in enumerate(
        zip(zero_invalid(k, valid).unbind(1), zero_invalid(values, valid).unbind(1), rates, strict=True)
    ):
        y, after = wkv_step(k_t, v_t, rate_t, bonus, state)
        if valid is not None:
            after, y = select(valid[:, t], after, state), y * valid[:, t].unsqueeze(1)
        state = after
        outputs.append(y)
    return torch.stack(outputs, 1).to(v.dtype), state


def wkv_step(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, state: WKVState) -> tuple[Tensor, WKVState]:
    """Compute one step of `wkv`, k and v [B, C], rate [C] or [B, C]. All exponents are at most zero."""
    aa, bb, pp = state
    top = torch.maximum(pp, bonus + k).detach()
    past, now = torch.exp(pp - top), torch.exp(bonus + k - top)
    y = (past * aa + now * v) / (past * bb + now)
    top = torch.maximum(pp - rate, k).detach()
    past, now = torch.exp(pp - rate - top), torch.exp(k - top)
    return y, WKVState(past * aa + now * v, past * bb + now, top)
