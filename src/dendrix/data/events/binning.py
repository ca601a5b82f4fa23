"""Spikes or events in time, counted per step and channel."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def count_per_step(
    time_ms: NDArray[np.floating], channel: NDArray[np.integer], channels: int, dt_ms: float, duration_ms: float | None = None
) -> Tensor:
    """How often each channel occurs in each step, integers [T, C]; a byte each where they fit.

    Without a duration, T = ceil(t_last / dt), at least 1, and what occurs at exactly T * dt belongs to the last step. With one,
    T = ceil(duration / dt), and what occurs at T * dt or later is dropped.

    Args:
        time_ms: from 0, in any order, [N]; its type is that of the arithmetic.
        channel: 0 to `channels` - 1, [N].
        channels: C.
        dt_ms: the length of a step, in ms.
        duration_ms: the length that is wanted, in ms.
    """
    end_ms = duration_ms if duration_ms is not None else time_ms.max(initial=0)
    steps = max(int(np.ceil(end_ms / dt_ms)), 1)
    step = (time_ms // dt_ms).astype(np.int64)
    if duration_ms is None:
        step = np.minimum(step, steps - 1)
    else:
        step, channel = step[step < steps], channel[step < steps]
    counts = np.bincount(step * channels + channel, minlength=steps * channels).reshape(steps, channels)
    return torch.from_numpy(counts.astype(np.uint8 if counts.max() < 256 else np.int32))
