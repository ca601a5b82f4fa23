"""Step of neurons that fire several or negative spikes at a step."""

import torch
from torch import Tensor

from .base import Spike
from .lif import LIFState


def spike_count_step(
    x: Tensor, state: LIFState, *, decay: Tensor | float, v_threshold: float, levels: int, signed: bool, spike: Spike
) -> tuple[Tensor, LIFState]:
    """Compute one time step of neurons that fire several or negative spikes at a step.

    h = v + (1 - decay) * (x - v)
    y = sum of [h >= k * v_threshold] over k = 1 ... levels, minus the same of -h if `signed`
    v <- 0 where y is not 0, else h

    With one level and without sign, these are the equations of `lif_step` for SpikeGPT. Several levels are spikes of as many virtual steps
    within a token, all multiplied by the same matrix: a product with y is a sum of `levels` products with zeros and ones.

    Args:
        x: input current, [B, C].
        state: state before the step.
        decay: one value or one per channel, in (0, 1).
        v_threshold: distance of the levels.
        levels: number of levels.
        signed: whether there are negative spikes.
        spike: Heaviside step with a surrogate gradient, for the distance to each level.
    Returns:
        y [B, C] in {0, ..., levels}, or {-levels, ..., levels}, and the next state.
    Source: ours, after integer spike counts in training (Luo et al. 2024, arXiv 2407.20708) and the neurons of SpikeGPT.
    """
    h = state.v + (1 - decay) * (x - state.v)
    up = [spike(h - level * v_threshold) for level in range(1, levels + 1)]
    down = [spike(-h - level * v_threshold) for level in range(1, levels + 1)] if signed else []
    y, fires = torch.stack(up).sum(0), up[0]
    if signed:
        y, fires = y - torch.stack(down).sum(0), fires + down[0]
    return y, LIFState((1 - fires) * h)
