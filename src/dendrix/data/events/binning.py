"""Binning of spikes or events into counts per time step and channel."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.limits import expect_within


def count_per_step(
    time_ms: NDArray[np.floating],
    channel: NDArray[np.integer],
    channels: int,
    dt_ms: float,
    duration_ms: float | None = None,
    *,
    name: str = "events",
) -> Tensor:
    """Count the events of each channel in each time step.

    Without a duration, T = max(ceil(t_last / dt), 1), and an event at exactly T * dt is counted in the last step. With a duration,
    T = ceil(duration / dt), and events at T * dt or later are dropped.

    Args:
        time_ms: times >= 0, in any order, [N]; their data type is used for the arithmetic.
        channel: channel of each event, 0 to `channels` - 1, [N].
        channels: C.
        dt_ms: length of a time step, in ms.
        duration_ms: length of the result, in ms; None ends at the last event.
        name: name of the recording, for the error message.
    Returns:
        counts [T, C], uint8 if they fit and int32 otherwise.
    Raises:
        InputError: T * C exceeds the limit of `frame_values` (see `core.limits`).
    """
    channels = int(channels)
    end_ms = duration_ms if duration_ms is not None else time_ms.max(initial=0)
    steps = max(int(np.ceil(end_ms / dt_ms)), 1)
    expect_within(steps * channels, "frame_values", f"{name}, {steps:,} steps of {channels:,} channels")
    step = (time_ms // dt_ms).astype(np.int64)
    if duration_ms is None:
        step = np.minimum(step, steps - 1)
    else:
        step, channel = step[step < steps], channel[step < steps]
    counts = np.bincount(step * channels + channel, minlength=steps * channels).reshape(steps, channels)
    return torch.from_numpy(counts.astype(np.uint8 if counts.max() < 256 else np.int32))
