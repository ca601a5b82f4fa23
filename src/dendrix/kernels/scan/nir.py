"""The fused scans of `membrane_step` and `synapse_step`: neurons of NIR."""

from typing import Any

import numpy as np

# `specialise` binds these; `scaled` says that a membrane which equals the threshold is silent, `synapse` that state 0 is its current.
hard = detached = scaled = emits = synapse = True
membrane = 1
load: Any = None
store: Any = None
derivative: Any = None

_ZERO, _ONE = np.float32(0), np.float32(1)


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any, c: Any, y: Any, gy: Any) -> None:
    """See `loops`; the equations of `membrane_step`, `synapse_step` and `fire`, in their order of operations."""
    b, t, low, count = at
    for j in range(count):
        given, v = load(x[b, t, low + j]), s[now, membrane, j]
        if synapse:
            i = s[now, 0, j]
            h = p[0, j] * v + (p[7, j] * i + p[1, j] * given) + p[2, j]
            s[then, 0, j] = p[5, j] * i + p[6, j] * given
        else:
            h = p[0, j] * v + p[1, j] * given + p[2, j]
        fires = h > p[3, j] if scaled else h >= p[3, j]
        y[b, t, low + j] = store(_ONE if fires else _ZERO) if emits else gy[b, t, low + j]
        if hard:
            s[then, membrane, j] = p[4, j] if fires else h
        else:
            s[then, membrane, j] = h - p[4, j] if fires else h


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, c: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops`; the coefficients get no gradient."""
    b, t, low, count = at
    sharpness = c[3]
    for j in range(count):
        given, v = load(x[b, t, low + j]), s[now, membrane, j]
        current = p[7, j] * s[now, 0, j] + p[1, j] * given if synapse else p[1, j] * given
        h = p[0, j] * v + current + p[2, j]
        fires = h > p[3, j] if scaled else h >= p[3, j]
        gs, gv = load(gx[b, t, low + j]), g[membrane, j]
        if not detached:
            gs += gv * (p[4, j] - h) if hard else -gv * p[4, j]
        gh = gs * derivative(h - p[3, j], sharpness)
        if hard:
            gh += _ZERO if fires else gv
        else:
            gh += gv
        g[membrane, j] = gh * p[0, j]
        if synapse:
            gi = g[0, j]
            gx[b, t, low + j] = store(gi * p[6, j] + gh * p[1, j])
            g[0, j] = gi * p[5, j] + gh * p[7, j]
        else:
            gx[b, t, low + j] = store(gh * p[1, j])
