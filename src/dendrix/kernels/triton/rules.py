"""The rules of the LIF family as Triton device functions: one step forward and its gradient. The equations stand in the rules.

Each works on the states s and parameters p of a block of columns, tuples of float32 vectors in the order of the rule's signature.

    advance(x, s, p, constants, VARIANT) -> (y, s)
    pullback(x, s, p, constants, grad_y, grad_s, VARIANT) -> (grad_x, grad_s, grad_p)

`pullback` takes the states before the step and the gradient of those after it. Products and sums stand in the order of the
reference: without fused multiply-add the spikes are the same to the bit.
"""

from typing import NamedTuple

import triton
import triton.language as tl

HALF_PI = tl.constexpr(1.5707963267948966)


class Constants(NamedTuple):
    """The numbers of a rule; a rule that lacks one does not read it. `width` is that of the surrogate, or its `alpha`."""

    v_threshold: float = 1.0
    v_reset: float | None = None
    amplitude: float = 1.0
    width: float = 1.0


class Variant(NamedTuple):
    """What a kernel is compiled for."""

    detach_reset: bool = True
    scale_input: bool = False
    surrogate: str = "atan"


@triton.jit
def slope(u, width, SURROGATE: tl.constexpr):
    """The derivative of the surrogate at u."""
    if SURROGATE == "atan":
        z = HALF_PI * width * u
        bump = width / 2 / (1 + z * z)
    elif SURROGATE == "sigmoid":
        e = tl.exp(-tl.abs(width * u))
        bump = width * e / ((1 + e) * (1 + e))
    elif SURROGATE == "triangle":
        bump = tl.maximum(1 - tl.abs(u) / width, 0.0) / width
    else:
        tl.static_assert(SURROGATE == "boxcar")
        bump = tl.where(tl.abs(u) < width, 0.5 / width, 0.0)
    return bump


@triton.jit
def charge(v, x, decay, VARIANT: tl.constexpr):
    """The membrane before the spike."""
    return v + (1 - decay) * (x - v) if VARIANT.scale_input else decay * v + x


@triton.jit
def charge_pullback(v, x, decay, grad_h, VARIANT: tl.constexpr):
    """Gradients of `charge` for x, v and decay."""
    grad_x, towards = ((1 - decay) * grad_h, v - x) if VARIANT.scale_input else (grad_h, v)
    return grad_x, decay * grad_h, grad_h * towards


@triton.jit
def fire(h, constants):
    """1 where the membrane reaches the threshold, else 0."""
    return (h - constants.v_threshold >= 0).to(tl.float32)


@triton.jit
def reset(h, fired, constants):
    """The membrane after the spike."""
    return h - fired * constants.v_threshold if constants.v_reset is None else (1 - fired) * h + fired * constants.v_reset


@triton.jit
def fire_pullback(h, grad_fired, grad_v, constants, VARIANT: tl.constexpr):
    """The gradient of spike and reset for h, from those of the spike and of the membrane after it."""
    if constants.v_reset is None:
        kept = grad_v
        jump = -constants.v_threshold
    else:
        kept = grad_v * (1 - fire(h, constants))
        jump = constants.v_reset - h
    if not VARIANT.detach_reset:
        grad_fired += grad_v * jump
    return grad_fired * slope(h - constants.v_threshold, constants.width, VARIANT.surrogate) + kept


@triton.jit
def li_advance(x, s, p, _constants, _variant: tl.constexpr):
    v = p[0] * s[0] + x
    return v, (v,)


@triton.jit
def li_pullback(_x, s, p, _constants, grad_y, grad_s, _variant: tl.constexpr):
    grad_v = grad_s[0] + grad_y
    return grad_v, (p[0] * grad_v,), (grad_v * s[0],)


@triton.jit
def lif_advance(x, s, p, constants, VARIANT: tl.constexpr):
    h = charge(s[0], x, p[0], VARIANT)
    fired = fire(h, constants)
    return fired * constants.amplitude, (reset(h, fired, constants),)


@triton.jit
def lif_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    h = charge(s[0], x, p[0], VARIANT)
    grad_h = fire_pullback(h, grad_y * constants.amplitude, grad_s[0], constants, VARIANT)
    grad_x, grad_v, grad_decay = charge_pullback(s[0], x, p[0], grad_h, VARIANT)
    return grad_x, (grad_v,), (grad_decay,)


@triton.jit
def cuba_lif_advance(x, s, p, constants, VARIANT: tl.constexpr):
    i = p[0] * s[0] + x
    h = charge(s[1], i, p[1], VARIANT)
    fired = fire(h, constants)
    return fired, (i, reset(h, fired, constants))


@triton.jit
def cuba_lif_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    i = p[0] * s[0] + x
    h = charge(s[1], i, p[1], VARIANT)
    grad_h = fire_pullback(h, grad_y, grad_s[1], constants, VARIANT)
    grad_drive, grad_v, grad_decay = charge_pullback(s[1], i, p[1], grad_h, VARIANT)
    grad_i = grad_s[0] + grad_drive
    return grad_i, (p[0] * grad_i, grad_v), (grad_i * s[0], grad_decay)


@triton.jit
def adlif_advance(x, s, p, constants, _variant: tl.constexpr):
    u, w, fired = s
    decay, decay_w, a, b = p
    w = decay_w * w + a * u + b * fired
    u = decay * (u - constants.v_threshold * fired) + (1 - decay) * (x - w)
    fired = fire(u, constants)
    return fired, (u, w, fired)


@triton.jit
def adlif_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    u, w, fired = s
    decay, decay_w, a, b = p
    _, after = adlif_advance(x, s, p, constants, VARIANT)
    grad_fired = grad_s[2] + grad_y
    grad_u = grad_s[0] + grad_fired * slope(after[0] - constants.v_threshold, constants.width, VARIANT.surrogate)
    grad_x = (1 - decay) * grad_u
    grad_w = grad_s[1] - grad_x
    grad_decay = grad_u * (u - constants.v_threshold * fired - (x - after[1]))
    before = (decay * grad_u + a * grad_w, decay_w * grad_w, b * grad_w - decay * constants.v_threshold * grad_u)
    return grad_x, before, (grad_decay, grad_w * w, grad_w * u, grad_w * fired)
