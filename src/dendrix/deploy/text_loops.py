"""Compiled loops of a SpikeGPT in whole numbers; `text_reference` has the equations."""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit
from .text_layout import END_SCALARS, FIELDS, NEURONS, SCALARS, TIME
from .text_reference import HALF, LOG_MAX, SIGMOID, SOFTPLUS, STREAM_MAX

_compiled = partial(cached_jit, fastmath=False)
(
    _KIND, _HALVE, _KEY, _RECEPTANCE, _VALUE, _OUTPUT, _SCALARS, _NORM_WEIGHT, _NORM_BIAS, _MIX_KEY, _MIX_RECEPTANCE, _MIX_VALUE,
    _KEY_SCALE, _RECEPTANCE_SCALE, _GATED_SCALE, _BONUS, _RATE, _INNER_WEIGHT, _INNER_BIAS, _OUTPUT_SCALE, _AFTER_WEIGHT, _AFTER_BIAS,
    _BEFORE_GAIN, _INSIDE_GAIN, _AFTER_GAIN, _SHIFT_AT, _BEFORE, _INSIDE, _AFTER, _AVERAGE, _TOTAL,
) = range(len(FIELDS))  # fmt: skip
(
    _LIMIT, _NORM_SHIFT, _NORM_EPSILON, _KEY_SHIFT, _RECEPTANCE_SHIFT, _GATED_SHIFT, _OUTPUT_SHIFT, _INNER_LIMIT, _INNER_SHIFT,
    _INNER_EPSILON, _VALUE_SHIFT, _AFTER_SHIFT, _AFTER_EPSILON,
) = range(len(SCALARS))  # fmt: skip
_ONE, _THRESHOLD, _EMBEDDING_SHIFT, _END_LIMIT, _END_SHIFT, _END_EPSILON, _HEAD_SHIFT, _LEVELS, _SIGNED = range(len(END_SCALARS))
_NEURONS_INPUT, _NEURONS_OUTPUT, _NEURONS_SEPARATE = NEURONS["input"], NEURONS["output"], NEURONS["separate"]
_HALF = np.int64(HALF)
_SIGMOID, _SOFTPLUS = SIGMOID.astype(np.int32), SOFTPLUS.astype(np.int32)


@_compiled
def _rounded(x: Any, bits: Any) -> Any:
    return (x + (np.int64(1) << (bits - 1))) >> bits


@_compiled
def _clipped(x: Any, limit: Any) -> Any:
    return min(max(x, -limit), limit)


@_compiled
def _interpolated(table: Any, a: Any) -> Any:
    i = a >> 14
    if i >= len(table) - 1:
        return np.int64(0)
    low = np.int64(table[i])
    return low + (((np.int64(table[i + 1]) - low) * (a & 16383)) >> 14)


@_compiled
def _sigmoid(a: Any) -> Any:
    found = _interpolated(_SIGMOID, abs(a))
    return found if a < 0 else (np.int64(1) << 30) - found


@_compiled
def _root(x: Any) -> Any:
    """Square root of x, rounded down, for 2^60 <= x < 2^62."""
    found = np.int64(0)
    bit = np.int64(1) << 60
    while bit:
        if x >= found + bit:
            x -= found + bit
            found = (found >> 1) + bit
        else:
            found >>= 1
        bit >>= 2
    return found


@_compiled
def _norm(x: Any, n: Any, weight: Any, bias: Any, epsilon: Any, shift: Any, limit: Any, y: Any) -> None:
    """Limited norm of x [n]."""
    total, squares = np.int64(0), np.int64(epsilon)
    for i in range(n):
        total += x[i]
    mean = (2 * total + n) // (2 * n)
    for i in range(n):
        squares += (x[i] - mean) * (x[i] - mean)
    e = 0
    while squares < (np.int64(1) << 60):
        squares <<= 2
        e += 1
    inverse = (np.int64(1) << 61) // _root(squares)
    for i in range(n):
        scaled = _rounded((x[i] - mean) * inverse, 31 - e)
        y[i] = _clipped(_rounded(scaled * weight[i], shift) + bias[i], limit)


@_compiled
def _fire(x: Any, n: Any, v: Any, threshold: Any, stride: Any, constants: Any, gain: Any, levels: Any, signed: Any) -> None:
    """Replace x by the spikes of neurons with thresholds [n], or with one for all, if stride is 0; `gain` is a place in the constants."""
    for i in range(n):
        h = np.int64(v[i]) + _rounded((x[i] - v[i]) * (constants[gain + i] if gain >= 0 else _HALF), 15)
        spikes = np.int64(0)
        for level in range(1, levels + 1):
            spikes += h >= level * threshold[i * stride]
            spikes -= signed * (-h >= level * threshold[i * stride])
        x[i] = spikes
        v[i] = 0 if spikes else h


