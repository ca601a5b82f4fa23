"""Operations of decoding on the channels of one token: norms, neurons, shifts, WKV and gates."""

from typing import Any

import numpy as np

bits_in = separate = signed = True  # `specialise` binds these
levels = 1
exponential: Any = None

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_EPS = np.float32(1e-5)


def moments(x: Any) -> Any:
    """Mean and inverse standard deviation for LayerNorm, summed in any order."""
    width = np.uintp(len(x))
    mean = _ZERO
    for j in range(width):
        mean += x[j]
    mean /= np.float32(width)
    variance = _ZERO
    for j in range(width):
        variance += (x[j] - mean) * (x[j] - mean)
    return mean, _ONE / np.sqrt(variance / np.float32(width) + _EPS)


def normalise(x: Any, weight: Any, bias: Any, y: Any) -> None:
    """LayerNorm."""
    mean, scale = moments(x)
    for j in range(np.uintp(len(weight))):
        y[j] = (x[j] - mean) * scale * weight[j] + bias[j]


def fire(x: Any, v: Any, gain: Any, threshold: Any) -> None:
    """Neurons in place: x becomes their spikes, v their membranes; as `lif_step` with scaled input, a hard reset and 1 - decay = gain."""
    for j in range(np.uintp(len(v))):
        h = v[j] + gain[j] * (x[j] - v[j])
        fires = h >= threshold
        x[j] = _ONE if fires else _ZERO
        v[j] = _ZERO if fires else h


def fire_counts(x: Any, v: Any, gain: Any, threshold: Any) -> None:
    """The same for up to `levels` spikes of a neuron, also negative ones if `signed`; as `spike_count_step`."""
    for j in range(np.uintp(len(v))):
        h = v[j] + gain[j] * (x[j] - v[j])
        y = _ZERO
        for level in range(1, levels + 1):
            at = np.float32(level) * threshold
            y += _ONE if h >= at else _ZERO
            if signed:
                y -= _ONE if -h >= at else _ZERO
        x[j] = y
        v[j] = h if y == _ZERO else _ZERO


def mix(x: Any, before: Any, share: Any, y: Any) -> None:
    """Mix this token with the one before it; of spikes, each channel takes one of the two."""
    for j in range(np.uintp(len(share))):
        s = share[j]
        if bits_in and not separate:
            s = _ONE if s >= _HALF else _ZERO
        y[j] = x[j] * s + before[j] * (_ONE - s)


def average(k: Any, v: Any, bonus: Any, rate: Any, sums: Any) -> None:
    """One step of WKV, from v into v; sums are its state, one part after the other. See `kernels.wkv.loops`."""
    width = np.uintp(len(k))
    for j in range(width):
        key, value = k[j], v[j]
        aa, bb, pp = sums[j], sums[width + j], sums[2 * width + j]
        boosted = bonus[j] + key
        less = exponential(-abs(pp - boosted))
        past, new = (_ONE, less) if pp >= boosted else (less, _ONE)
        v[j] = (past * aa + new * value) / (past * bb + new)
        faded = pp - rate[j]
        less = exponential(-abs(faded - key))
        past, new = (_ONE, less) if faded >= key else (less, _ONE)
        sums[j] = past * aa + new * value
        sums[width + j] = past * bb + new
        sums[2 * width + j] = max(faded, key)


def gate(x: Any, y: Any) -> None:
    """y times the logistic function of x, into y."""
    for j in range(np.uintp(len(x))):
        e = exponential(-abs(x[j]))
        y[j] *= (_ONE if x[j] >= _ZERO else e) / (_ONE + e)


def square(x: Any) -> None:
    """The squared ReLU, in place."""
    for j in range(np.uintp(len(x))):
        positive = max(x[j], _ZERO)
        x[j] = positive * positive
