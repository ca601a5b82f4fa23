"""Token shift: mixing of each step with the previous one."""

import torch
from torch import Tensor

from ...core import expect, expect_state, expect_valid, find_kernel


def token_shift(x: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the last valid step before each step, or zeros before the first one.

    Args:
        x: [B, T, C].
        state: last valid step before x, [B, C]; None stands for zeros.
        valid: bool [B, T]; invalid steps are skipped. None: all steps are valid.
    Returns:
        y [B, T, C], and the last valid step, [B, C].
    Raises:
        InputError, InputTypeError: a shape or dtype does not match.
    Source: SpikeGPT (arXiv 2302.13939) as released, after RWKV-4 (arXiv 2305.13048).
    """
    expect(x, "B T C")
    expect_valid(valid, x)
    expect_state(state, Tensor, x[:, 0].shape)
    before = torch.zeros_like(x[:, :1]) if state is None else state.unsqueeze(1)
    if valid is None and x.shape[1]:
        return torch.cat([before, x[:, :-1]], 1), x[:, -1].clone()
    line = torch.cat([before, x], 1)
    if valid is None:
        return line[:, :-1], line[:, -1].clone()
    steps = torch.arange(1, x.shape[1] + 1, device=x.device)
    newest = torch.where(valid, steps, 0).cummax(1).values  # index of the latest valid step
    newest = torch.cat([torch.zeros_like(newest[:, :1]), newest], 1)
    found = line.gather(1, newest.unsqueeze(2).expand(-1, -1, x.shape[2]))
    return found[:, :-1], found[:, -1].clone()


def token_mix(x: Tensor, earlier: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
    """Compute the mixture m x + (1 - m) earlier for each vector m of `shares`.

    Args:
        x: [B, T, C].
        earlier: result of `token_shift` for x, [B, T, C].
        *shares: mixing ratios, [C] each, not limited to [0, 1].
    Returns:
        one mixture [B, T, C] per vector.
    Raises:
        InputError: a shape does not match.
    Source: SpikeGPT (arXiv 2302.13939) as released, after RWKV-4.
    """
    expect(x, "B T C")
    expect(earlier, "B T C", "earlier", B=x.shape[0], T=x.shape[1], C=x.shape[2])
    for share in shares:
        expect(share, "C", "share", C=x.shape[2])
    if fused := find_kernel("token_mix", x.device.type, x, earlier, shares):
        return tuple(fused.run(x, earlier, shares))
    return tuple(x * share + earlier * (1 - share) for share in shares)
