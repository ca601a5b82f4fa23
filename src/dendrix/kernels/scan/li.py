"""The fused scan of `li_step`."""

from typing import Any

# `specialise` binds these.
emits = True
load: Any = None
store: Any = None


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any, c: Any, y: Any, gy: Any) -> None:
    """See `loops`; the equation of `li_step`."""
    b, t, low, count = at
    for j in range(count):
        v = p[0, j] * s[now, 0, j] + load(x[b, t, low + j])
        s[then, 0, j] = v
        y[b, t, low + j] = store(v) if emits else gy[b, t, low + j]


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, c: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops`."""
    b, t, low, count = at
    for j in range(count):
        gv = load(gx[b, t, low + j]) + g[0, j]
        gx[b, t, low + j] = store(gv)
        gp[0, j] += gv * s[now, 0, j]
        g[0, j] = gv * p[0, j]
