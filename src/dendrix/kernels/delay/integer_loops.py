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


def slide(
    x: Any, weight: Any, start: Any, taps: int, past: int, fold: int, room: int, blocks: int, y: Any, rows: Any, sums: Any,
    first: int, last: int,
) -> None:  # fmt: skip
    """Add shifted inputs: each synapse of weight [H, M] adds its input, all steps in a row, eight synapses at a time.

    Groups of `fold` batch rows are processed together: their inputs are stored by step, then row, with `span` numbers per input including
    zeros before and after x. start [H, M] is the first number that each synapse reads. A delay of d steps is an offset of d * fold numbers,
    so that few steps of many rows make runs as long as many steps of one row. Sums have `room` numbers, T * fold rounded up to whole
    vectors, because a remainder loop would take as long as the rest. Parts `first` to `last` are `blocks` of outputs of a group, all blocks
    of a group in turn. rows [C * span] of zeros and sums [H, room] are memory of this thread.
    """
    batch, length, inputs = x.shape[0], x.shape[1], x.shape[2]
    steps, outputs = y.shape[1], y.shape[2]
    synapses = weight.shape[1]
    tile = 32  # inputs that fit the first-level cache
    lead, span = taps - 1 - past, len(rows) // inputs
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
                            rows[i * span + (lead + t) * fold + b - low_row] = x[b, t, i]
            held = group
        for o in range(low_output, high_output):
            for t in range(room):
                sums[o, t] = 0
        for low in range(0, synapses, tile):
            high = min(synapses, low + tile)
            for o in range(low_output, high_output):
                for m in range(low, high - 7, 8):
                    r0, r1, r2, r3 = start[o, m], start[o, m + 1], start[o, m + 2], start[o, m + 3]
                    r4, r5, r6, r7 = start[o, m + 4], start[o, m + 5], start[o, m + 6], start[o, m + 7]
                    w0, w1, w2, w3 = weight[o, m], weight[o, m + 1], weight[o, m + 2], weight[o, m + 3]
                    w4, w5, w6, w7 = weight[o, m + 4], weight[o, m + 5], weight[o, m + 6], weight[o, m + 7]
                    for t in range(np.uintp(room)):
                        sums[o, t] += (w0 * rows[r0 + t] + w1 * rows[r1 + t] + w2 * rows[r2 + t] + w3 * rows[r3 + t]) + (
                            w4 * rows[r4 + t] + w5 * rows[r5 + t] + w6 * rows[r6 + t] + w7 * rows[r7 + t]
                        )
                for m in range(high - (high - low) % 8, high):
                    r0, w0 = start[o, m], weight[o, m]
                    for t in range(np.uintp(room)):
                        sums[o, t] += w0 * rows[r0 + t]
        for b in range(low_row, high_row):
            for t in range(steps):
                for o in range(low_output, high_output):
                    y[b, t, o] = sums[o, t * fold + b - low_row]