@_compiled
def _dense(x: Any, weights: Any, at: Any, inputs: Any, outputs: Any, y: Any) -> None:
    """y = W x, W [outputs, inputs]; sums stay below 2^30."""
    for o in range(outputs):
        row = weights[at + o * inputs : at + (o + 1) * inputs]
        total = np.int32(0)
        for i in range(np.uintp(inputs)):
            total += np.int32(row[i]) * np.int32(x[i])
        y[o] = total


@_compiled
def _sparse(x: Any, weights: Any, at: Any, inputs: Any, outputs: Any, y: Any, sums: Any) -> None:
    """y = W x, W [inputs, outputs], without the zeros of x."""
    sums[:outputs] = 0
    for i in range(inputs):
        value = np.int32(x[i])
        if value:
            row = weights[at + i * outputs : at + (i + 1) * outputs]
            for o in range(np.uintp(outputs)):
                sums[o] += np.int32(row[o]) * value
    for o in range(outputs):
        y[o] = sums[o]


@_compiled
def _product(sparse: Any, x: Any, weights: Any, at: Any, inputs: Any, outputs: Any, y: Any, sums: Any) -> None:
    if sparse:
        _sparse(x, weights, at, inputs, outputs, y, sums)
    else:
        _dense(x, weights, at, inputs, outputs, y)


@_compiled
def _scale(x: Any, n: Any, scale: Any, shift: Any, limit: Any) -> None:
    for i in range(n):
        x[i] = _clipped(_rounded(x[i] * scale[i], shift), limit)


@_compiled
def _shift(x: Any, n: Any, bits: Any) -> None:
    for i in range(n):
        x[i] <<= bits


@_compiled
def _mix(h: Any, last: Any, n: Any, share: Any, bits: Any, limit: Any, y: Any) -> None:
    for i in range(n):
        if bits:
            y[i] = h[i] if share[i] > 0 else last[i]
        else:
            y[i] = _clipped(last[i] + _rounded(share[i] * (h[i] - last[i]), 13), limit)


@_compiled
def _read(
    reader: Any, share: Any, h: Any, last: Any, row: Any, neurons: Any, end: Any, limit: Any, constants: Any, state: Any, y: Any
) -> None:
    """Input of a product that reads the stream: the mixture, behind which separate neurons fire; `share` is a place in the constants."""
    d = len(h)
    _mix(h, last, d, constants[share:], neurons == _NEURONS_INPUT, limit, y)
    if neurons == _NEURONS_SEPARATE:
        gain = row[_BEFORE_GAIN] + reader * d if row[_BEFORE_GAIN] >= 0 else row[_BEFORE_GAIN]
        threshold = end[_THRESHOLD : _THRESHOLD + 1]
        _fire(y, d, state[row[_BEFORE] + reader * d :], threshold, 0, constants, gain, end[_LEVELS], end[_SIGNED])


@_compiled
def _wkv(key: Any, gate: Any, value: Any, n: Any, bonus: Any, rate: Any, average: Any, total: Any) -> None:
    """Gated averages, into `value`."""
    for i in range(n):
        difference = value[i] - average[i]
        y = average[i] + _rounded(difference * _sigmoid(bonus[i] + key[i] - total[i]), 30)
        faded = np.int64(total[i]) - rate[i]
        average[i] += _rounded(difference * _sigmoid(key[i] - faded), 30)
        total[i] = max(faded, key[i]) + _interpolated(_SOFTPLUS, abs(key[i] - faded))
        value[i] = _rounded(y * gate[i], 30)


