"""Scalar functions for the loops: bfloat16 conversion, the exponential, and the derivatives of the surrogates."""

from typing import Any

import numpy as np

from ...core import ATan, Boxcar, Sigmoid, Triangle

_ONE = np.float32(1)
_HALF_PI = np.float32(np.pi / 2)


def same(value: Any) -> Any:
    """The identity: loads and stores float32."""
    return value


def widen(bits: Any) -> Any:
    """bfloat16, held as int16, to float32."""
    return np.int32(np.int32(bits) << 16).view(np.float32)


def narrow(value: Any) -> Any:
    """float32 to bfloat16, held as int16, rounded to nearest even as torch does; a NaN stays one."""
    bits = np.float32(value).view(np.int32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.int16(rounded) if value == value else np.int16(0x7FC0)


def exp_of_negative(x: Any) -> Any:
    """exp(x) for x <= 0 to 8e-8 relative, as a polynomial: a call of the library's `exp` would keep the loop from vectorising.

    Source: coefficients of `expf` of the Cephes library (Moshier).
    """
    x = max(x, np.float32(-87))
    power = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    # ln 2 in two parts, so that the remainder keeps its digits.
    f = (x - power * np.float32(0.693359375)) + power * np.float32(2.12194440e-4)
    series = np.float32(1.9875691500e-4)
    series = series * f + np.float32(1.3981999507e-3)
    series = series * f + np.float32(8.3334519073e-3)
    series = series * f + np.float32(4.1665795894e-2)
    series = series * f + np.float32(1.6666665459e-1)
    series = series * f + np.float32(5.0000001201e-1)
    series = series * (f * f) + f + _ONE
    return series * np.int32((np.int32(power) + 127) << 23).view(np.float32)


def atan(u: Any, alpha: Any) -> Any:
    """The derivative of `ATan`."""
    z = _HALF_PI * alpha * u
    return alpha * np.float32(0.5) / (_ONE + z * z)


exponential: Any = exp_of_negative


def sigmoid(u: Any, alpha: Any) -> Any:
    """The derivative of `Sigmoid`."""
    e = exponential(-abs(alpha * u))
    return alpha * e / ((_ONE + e) * (_ONE + e))


def triangle(u: Any, width: Any) -> Any:
    """The derivative of `Triangle`."""
    return max(_ONE - abs(u) / width, np.float32(0)) / width


def boxcar(u: Any, width: Any) -> Any:
    """The derivative of `Boxcar`."""
    return np.float32(0.5) / width if abs(u) < width else np.float32(0)


DERIVATIVES = {ATan: atan, Sigmoid: sigmoid, Triangle: triangle, Boxcar: boxcar}
