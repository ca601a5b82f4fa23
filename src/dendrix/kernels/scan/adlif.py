"""The fused scan of `adlif_step`."""

from typing import Any

import numpy as np

# `specialise` binds these.
emits = True
load: Any = None
store: Any = None
derivative: Any = None

_ZERO, _ONE = np.float32(0), np.float32(1)


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any, c: Any, y: Any, gy: Any) -> None:
    """See `loops`; the equations of `adlif_step`, in its order of operations."""
    b, t, low, n = at
    threshold, _, amplitude, _ = c
    for j in range(n):
        u, spike, decay = s[now, 0, j], s[now, 2, j], p[0, j]
        w = p[1, j] * s[now, 1, j] + p[2, j] * u + p[3, j] * spike
        u = decay * (u - threshold * spike) + (_ONE - decay) * (load(x[b, t, low + j]) - w)
        spike = amplitude if u >= threshold else _ZERO
        s[then, 0, j] = u
        s[then, 1, j] = w
        s[then, 2, j] = spike
        y[b, t, low + j] = store(spike) if emits else gy[b, t, low + j]


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, c: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops`."""
    b, t, low, n = at
    threshold, _, _, sharpness = c
    for j in range(n):
        u, w, spike = s[now, 0, j], s[now, 1, j], s[now, 2, j]
        decay, decay_w, a, jump = p[0, j], p[1, j], p[2, j], p[3, j]
        drive = load(x[b, t, low + j]) - (decay_w * w + a * u + jump * spike)
        rest = u - threshold * spike
        h = decay * rest + (_ONE - decay) * drive
        gs = load(gx[b, t, low + j]) + g[2, j]
        gh = g[0, j] + gs * derivative(h - threshold, sharpness)
        gdrive = gh * (_ONE - decay)
        gw = g[1, j] - gdrive
        g[0, j] = gh * decay + gw * a
        g[1, j] = gw * decay_w
        g[2, j] = gw * jump - gh * decay * threshold
        gp[0, j] += gh * (rest - drive)
        gp[1, j] += gw * w
        gp[2, j] += gw * u
        gp[3, j] += gw * spike
        gx[b, t, low + j] = store(gdrive)