@_compiled
def _half(x: Any, row: Any, neurons: Any, end: Any, weights: Any, constants: Any, state: Any, room: Any) -> None:
    """Replace room[2] by the result of a half for the stream x [d]."""
    h, key, value, gate, mixed, sums = room
    d, separate = len(x), neurons == _NEURONS_SEPARATE
    bits = neurons == _NEURONS_INPUT or separate
    time = row[_KIND] == TIME
    wide = d if time else 4 * d
    scalars = constants[row[_SCALARS] :]
    limit = STREAM_MAX if bits else scalars[_LIMIT]
    threshold, levels, signed = end[_THRESHOLD : _THRESHOLD + 1], end[_LEVELS], end[_SIGNED]
    _norm(x, d, constants[row[_NORM_WEIGHT] :], constants[row[_NORM_BIAS] :], scalars[_NORM_EPSILON], scalars[_NORM_SHIFT], limit, h)
    if bits and not separate:
        _fire(h, d, state[row[_BEFORE] :], threshold, 0, constants, row[_BEFORE_GAIN], levels, signed)
    last = state[row[_SHIFT_AT] :]
    _read(0, row[_MIX_KEY], h, last, row, neurons, end, limit, constants, state, mixed)
    _product(bits, mixed, weights, row[_KEY], d, wide, key, sums)
    _read(1, row[_MIX_RECEPTANCE], h, last, row, neurons, end, limit, constants, state, mixed)
    _product(bits, mixed, weights, row[_RECEPTANCE], d, d, gate, sums)
    if time:
        _read(2, row[_MIX_VALUE], h, last, row, neurons, end, limit, constants, state, mixed)
        _product(bits, mixed, weights, row[_VALUE], d, d, value, sums)
        _shift(value, d, scalars[_VALUE_SHIFT])
    _scale(gate, d, constants[row[_RECEPTANCE_SCALE] :], scalars[_RECEPTANCE_SHIFT], LOG_MAX)
    for i in range(d):
        last[i] = h[i]
        gate[i] = _sigmoid(gate[i])
    if not (time or bits):
        for i in range(wide):
            key[i] = max(key[i], 0)
    _scale(key, wide, constants[row[_KEY_SCALE] :], scalars[_KEY_SHIFT], LOG_MAX if time or not bits else STREAM_MAX)
    if time:
        _wkv(key, gate, value, d, constants[row[_BONUS] :], constants[row[_RATE] :], state[row[_AVERAGE] :], state[row[_TOTAL] :])
        _scale(value, d, constants[row[_GATED_SCALE] :], scalars[_GATED_SHIFT], STREAM_MAX if bits else scalars[_INNER_LIMIT])
        key[:d] = value[:d]
    if bits:
        inner = constants[row[_INNER_WEIGHT] :], constants[row[_INNER_BIAS] :]
        _norm(key, wide, inner[0], inner[1], scalars[_INNER_EPSILON], scalars[_INNER_SHIFT], STREAM_MAX, key)
        _fire(key, wide, state[row[_INSIDE] :], threshold, 0, constants, row[_INSIDE_GAIN], levels, signed)
    elif not time:
        for i in range(wide):
            root = min(key[i], 32767)
            key[i] = min(_rounded(root * root, 16), scalars[_INNER_LIMIT])
    _product(bits or not time, key, weights, row[_OUTPUT] if time else row[_VALUE], wide, d, value, sums)
    if not time:
        _shift(value, d, scalars[_VALUE_SHIFT])
        for i in range(d):
            value[i] = _rounded(gate[i] * value[i], 30)


@_compiled
def _token(
    token: Any, neurons: Any, rows: Any, end: Any, embedding: Any, weights: Any, constants: Any, state: Any, logits: Any, room: Any
) -> None:
    """Read a token of one text with state [S]."""
    scalars = constants[end[1] :]
    x, half_room = room[0], room[1:]
    h, value, d = half_room[0], half_room[2], len(x)
    for i in range(d):
        x[i] = np.int64(embedding[token, i]) << scalars[_EMBEDDING_SHIFT]
    for r in range(len(rows)):
        row = rows[r]
        _half(x, row, neurons, scalars, weights, constants, state, half_room)
        own, half_scalars = constants[row[_OUTPUT_SCALE] :], constants[row[_SCALARS] :]
        if neurons == _NEURONS_OUTPUT:
            threshold, stride = own, 1
            if row[_AFTER_WEIGHT] >= 0:
                _scale(value, d, own, half_scalars[_OUTPUT_SHIFT], STREAM_MAX)
                after = constants[row[_AFTER_WEIGHT] :], constants[row[_AFTER_BIAS] :]
                _norm(value, d, after[0], after[1], half_scalars[_AFTER_EPSILON], half_scalars[_AFTER_SHIFT], STREAM_MAX, value)
                threshold, stride = scalars[_THRESHOLD : _THRESHOLD + 1], 0
            _fire(value, d, state[row[_AFTER] :], threshold, stride, constants, row[_AFTER_GAIN], scalars[_LEVELS], scalars[_SIGNED])
            for i in range(d):
                value[i] *= scalars[_ONE]
        else:
            _scale(value, d, own, half_scalars[_OUTPUT_SHIFT], 2 * STREAM_MAX)
        for i in range(d):
            x[i] = _clipped(x[i] + value[i], STREAM_MAX)
            if row[_HALVE]:
                x[i] = _rounded(x[i], 1)
    _norm(x, d, constants[end[2] :], constants[end[3] :], scalars[_END_EPSILON], scalars[_END_SHIFT], scalars[_END_LIMIT], h)
    _dense(h, weights, end[0], d, len(logits), logits)
    _scale(logits, len(logits), constants[end[4] :], scalars[_HEAD_SHIFT], LOG_MAX)


@_compiled
def run_text(
    tokens: Any, valid: Any, neurons: Any, rows: Any, end: Any, embedding: Any, weights: Any, constants: Any, state: Any, logits: Any
) -> None:
    """`text_reference.run`: tokens [B, T], state [B, S] updated in place, logits [B, T, V] written."""
    d = embedding.shape[1]
    room = (
        np.zeros(d, np.int64), np.zeros(d, np.int64), np.zeros(4 * d, np.int64), np.zeros(d, np.int64), np.zeros(d, np.int64),
        np.zeros(d, np.int64), np.zeros(4 * d, np.int32),
    )  # fmt: skip
    for b in range(len(tokens)):
        for t in range(tokens.shape[1]):
            if valid[b, t]:
                _token(tokens[b, t], neurons, rows, end, embedding, weights, constants, state[b], logits[b, t], room)
            else:
                logits[b, t] = 0
