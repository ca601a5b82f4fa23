"""The fused scan of `cuba_lif_step`."""

from typing import Any

import numpy as np

# `specialise` binds these.
hard = detached = scaled = emits = True
load: Any = None
store: Any = None
derivative: Any = None

_ZERO, _ONE = np.float32(0), np.float32(1)


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any, c: Any, y: Any, gy: Any) -> None:
    """See `loops`; the equations of `cuba_lif_step`, in its order of operations."""
    b, t, low, count = at
    threshold, reset, amplitude, _ = c
    for j in range(count):
        v, decay = s[now, 1, j], p[1, j]
        i = p[0, j] * s[now, 0, j] + load(x[b, t, low + j])
        h = v + (_ONE - decay) * (i - v) if scaled else decay * v + i
        fires = h >= threshold
        y[b, t, low + j] = store(amplitude if fires else _ZERO) if emits else gy[b, t, low + j]
        s[then, 0, j] = i
        if hard:
            s[then, 1, j] = reset if fires else h
        else:
            s[then, 1, j] = h - threshold if fires else h


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, c: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops`."""
    b, t, low, count = at
    threshold, reset, amplitude, sharpness = c
    for j in range(count):
        before, v, decay_syn, decay = s[now, 0, j], s[now, 1, j], p[0, j], p[1, j]
        i = decay_syn * before + load(x[b, t, low + j])
        h = v + (_ONE - decay) * (i - v) if scaled else decay * v + i
        gs, gv = amplitude * load(gx[b, t, low + j]), g[1, j]
        if not detached:
            gs += gv * (reset - h) if hard else -gv * threshold
        gh = gs * derivative(h - threshold, sharpness)
        if hard:
            gh += _ZERO if h >= threshold else gv
        else:
            gh += gv
        gi = g[0, j] + (gh * (_ONE - decay) if scaled else gh)
        g[0, j] = gi * decay_syn
        g[1, j] = gh * decay
        gp[0, j] += gi * before
        gp[1, j] += gh * (v - i if scaled else v)
        gx[b, t, low + j] = store(gi)
