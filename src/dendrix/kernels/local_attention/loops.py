"""Loops of local attention: one head of one text after the other, in chunks of steps that lie side by side, so that all loops vectorise.

Unsigned indices spare the check for negative ones, which would keep a loop from vectorising.
"""

from typing import Any

import numpy as np

CHUNK = np.uintp(128)
"""Steps of a chunk, whose numbers fit the second-level cache."""
_ZERO, _ONE = np.float32(0), np.float32(1)
exponential: Any = np.exp


def turn(x: Any, b: int, start: Any, channel: int, y: Any, count: Any) -> None:
    """Copy `count` steps of the channels of one head to y [channels, .]."""
    for t in range(count):
        for i in range(np.uintp(len(y))):
            y[i, t] = x[b, start + t, np.uintp(channel) + i]


def turn_back(y: Any, x: Any, b: int, start: Any, channel: int, count: Any) -> None:
    """Copy them from y."""
    for t in range(count):
        for i in range(np.uintp(len(y))):
            x[b, start + t, np.uintp(channel) + i] = y[i, t]


def add_back(y: Any, x: Any, b: int, start: Any, channel: int, count: Any) -> None:
    """Add them from y."""
    for t in range(count):
        for i in range(np.uintp(len(y))):
            x[b, start + t, np.uintp(channel) + i] += y[i, t]


def rows(count: int, width: Any) -> Any:
    """Room for so many rows."""
    return np.empty((count, width), np.float32)


def forward(q: Any, keys: Any, values: Any, age: Any, gates: Any, scale: Any, y: Any, weights: Any, first: int, last: int) -> None:
    """Heads first .. last - 1 of all texts: gated averages y [B, T, C], and the weights of the tokens by age [B, H, W, T]."""
    _, steps, heads = gates.shape
    window, query, size = age.shape[1], q.shape[2] // heads, values.shape[2] // heads
    past = np.uintp(window - 1)
    own, read, kept = rows(query, CHUNK), rows(query, CHUNK + past), rows(size, CHUNK + past)
    scores, averages = rows(window, CHUNK), rows(size, CHUNK)
    top, factor = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for part in range(first, last):
        b, h = part // heads, part % heads
        for start in range(np.uintp(0), np.uintp(steps), CHUNK):
            count = min(CHUNK, np.uintp(steps) - start)
            turn(q, b, start, h * query, own, count)
            turn(keys, b, start, h * query, read, count + past)
            turn(values, b, start, h * size, kept, count + past)
            top[:], factor[:] = np.float32(-np.inf), _ZERO
            for a in range(window):
                scores[a] = _ZERO
                late = np.uintp(window - 1 - a)
                for i in range(query):
                    for t in range(count):
                        scores[a, t] += own[i, t] * read[i, late + t]
                for t in range(count):
                    scores[a, t] = scores[a, t] * scale + age[h, a]
                for t in range(count):
                    top[t] = scores[a, t] if scores[a, t] > top[t] else top[t]
            for a in range(window):
                for t in range(count):
                    scores[a, t] = exponential(scores[a, t] - top[t])
                for t in range(count):
                    factor[t] += scores[a, t]
            for t in range(count):
                factor[t], top[t] = _ONE / factor[t], gates[b, start + t, h]
            for a in range(window):
                for t in range(count):
                    weights[b, h, a, start + t] = scores[a, t] * factor[t]
                for t in range(count):
                    scores[a, t] *= factor[t] * top[t]
            averages[:] = _ZERO
            for a in range(window):
                late = np.uintp(window - 1 - a)
                for c in range(size):
                    for t in range(count):
                        averages[c, t] += scores[a, t] * kept[c, late + t]
            turn_back(averages, y, b, start, h * size, count)


def backward(
    q: Any, keys: Any, values: Any, gates: Any, scale: Any, weights: Any, gy: Any, gq: Any, gkeys: Any, gvalues: Any, grad_age: Any,
    ggates: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Heads first .. last - 1 of the gradients of all texts; those of the biases of the ages for each text, [B, H, W].

    `gkeys` and `gvalues` hold zeros before.
    """
    _, steps, heads = gates.shape
    window, query, size = weights.shape[2], q.shape[2] // heads, values.shape[2] // heads
    past = np.uintp(window - 1)
    own, read, kept, down = rows(query, CHUNK), rows(query, CHUNK + past), rows(size, CHUNK + past), rows(size, CHUNK)
    gown, gread, gkept, share = rows(query, CHUNK), rows(query, CHUNK + past), rows(size, CHUNK + past), rows(window, CHUNK)
    gate, mean = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for part in range(first, last):
        b, h = part // heads, part % heads
        grad_age[b, h] = _ZERO
        for start in range(np.uintp(0), np.uintp(steps), CHUNK):
            count = min(CHUNK, np.uintp(steps) - start)
            turn(q, b, start, h * query, own, count)
            turn(keys, b, start, h * query, read, count + past)
            turn(values, b, start, h * size, kept, count + past)
            turn(gy, b, start, h * size, down, count)
            gown[:], gread[:], gkept[:], mean[:] = _ZERO, _ZERO, _ZERO, _ZERO
            for a in range(window):
                share[a] = _ZERO
                late = np.uintp(window - 1 - a)
                for c in range(size):
                    for t in range(count):
                        share[a, t] += down[c, t] * kept[c, late + t]
                for t in range(count):
                    mean[t] += share[a, t] * weights[b, h, a, start + t]
            for t in range(count):
                gate[t], ggates[b, start + t, h] = gates[b, start + t, h], mean[t]
            for c in range(size):
                for t in range(count):
                    down[c, t] *= gate[t]
            for a in range(window):
                total = _ZERO
                late = np.uintp(window - 1 - a)
                for t in range(count):
                    share[a, t] = gate[t] * weights[b, h, a, start + t] * (share[a, t] - mean[t])
                    total += share[a, t]
                grad_age[b, h, a] += total
                for i in range(query):
                    for t in range(count):
                        gown[i, t] += scale * share[a, t] * read[i, late + t]
                    for t in range(count):
                        gread[i, late + t] += scale * share[a, t] * own[i, t]
                for t in range(count):
                    share[a, t] = weights[b, h, a, start + t]
                for c in range(size):
                    for t in range(count):
                        gkept[c, late + t] += share[a, t] * down[c, t]
            turn_back(gown, gq, b, start, h * query, count)
            add_back(gread, gkeys, b, start, h * query, count + past)
            add_back(gkept, gvalues, b, start, h * size, count + past)
