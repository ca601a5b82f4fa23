"""Inner loops of the delay layer's kernels, as plain Python that `specialise` compiles.

Every function processes the part [first, last) of one axis, so that threads can share the work. Rows are added in groups for vectorisation.
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


def add_rows(target: Any, at: Any, n: Any, source: Any, start: Any, value: Any, count: int) -> None:
    """target[at : at + n] += sum of value[e] * source[start[e] : start[e] + n] over the first `count` events e, four at a time.

    The four are summed first, in pairs, so that the target is rounded once for all of them. Indices are unsigned, because numba tests
    signed ones for negative values.
    """
    for e in range(0, count - 3, 4):
        a, b, c, d = start[e], start[e + 1], start[e + 2], start[e + 3]
        u, v, w, x = value[e], value[e + 1], value[e + 2], value[e + 3]
        for j in range(n):
            target[at + j] += (u * source[a + j] + v * source[b + j]) + (w * source[c + j] + x * source[d + j])
    for e in range(count - count % 4, count):
        a, u = start[e], value[e]
        for j in range(n):
            target[at + j] += u * source[a + j]


# `specialise` binds the compiled copy.
add: Any = add_rows


def follow(x: Any, kernel: Any, past: int, y: Any, line: Any, start: Any, value: Any, first: int, last: int) -> None:
    """y [B, T, H] of `delay_conv` for batch rows first to last: each event of x adds its L rows of the kernel, [C * L * H].

    line [(T - 1 + L) * H], start [C] and value [C] are memory of this thread.
    """
    length, inputs = x.shape[1], x.shape[2]
    steps, outputs = y.shape[1], y.shape[2]
    reach = len(kernel) // inputs
    for b in range(first, last):
        for j in range(len(line)):
            line[j] = 0
        for t in range(length):
            count = np.intp(0)  # numba would compile `add` for a literal 0 as well
            for i in range(inputs):
                if x[b, t, i] != 0:
                    start[count] = i * reach
                    value[count] = x[b, t, i]
                    count += 1
            add(line, np.uintp(t * outputs), np.uintp(reach), kernel, start, value, count)
        for t in range(steps):
            at = np.uintp((past + t) * outputs)
            for h in range(np.uintp(outputs)):
                y[b, t, h] = line[at + h]


def group(length: int, outputs: int, reach: int) -> tuple[int, int]:
    """Rows of the batch in a group of `follow_backward`, so that their gradients stay in the cache, and numbers for each."""
    span = (length - 1) * outputs + reach
    return max(1, min(8, _CACHED // span)), span


def follow_backward(
    x: Any,
    grad: Any,
    past: int,
    grad_kernel: Any,
    rows: int,
    span: int,
    line: Any,
    start: Any,
    value: Any,
    sums: Any,
    first: int,
    last: int,
) -> None:
    """The gradient of the kernel, [C, L * H], for inputs first to last: each event of x adds L rows of grad [B, T, H].

    line [rows * span] of zeros, start and value [rows * T] and sums [L * H] are memory of this thread; see `group`.
    """
    batch, length = x.shape[0], x.shape[1]
    steps, outputs = grad.shape[1], grad.shape[2]
    reach = grad_kernel.shape[1]
    for low in range(0, batch, rows):
        n = min(rows, batch - low)
        for b in range(n):
            for t in range(steps):
                at = np.uintp(b * span + (past + t) * outputs)
                for h in range(np.uintp(outputs)):
                    line[at + h] = grad[low + b, t, h]
        for i in range(first, last):
            count = np.intp(0)  # numba would compile `add` for a literal 0 as well
            for b in range(n):
                for t in range(length):
                    if x[low + b, t, i] != 0:
                        start[count] = b * span + t * outputs
                        value[count] = x[low + b, t, i]
                        count += 1
            for j in range(reach):
                sums[j] = 0
            add(sums, np.uintp(0), np.uintp(reach), line, start, value, count)
            for j in range(reach):
                grad_kernel[i, j] += sums[j]
