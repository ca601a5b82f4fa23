"""The loops of the neurons of converted networks, over rows (input, channel) of a layer: x [B, T, C, M], one threshold per channel.

A constant input, with T = 1 in x only, is read at every step. `v` and `sent` hold the state and are updated in place.
"""

from typing import Any

import numpy as np

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)


def rate(x: Any, threshold: Any, amplitude: Any, valid: Any, v: Any, y: Any, first: int, last: int) -> None:
    """`if_step` with a soft reset for rows first .. last - 1."""
    steps, channels, columns = y.shape[1:]
    for row in range(first, last):
        b, c = row // channels, row % channels
        theta, size, membrane = threshold[c], amplitude[c], v[b, c]
        for t in range(steps):
            out = y[b, t, c]
            if valid[b, t]:
                current = x[b, min(t, x.shape[1] - 1), c]
                for j in range(columns):
                    h = membrane[j] + current[j]
                    fires = h >= theta
                    out[j] = size if fires else _ZERO
                    membrane[j] = h - theta if fires else h
            else:
                out[:] = _ZERO


def signed(x: Any, threshold: Any, limit: Any, valid: Any, v: Any, sent: Any, y: Any, first: int, last: int) -> None:
    """`signed_if_step` for rows first .. last - 1."""
    steps, channels, columns = y.shape[1:]
    most = limit - _HALF
    for row in range(first, last):
        b, c = row // channels, row % channels
        theta, membrane, spikes = threshold[c], v[b, c], sent[b, c]
        for t in range(steps):
            out = y[b, t, c]
            if valid[b, t]:
                current = x[b, min(t, x.shape[1] - 1), c]
                for j in range(columns):
                    h = membrane[j] + current[j]
                    up = _ONE if (h >= theta) & (spikes[j] < most) else _ZERO
                    down = _ONE if (h < _ZERO) & (spikes[j] > _HALF) else _ZERO
                    s = up - down
                    sends = s * theta
                    out[j] = sends
                    membrane[j] = h - sends
                    spikes[j] += s
            else:
                out[:] = _ZERO
