"""Token shift: every step sees the step before it."""

import torch
from torch import Tensor

from ...core import expect, expect_state, expect_valid, find_kernel


def token_shift(x: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The last valid step before each step, zeros before the first one.

    Args:
        x: [B, T, C].
        state: the step before x, [B, C]; None is zero.
        valid: bool [B, T]; steps that are not valid are stepped over. None: all are valid.
    Returns:
        y [B, T, C], and the last valid step, [B, C].
    Raises:
        TypeError, ValueError: a shape or a dtype does not fit.
    Source: SpikeGPT (arXiv 2302.13939) as released, after RWKV-4 (arXiv 2305.13048).
    """
    expect(x, "B T C")
    expect_valid(valid, x)
    expect_state(state, Tensor, x[:, 0].shape)
    before = torch.zeros_like(x[:, :1]) if state is None else state.unsqueeze(1)
    line = torch.cat([before, x], 1)
    if valid is None:
        return line[:, :-1], line[:, -1].clone()
    steps = torch.arange(1, x.shape[1] + 1, device=x.device)
    newest = torch.where(valid, steps, 0).cummax(1).values  # where on the line the newest valid step stands
    newest = torch.cat([torch.zeros_like(newest[:, :1]), newest], 1)
    found = line.gather(1, newest.unsqueeze(2).expand(-1, -1, x.shape[2]))
    return found[:, :-1], found[:, -1].clone()


def token_mix(x: Tensor, earlier: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
    """For each vector of shares m the mixture m x + (1 - m) earlier.

    Args:
        x: [B, T, C].
        earlier: what `token_shift` made of it, [B, T, C].
        *shares: [C] each; what they share need not lie between 0 and 1.
    Returns:
        a mixture [B, T, C] for each.
    Raises:
        ValueError: a shape does not fit.
    Source: SpikeGPT (arXiv 2302.13939) as released, after RWKV-4.
    """
    expect(x, "B T C")
    expect(earlier, "B T C", "earlier", B=x.shape[0], T=x.shape[1], C=x.shape[2])
    for share in shares:
        expect(share, "C", "share", C=x.shape[2])
    if fused := find_kernel("token_mix", x.device.type, x, earlier, shares):
        return tuple(fused.run(x, earlier, shares))
    return tuple(x * share + earlier * (1 - share) for share in shares)
