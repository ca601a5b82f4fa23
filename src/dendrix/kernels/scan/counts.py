"""The fused scan of `spike_count_step`."""

from typing import Any

import numpy as np

# `specialise` binds these.
signed = emits = True
load: Any = None
store: Any = None
derivative: Any = None

_ZERO, _ONE = np.float32(0), np.float32(1)
_LEVELS = 4
"""Place of the first level in the constants; those before are as for other rules."""


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any, c: Any, y: Any, gy: Any) -> None:
    """See `loops`; the equations of `spike_count_step`, in its order of operations."""
    b, t, low, count = at
    for j in range(count):
        i, v, decay = load(x[b, t, low + j]), s[now, 0, j], p[0, j]
        h = v + (_ONE - decay) * (i - v)
        fired = _ZERO
        for k in range(_LEVELS, len(c)):
            fired += _ONE if h >= c[k] else _ZERO
            if signed:
                fired -= _ONE if -h >= c[k] else _ZERO
        y[b, t, low + j] = store(fired) if emits else gy[b, t, low + j]
        s[then, 0, j] = h if fired == _ZERO else _ZERO


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, c: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops`."""
    b, t, low, count = at
    sharpness = c[3]
    for j in range(count):
        i, v, decay = load(x[b, t, low + j]), s[now, 0, j], p[0, j]
        h = v + (_ONE - decay) * (i - v)
        slope = _ZERO
        for k in range(_LEVELS, len(c)):
            slope += derivative(h - c[k], sharpness)
            if signed:
                slope += derivative(-h - c[k], sharpness)
        kept, silent = derivative(h - c[_LEVELS], sharpness), h < c[_LEVELS]
        if signed:
            kept -= derivative(-h - c[_LEVELS], sharpness)
            silent = silent and -h < c[_LEVELS]
        gv = g[0, j]
        gh = load(gx[b, t, low + j]) * slope + gv * ((_ONE if silent else _ZERO) - h * kept)
        g[0, j] = gh * decay
        gp[0, j] += gh * (v - i)
        gx[b, t, low + j] = store(gh * (_ONE - decay))
