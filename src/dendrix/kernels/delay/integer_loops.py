"""Loops for integer delays over batch rows `first` to `last`, as plain Python that `specialise` compiles."""

from typing import Any

import numpy as np


def padded(count: int) -> int:
    """A count rounded up to whole vectors of eight."""
    return (count + 7) // 8 * 8


def scatter(x: Any, weight: Any, place: Any, taps: int, past: int, tile: int, y: Any, first: int, last: int) -> None:
    """Follow events: each non-zero input adds its weights [C, H * K] to a line of sums over time, `tile` outputs at once.

    place [C, H * K] is the position relative to the event, delay * tile + h % tile. The reachable part of the line and the weights of a
    tile fit the caches.
    """
    length, inputs = x.shape[1:]
    steps, outputs = y.shape[1:]
    count = weight.shape[1] // outputs
    line = np.empty((length + taps - 1) * tile, x.dtype)
    until = np.empty(length, np.intp)
    which = np.empty(length * inputs, np.intp)
    value = np.empty(length * inputs, x.dtype)
    for b in range(first, last):
        n = 0
        for t in range(length):
            for i in range(inputs):
                if x[b, t, i] != 0:
                    which[n] = i
                    value[n] = x[b, t, i]
                    n += 1
            until[t] = n
        for low in range(0, outputs, tile):
            high = min(outputs, low + tile)
            line[:] = 0
            event = 0
            for t in range(length):
                sums = line[t * tile :]
                while event < until[t]:
                    weights, places = weight[which[event], low * count : high * count], place[which[event], low * count : high * count]
                    for m in range(len(weights)):
                        sums[places[m]] += value[event] * weights[m]
                    event += 1
            y[b, :, low:high] = line[past * tile : (past + steps) * tile].reshape(steps, tile)[:, : high - low]


def slide(x: Any, weight: Any, start: Any, taps: int, past: int, fold: int, room: int, y: Any, first: int, last: int) -> None:
    """Add shifted inputs: each synapse of weight [H, M] adds its input, all steps in a row, eight synapses at a time.

    Groups of `fold` batch rows are processed together: their inputs are stored by step, then row, with `span` numbers per input including
    zeros before and after x. start [H, M] is the first number that each synapse reads. A delay of d steps is an offset of d * fold numbers,
    so that few steps of many rows make runs as long as many steps of one row. Sums have `room` numbers, T * fold rounded up to whole
    vectors, because a remainder loop would take as long as the rest. Parts `first` to `last` are groups.
    """
    batch, length, inputs = x.shape
    steps, outputs = y.shape[1:]
    synapses = weight.shape[1]
    tile = 32  # inputs that fit the first-level cache
    lead = taps - 1 - past
    rows = np.zeros((inputs, (taps - 1) * fold + room), x.dtype)
    flat = rows.reshape(-1)
    sums = np.empty((outputs, room), x.dtype)
    for group in range(first, last):
        low_row, high_row = group * fold, min(batch, (group + 1) * fold)
        for t in range(length):
            for low in range(0, inputs, 16):  # in square blocks that fit the cache
                for b in range(low_row, high_row):
                    for i in range(low, min(inputs, low + 16)):
                        rows[i, (lead + t) * fold + b - low_row] = x[b, t, i]
        sums[:] = 0
        for low in range(0, synapses, tile):
            high = min(synapses, low + tile)
            for o in range(outputs):
                total, w, s = sums[o], weight[o], start[o]
                m = low
                while m + 8 <= high:
                    r0, r1, r2, r3 = flat[s[m] :], flat[s[m + 1] :], flat[s[m + 2] :], flat[s[m + 3] :]
                    r4, r5, r6, r7 = flat[s[m + 4] :], flat[s[m + 5] :], flat[s[m + 6] :], flat[s[m + 7] :]
                    w0, w1, w2, w3, w4, w5, w6, w7 = w[m], w[m + 1], w[m + 2], w[m + 3], w[m + 4], w[m + 5], w[m + 6], w[m + 7]
                    for t in range(room):
                        total[t] += (w0 * r0[t] + w1 * r1[t] + w2 * r2[t] + w3 * r3[t]) + (
                            w4 * r4[t] + w5 * r5[t] + w6 * r6[t] + w7 * r7[t]
                        )
                    m += 8
                while m < high:
                    r0, w0 = flat[s[m] :], w[m]
                    for t in range(room):
                        total[t] += w0 * r0[t]
                    m += 1
        for b in range(low_row, high_row):
            for t in range(steps):
                for o in range(outputs):
                    y[b, t, o] = sums[o, t * fold + b - low_row]
