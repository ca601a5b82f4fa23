"""Loops for integer delays, as plain Python that `specialise` compiles. Each processes parts `first` to `last` of its work."""

from typing import Any

import numpy as np


def padded(count: int) -> int:
    """A count rounded up to whole vectors of eight."""
    return (count + 7) // 8 * 8


def count(x: Any) -> Any:
    """Number of values of x [N] that are not zero."""
    total = 0
    for n in range(len(x)):
        total += x[n] != 0
    return total


def scatter(x: Any, weight: Any, place: Any, taps: int, past: int, tile: int, y: Any, first: int, last: int) -> None:
    """Follow events: each non-zero input adds its weights [C, H * K] to a line of sums over time, `tile` outputs at once.

    place [C, H * K] is the position relative to the event, delay * tile + h % tile. The reachable part of the line and the weights of a
    tile fit the caches. Parts `first` to `last` are tiles of rows, all tiles of a row in turn.
    """
    length, inputs = x.shape[1:]
    steps, outputs = y.shape[1:]
    synapses = weight.shape[1] // outputs
    tiles = -(-outputs // tile)
    line = np.empty((length + taps - 1) * tile, x.dtype)
    until = np.empty(length, np.intp)
    which = np.empty(length * inputs + 8, np.uint32)
    listed = -1
    for part in range(first, last):
        b, low = part // tiles, part % tiles * tile
        high = min(outputs, low + tile)
        if b != listed:
            n = 0
            for t in range(length):
                for i in range(
                    0, inputs - inputs % 8, 8
                ):  # most are zero, and a branch for each input would be mispredicted at every event
                    some = False
                    for j in range(8):
                        some |= x[b, t, i + j] != 0
                    if some:
                        for j in range(8):
                            which[n] = i + j
                            n += x[b, t, i + j] != 0
                for i in range(inputs - inputs % 8, inputs):
                    which[n] = i
                    n += x[b, t, i] != 0
                until[t] = n
            listed = b
        line[:] = 0
        event = 0
        for t in range(length):
            sums = line[t * tile :]
            while event < until[t]:
                i = which[event]
                value, weights, places = x[b, t, i], weight[i, low * synapses : high * synapses], place[i, low * synapses : high * synapses]
                for m in range(len(weights)):
                    sums[places[m]] += value * weights[m]
                event += 1
        y[b, :, low:high] = line[past * tile : (past + steps) * tile].reshape(steps, tile)[:, : high - low]


def slide(x: Any, weight: Any, start: Any, taps: int, past: int, fold: int, room: int, blocks: int, y: Any, first: int, last: int) -> None:
    """Add shifted inputs: each synapse of weight [H, M] adds its input, all steps in a row, eight synapses at a time.

    Groups of `fold` batch rows are processed together: their inputs are stored by step, then row, with `span` numbers per input including
    zeros before and after x. start [H, M] is the first number that each synapse reads. A delay of d steps is an offset of d * fold numbers,
    so that few steps of many rows make runs as long as many steps of one row. Sums have `room` numbers, T * fold rounded up to whole
    vectors, because a remainder loop would take as long as the rest. Parts `first` to `last` are `blocks` of outputs of a group, all blocks
    of a group in turn.
    """
    batch, length, inputs = x.shape
    steps, outputs = y.shape[1:]
    synapses = weight.shape[1]
    tile = 32  # inputs that fit the first-level cache
    lead = taps - 1 - past
    rows = np.zeros((inputs, (taps - 1) * fold + room), x.dtype)
    flat = rows.reshape(-1)
    sums = np.empty((outputs, room), x.dtype)
    held = -1
    for part in range(first, last):
        group, block = part // blocks, part % blocks
        low_row, high_row = group * fold, min(batch, (group + 1) * fold)
        low_output, high_output = outputs * block // blocks, outputs * (block + 1) // blocks
        if group != held:
            for t in range(length):
                for low in range(0, inputs, 16):  # in square blocks that fit the cache
                    for b in range(low_row, high_row):
                        for i in range(low, min(inputs, low + 16)):
                            rows[i, (lead + t) * fold + b - low_row] = x[b, t, i]
            held = group
        sums[low_output:high_output] = 0
        for low in range(0, synapses, tile):
            high = min(synapses, low + tile)
            for o in range(low_output, high_output):
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
                for o in range(low_output, high_output):
                    y[b, t, o] = sums[o, t * fold + b - low_row]
