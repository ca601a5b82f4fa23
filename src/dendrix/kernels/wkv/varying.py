"""Functions of a step of WKV with rates of decay that differ between steps, for the loops of `loops`: x are k, v and rates [B, T, C].

p is the bonus, [1, width]. Structure, equations and indices as for one rate; the gradient of a rate belongs to its step.
"""

from typing import Any

import numpy as np

exponential: Any = None  # `specialise` binds it

_ONE = np.float32(1)


def advance(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any) -> None:
    """See `loops.advance_at_one_rate`."""
    (k, v, rates), (b, t, low, count) = x, at
    for j in range(count):
        key, faded = k[b, t, low + j], s[now, 2, j] - rates[b, t, low + j]
        less = exponential(-abs(faded - key))
        past, new = (_ONE, less) if faded >= key else (less, _ONE)
        s[then, 0, j] = past * s[now, 0, j] + new * v[b, t, low + j]
        s[then, 1, j] = past * s[now, 1, j] + new
        s[then, 2, j] = max(faded, key)


def pullback(x: Any, at: Any, s: Any, now: Any, p: Any, gy: Any, g: Any, gp: Any, gx: Any) -> None:
    """See `loops.pullback_at_one_rate`."""
    (k, v, rates), (gk, gv, grates), (b, t, low, count) = x, gx, at
    for j in range(count):
        key, value = k[b, t, low + j], v[b, t, low + j]
        aa, bb, scale = s[now, 0, j], s[now, 1, j], s[now, 2, j]
        faded = scale - rates[b, t, low + j]
        less = exponential(-abs(faded - key))
        past, new = (_ONE, less) if faded >= key else (less, _ONE)
        ga, gb = g[0, j], g[1, j]
        to_key = new * (ga * value + gb)
        to_value = new * ga
        grates[b, t, low + j] = -past * (ga * aa + gb * bb)
        ga, gb = past * ga, past * gb
        boosted = p[0, j] + key
        less = exponential(-abs(scale - boosted))
        past, new = (_ONE, less) if scale >= boosted else (less, _ONE)
        share = _ONE / (past * bb + new)
        y = (past * aa + new * value) * share
        share *= gy[b, t, low + j]
        to_bonus = share * new * (value - y)
        gp[0, j] += to_bonus
        gk[b, t, low + j] = to_key + to_bonus
        gv[b, t, low + j] = to_value + share * new
        g[0, j] = ga + share * past
        g[1, j] = gb - share * past * y
