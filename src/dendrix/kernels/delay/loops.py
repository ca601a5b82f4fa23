"""Inner loops of the delay layer's kernels, as plain Python that `specialise` compiles.

Every function processes the part [first, last) of one axis, so that threads can share the work. Rows are slices, added in groups for
vectorisation.
"""

from typing import Any

import numpy as np

# `specialise` binds these: the exponential of numbers <= 0 and constants in the precision of the weights.
exponential: Any = None
half = offset = least = one = exponential

_TILE = 64
_CACHED = 320_000
"""Numbers per group of batch rows, 1.3 MB in float32, which a second-level cache holds."""


def build(weight: Any, delay: Any, width: Any, lags: Any, kernel: Any, first: int, last: int) -> None:
    """The Gaussian kernel [L, C, H] of `layers.delay.linear.delay_kernel` for inputs first to last; weight, delay [H, C, K]."""
    outputs, _, count = weight.shape
    g = np.empty((len(lags), _TILE), weight.dtype)
    total = np.empty(_TILE, weight.dtype)
    centre = np.empty(_TILE, weight.dtype)
    narrow = one / (abs(width) + offset)
    for low in range(0, outputs, _TILE):
        n = min(_TILE, outputs - low)
        for i in range(first, last):
            kernel[:, i, low : low + n] = 0
            for k in range(count):
                for j in range(n):
                    centre[j] = delay[low + j, i, k]
                    total[j] = least
                for tap in range(len(lags)):
                    lag, row = lags[tap], g[tap]
                    for j in range(n):
                        z = (lag - centre[j]) * narrow
                        row[j] = exponential(-half * z * z)
                        total[j] += row[j]
                for j in range(n):
                    total[j] = weight[low + j, i, k] / total[j]
                for tap in range(len(lags)):
                    row, out = g[tap], kernel[tap, i, low : low + n]
                    for j in range(n):
                        out[j] += row[j] * total[j]


def build_backward(
    weight: Any, delay: Any, width: Any, lags: Any, grad: Any, grad_weight: Any, grad_delay: Any, grad_width: Any, first: int, last: int
) -> None:
    """The gradients of `build` in closed form; grad_width holds one sum per input, [C].

    With q = g / (sum g + 1e-7), z = (lag - delay) / s and G = grad:
    dW = sum G q;  ddelay = W / s * (sum G q z - dW * sum q z);  ds = W / s * (sum G q z^2 - dW * sum q z^2)
    """
    outputs, _, count = weight.shape
    sums = np.empty((6, _TILE), weight.dtype)
    centre = np.empty(_TILE, weight.dtype)
    narrow = one / (abs(width) + offset)
    g0, g1, g2, e0, e1, e2 = sums
    for low in range(0, outputs, _TILE):
        n = min(_TILE, outputs - low)
        for i in range(first, last):
            for k in range(count):
                sums[:] = 0
                for j in range(n):
                    centre[j] = delay[low + j, i, k]
                for tap in range(len(lags)):
                    lag, row = lags[tap], grad[tap, i, low : low + n]
                    for j in range(n):
                        z = (lag - centre[j]) * narrow
                        e = exponential(-half * z * z)
                        e0[j] += e
                        e1[j] += e * z
                        e2[j] += e * z * z
                        g0[j] += e * row[j]
                        g1[j] += e * z * row[j]
                        g2[j] += e * z * z * row[j]
                for j in range(n):
                    share = one / (e0[j] + least)
                    slope = g0[j] * share
                    scale = weight[low + j, i, k] * share * narrow
                    grad_weight[low + j, i, k] = slope
                    grad_delay[low + j, i, k] = scale * (g1[j] - slope * e1[j])
                    grad_width[i] += np.sign(width) * scale * (g2[j] - slope * e2[j])


def add_rows(target: Any, source: Any, start: Any, value: Any, count: int) -> None:
    """target += sum of value[e] * source[start[e] : start[e] + len(target)] over the first `count` events e, four at a time.

    The four are summed first, in pairs, so that the target is rounded once for all of them.
    """
    n = len(target)
    e = 0
    while e + 4 <= count:
        a, b = source[start[e] : start[e] + n], source[start[e + 1] : start[e + 1] + n]
        c, d = source[start[e + 2] : start[e + 2] + n], source[start[e + 3] : start[e + 3] + n]
        u, v, w, x = value[e], value[e + 1], value[e + 2], value[e + 3]
        for j in range(n):
            target[j] += (u * a[j] + v * b[j]) + (w * c[j] + x * d[j])
        e += 4
    while e < count:
        a, u = source[start[e] : start[e] + n], value[e]
        for j in range(n):
            target[j] += u * a[j]
        e += 1


# `specialise` binds the compiled copy.
add: Any = add_rows


def follow(x: Any, kernel: Any, past: int, y: Any, first: int, last: int) -> None:
    """y [B, T, H] of `delay_conv` for batch rows first to last: each event of x adds its L rows of the kernel, [C, L * H]."""
    length, inputs = x.shape[1:]
    steps, outputs = y.shape[1:]
    reach = kernel.shape[1]
    flat = kernel.reshape(-1)
    line = np.empty((length - 1) * outputs + reach, x.dtype)
    start = np.empty(inputs, np.intp)
    value = np.empty(inputs, x.dtype)
    for b in range(first, last):
        line[:] = 0
        for t in range(length):
            count = 0
            for i in range(inputs):
                if x[b, t, i] != 0:
                    start[count] = i * reach
                    value[count] = x[b, t, i]
                    count += 1
            add(line[t * outputs : t * outputs + reach], flat, start, value, count)
        y[b] = line[past * outputs : (past + steps) * outputs].reshape(steps, outputs)


def follow_backward(x: Any, grad: Any, past: int, grad_kernel: Any, first: int, last: int) -> None:
    """The gradient of the kernel, [C, L * H], for inputs first to last: each event of x adds L rows of grad [B, T, H]."""
    batch, length, _ = x.shape
    steps, outputs = grad.shape[1:]
    reach = grad_kernel.shape[1]
    span = (length - 1) * outputs + reach
    rows = max(1, min(8, _CACHED // span))  # of the batch per group
    line = np.zeros(rows * span, x.dtype)
    start = np.empty(rows * length, np.intp)
    value = np.empty(rows * length, x.dtype)
    sums = np.empty(reach, x.dtype)
    for low in range(0, batch, rows):
        n = min(rows, batch - low)
        for b in range(n):
            line[b * span + past * outputs : b * span + (past + steps) * outputs] = grad[low + b].reshape(-1)
        for i in range(first, last):
            count = 0
            for b in range(n):
                for t in range(length):
                    if x[low + b, t, i] != 0:
                        start[count] = b * span + t * outputs
                        value[count] = x[low + b, t, i]
                        count += 1
            sums[:] = 0
            add(sums, line, start, value, count)
            total = grad_kernel[i]
            for j in range(reach):
                total[j] += sums[j]
