"""Step functions of the LIF family and of neurons of NIR, and their gradients, as Triton device functions.

The equations are in `dendrix.neurons`.

The states s and parameters p of a block of columns are tuples of float32 vectors, in the order of the signature of the step function.

    advance(x, s, p, constants, VARIANT) -> (y, s)
    pullback(x, s, p, constants, grad_y, grad_s, VARIANT) -> (grad_x, grad_s, grad_p)

`pullback` takes the states before the step and the gradient of the states after it. The order of operations is that of the reference, so
that spikes are bitwise equal without fused multiply-add.
"""

from typing import NamedTuple

import triton
import triton.language as tl

HALF_PI = tl.constexpr(1.5707963267948966)


class Constants(NamedTuple):
    """Constants of a rule, of which a rule may use some. `sharpness` is the alpha or width of the surrogate."""

    v_threshold: float
    v_reset: float
    amplitude: float
    sharpness: float


class Variant(NamedTuple):
    """Compile-time options of a kernel: hard reset, detached reset, scaled input, and the class name of the surrogate.

    For neurons of NIR, `scaled` says that a membrane which equals the threshold is silent.
    """

    hard: bool
    detached: bool
    scaled: bool
    surrogate: str


@triton.jit
def slope(u, constants, VARIANT: tl.constexpr):
    """The derivative of the surrogate at u."""
    sharpness = constants.sharpness
    if VARIANT.surrogate == "ATan":
        z = HALF_PI * sharpness * u
        bump = sharpness / 2 / (1 + z * z)
    elif VARIANT.surrogate == "Sigmoid":
        e = tl.exp(-tl.abs(sharpness * u))
        bump = sharpness * e / ((1 + e) * (1 + e))
    elif VARIANT.surrogate == "Triangle":
        bump = tl.maximum(1 - tl.abs(u) / sharpness, 0.0) / sharpness
    else:
        tl.static_assert(VARIANT.surrogate == "Boxcar")
        bump = tl.where(tl.abs(u) < sharpness, 0.5 / sharpness, 0.0)
    return bump


@triton.jit
def charge(v, x, decay, VARIANT: tl.constexpr):
    """The membrane before the spike."""
    return v + (1 - decay) * (x - v) if VARIANT.scaled else decay * v + x


@triton.jit
def charge_pullback(v, x, decay, grad_h, VARIANT: tl.constexpr):
    """Gradients of `charge` for x, v and decay."""
    grad_x, towards = ((1 - decay) * grad_h, v - x) if VARIANT.scaled else (grad_h, v)
    return grad_x, decay * grad_h, grad_h * towards


@triton.jit
def fire(h, constants):
    """1 where the membrane reaches the threshold, else 0."""
    return (h - constants.v_threshold >= 0).to(tl.float32)


@triton.jit
def reset(h, fired, constants, VARIANT: tl.constexpr):
    """The membrane after the spike."""
    return (1 - fired) * h + fired * constants.v_reset if VARIANT.hard else h - fired * constants.v_threshold


@triton.jit
def fire_pullback(h, grad_fired, grad_v, constants, VARIANT: tl.constexpr):
    """The gradient of spike and reset for h, from those of the spike and of the membrane after it."""
    if VARIANT.hard:
        kept = grad_v * (1 - fire(h, constants))
        jump = constants.v_reset - h
    else:
        kept = grad_v
        jump = -constants.v_threshold
    if not VARIANT.detached:
        grad_fired += grad_v * jump
    return grad_fired * slope(h - constants.v_threshold, constants, VARIANT) + kept


@triton.jit
def li_step_advance(x, s, p, _constants, _variant: tl.constexpr):
    v = p[0] * s[0] + x
    return v, (v,)


@triton.jit
def li_step_pullback(_x, s, p, _constants, grad_y, grad_s, _variant: tl.constexpr):
    grad_v = grad_s[0] + grad_y
    return grad_v, (p[0] * grad_v,), (grad_v * s[0],)


@triton.jit
def lif_step_advance(x, s, p, constants, VARIANT: tl.constexpr):
    h = charge(s[0], x, p[0], VARIANT)
    fired = fire(h, constants)
    return fired * constants.amplitude, (reset(h, fired, constants, VARIANT),)


@triton.jit
def lif_step_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    h = charge(s[0], x, p[0], VARIANT)
    grad_h = fire_pullback(h, grad_y * constants.amplitude, grad_s[0], constants, VARIANT)
    grad_x, grad_v, grad_decay = charge_pullback(s[0], x, p[0], grad_h, VARIANT)
    return grad_x, (grad_v,), (grad_decay,)


