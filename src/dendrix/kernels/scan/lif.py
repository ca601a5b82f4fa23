"""The fused scan of `lif_step`: IF, LIF and PLIF."""

from typing import Any

import numpy as np

# `specialise` binds these.
hard = detached = scaled = emits = True
load: Any = None
store: Any = None
derivative: Any = None

_ZERO, _ONE = np.float32(0), np.float32(1)


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any, c: Any, y: Any, gy: Any) -> None:
    """See `loops`; the equations of `lif_step`, in its order of operations."""
    b, t, low, count = at
    threshold, reset, amplitude, _ = c
    for j in range(count):
        i, v, decay = load(x[b, t, low + j]), s[now, 0, j], p[0, j]
        h = v + (_ONE - decay) * (i - v) if scaled else decay * v + i
        fires = h >= threshold
        y[b, t, low + j] = store(amplitude if fires else _ZERO) if emits else gy[b, t, low + j]
        if hard:
            s[then, 0, j] = reset if fires else h
        else:
            s[then, 0, j] = h - threshold if fires else h


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, c: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops`."""
    b, t, low, count = at
    threshold, reset, amplitude, sharpness = c
    for j in range(count):
        i, v, decay = load(x[b, t, low + j]), s[now, 0, j], p[0, j]
        h = v + (_ONE - decay) * (i - v) if scaled else decay * v + i
        gs, gv = amplitude * load(gx[b, t, low + j]), g[0, j]
        if not detached:
            gs += gv * (reset - h) if hard else -gv * threshold
        gh = gs * derivative(h - threshold, sharpness)
        if hard:
            gh += _ZERO if h >= threshold else gv
        else:
            gh += gv
        g[0, j] = gh * decay
        if scaled:
            gp[0, j] += gh * (v - i)
            gx[b, t, low + j] = store(gh * (_ONE - decay))
        else:
            gp[0, j] += gh * v
            gx[b, t, low + j] = store(gh)
