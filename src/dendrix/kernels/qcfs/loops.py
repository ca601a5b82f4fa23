"""Loops of QCFS over the elements of a tensor in memory order."""

from typing import Any

import numpy as np

half = zero = np.float32
by_level = False


def forward(x: Any, scale: Any, step: Any, levels: Any, y: Any, first: int, last: int) -> None:
    for i in range(first, last):
        level = np.floor(x[i] * scale + half)
        y[i] = min(max(level, zero), levels) * step


def input_gradient(x: Any, grad: Any, scale: Any, threshold: Any, levels: Any, dx: Any, first: int, last: int) -> None:
    for i in range(first, last):
        level = np.floor(x[i] * scale + half)
        above, below = (level >= zero, level <= levels) if by_level else (x[i] >= zero, x[i] <= threshold)
        dx[i] = grad[i] * (above & below)


def threshold_gradient(x: Any, grad: Any, dx: Any, scale: Any, levels: Any, first: int, last: int) -> Any:
    """The sums of grad times the level, and of dx times x."""
    sent = passed = zero
    for i in range(first, last):
        level = np.floor(x[i] * scale + half)
        sent += grad[i] * min(max(level, zero), levels)
        passed += dx[i] * x[i]
    return sent, passed