@triton.jit
def cuba_lif_step_advance(x, s, p, constants, VARIANT: tl.constexpr):
    i = p[0] * s[0] + x
    h = charge(s[1], i, p[1], VARIANT)
    fired = fire(h, constants)
    return fired, (i, reset(h, fired, constants, VARIANT))


@triton.jit
def cuba_lif_step_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    i = p[0] * s[0] + x
    h = charge(s[1], i, p[1], VARIANT)
    grad_h = fire_pullback(h, grad_y, grad_s[1], constants, VARIANT)
    grad_drive, grad_v, grad_decay = charge_pullback(s[1], i, p[1], grad_h, VARIANT)
    grad_i = grad_s[0] + grad_drive
    return grad_i, (p[0] * grad_i, grad_v), (grad_i * s[0], grad_decay)


@triton.jit
def adlif_step_advance(x, s, p, constants, _variant: tl.constexpr):
    u, w, fired = s
    decay, decay_w, a, b = p
    w = decay_w * w + a * u + b * fired
    u = decay * (u - constants.v_threshold * fired) + (1 - decay) * (x - w)
    fired = fire(u, constants)
    return fired, (u, w, fired)


@triton.jit
def adlif_step_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    u, w, fired = s
    decay, decay_w, a, b = p
    _, after = adlif_step_advance(x, s, p, constants, VARIANT)
    grad_fired = grad_s[2] + grad_y
    grad_u = grad_s[0] + grad_fired * slope(after[0] - constants.v_threshold, constants, VARIANT)
    grad_x = (1 - decay) * grad_u
    grad_w = grad_s[1] - grad_x
    grad_decay = grad_u * (u - constants.v_threshold * fired - (x - after[1]))
    before = (decay * grad_u + a * grad_w, decay_w * grad_w, b * grad_w - decay * constants.v_threshold * grad_u)
    return grad_x, before, (grad_decay, grad_w * w, grad_w * u, grad_w * fired)


@triton.jit
def free_fire(h, threshold, VARIANT: tl.constexpr):
    """1 where the membrane reaches its own threshold, or passes it, else 0."""
    return (h > threshold if VARIANT.scaled else h >= threshold).to(tl.float32)


@triton.jit
def free_reset(h, fired, low, VARIANT: tl.constexpr):
    """The membrane after the spike: `low` where there is one, or less by `low`."""
    return tl.where(fired > 0, low, h) if VARIANT.hard else h - fired * low


@triton.jit
def free_pullback(h, threshold, low, grad_fired, grad_v, constants, VARIANT: tl.constexpr):
    """The gradient of spike and reset for h, from those of the spike and of the membrane after it."""
    kept = grad_v
    jump = -low
    if VARIANT.hard:
        kept = grad_v * (1 - free_fire(h, threshold, VARIANT))
        jump = low - h
    if not VARIANT.detached:
        grad_fired += grad_v * jump
    return grad_fired * slope(h - threshold, constants, VARIANT) + kept


@triton.jit
def membrane_step_advance(x, s, p, _constants, VARIANT: tl.constexpr):
    beta, q, c, threshold, low = p
    h = beta * s[0] + q * x + c
    fired = free_fire(h, threshold, VARIANT)
    return fired, (free_reset(h, fired, low, VARIANT),)


@triton.jit
def membrane_step_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    beta, q, c, threshold, low = p
    h = beta * s[0] + q * x + c
    grad_h = free_pullback(h, threshold, low, grad_y, grad_s[0], constants, VARIANT)
    nothing = tl.zeros_like(h)
    return q * grad_h, (beta * grad_h,), (nothing, nothing, nothing, nothing, nothing)


@triton.jit
def synapse_step_advance(x, s, p, _constants, VARIANT: tl.constexpr):
    beta, q, c, threshold, low, alpha, g, gain = p
    h = beta * s[1] + (gain * s[0] + q * x) + c
    fired = free_fire(h, threshold, VARIANT)
    return fired, (alpha * s[0] + g * x, free_reset(h, fired, low, VARIANT))


@triton.jit
def synapse_step_pullback(x, s, p, constants, grad_y, grad_s, VARIANT: tl.constexpr):
    beta, q, c, threshold, low, alpha, g, gain = p
    h = beta * s[1] + (gain * s[0] + q * x) + c
    grad_h = free_pullback(h, threshold, low, grad_y, grad_s[1], constants, VARIANT)
    nothing = tl.zeros_like(h)
    before = (alpha * grad_s[0] + gain * grad_h, beta * grad_h)
    return g * grad_s[0] + q * grad_h, before, (nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing)
