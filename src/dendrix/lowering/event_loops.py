"""Loop of a whole network from events to outputs: layer by layer over a chunk of steps. `event_tables` describes the arrays.

A line of pending sums has 2 * taps - 1 rows. Row step mod taps is the current one; once every `taps` steps the rows to come move to its
start. Events are lists: those of a row of the batch and a block of neurons start at begin, and until [T] counts them up to each step.
"""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit
from .loops import fire, list_active

_compiled = partial(cached_jit, fastmath={"contract"})
_inlined = partial(cached_jit, fastmath={"contract"}, inlined=True)
GROUP = 8
"""Rows of the batch that a thread takes through a layer at a time, so that the weights of a block stay in the cache."""


@_inlined
def _open(edges: Any, e: Any, memory: Any, now: Any, first: Any) -> None:
    """Make the line of edge e ready for a step: its last row, which no event has reached yet, is zero."""
    width, taps, line = np.uintp(edges[e, 1]), np.uintp(edges[e, 2]), np.uintp(edges[e, 7])
    if now == 0 and not first:
        ahead = line + taps * width
        for j in range((taps - np.uintp(1)) * width):
            memory[line + j] = memory[ahead + j]
    last = line + (np.uintp(now) + taps - np.uintp(1)) * width
    for j in range(width):
        memory[last + j] = 0


@_inlined
def _send(edges: Any, e: Any, starts: Any, places: Any, weights: Any, memory: Any, now: Any, i: Any, value: Any) -> None:
    """Add what an event of input i causes, from this step on, to the line of edge e."""
    width = np.uintp(edges[e, 1])
    row, place, weight = np.uintp(edges[e, 7]) + np.uintp(now) * width, np.uintp(edges[e, 5]), np.uintp(edges[e, 6])
    if edges[e, 0]:
        count = np.uintp(edges[e, 3])
        for k in range(i * count, i * count + count):
            at, w = row + np.uintp(places[place + k]), weight + k * width
            for o in range(width):
                memory[at + o] += weights[w + o] * value
        return
    begin = np.uintp(edges[e, 4]) + i
    for m in range(np.uintp(starts[begin]), np.uintp(starts[begin + np.uintp(1)])):
        memory[row + np.uintp(places[place + m])] += weights[weight + m] * value


@_compiled
def list_events(x: Any, b: Any, low: Any, high: Any, begin: Any, until: Any, which: Any, value: Any) -> None:
    """List what is not zero in steps low to high of row b of x [B, T, C], from place `begin` on."""
    bits = x.view(np.int32)
    inputs, n = x.shape[2], begin
    for t in range(low, high):
        i = 0
        while i < inputs:
            # Most inputs are zero: eight are tested at once. Branches for each would be mispredicted at every spike.
            if i + 8 <= inputs:
                some = np.int32(0)
                for j in range(8):
                    some |= bits[b, t, i + j]
                if some == 0:
                    i += 8
                    continue
            for j in range(i, min(i + 8, inputs)):
                which[n] = j
                value[n] = x[b, t, j]
                n += x[b, t, j] != 0
            i += 8
        until[t - low] = n - begin


@_compiled
def run_stage(
    k: Any, begins: Any, ends: Any, which: Any, value: Any, stages: Any, blocks: Any, edges: Any, starts: Any, places: Any, weights: Any,
    parameters: Any, memory: Any, steps: Any, valid: Any, low: Any, high: Any, row: Any, count: Any, ends_out: Any, which_out: Any,
    y: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Run layer k over steps low to high of `count` rows of the batch from `row` on: tasks first to last, each a block of neurons of a row.

    Reads the events begins [rows, P], ends [rows, P, T], `which` and, in the first layer, their `value`. Writes those of the layer, or
    y [B, T, K] if it is the last. Changes `memory` [B, S]; steps [B] is the number of steps before.
    """
    begin_block, parts, width, final = stages[k, 0], stages[k, 2], stages[k, 3], k == len(stages) - 1
    widest = blocks[begin_block, 1]
    sums, values, active = np.empty(widest, np.float32), np.empty(widest, np.float32), np.empty(widest + 1, np.uintp)
    one = np.float32(1)
    for task in range(first, last):
        block, r = begin_block + task // count, task % count
        b, step = row + r, steps[row + r]
        size, e, own, at = np.uintp(blocks[block, 1]), blocks[block, 5], blocks[block, 6], blocks[block, 7]
        state, until, events = memory[b], ends_out[r, block - begin_block], which_out[r, block - begin_block]
        line, taps = np.uintp(edges[e, 7]), edges[e, 2]
        found = 0
        for t in range(high - low):
            if not valid[b, low + t]:
                if final:
                    for o in range(size):
                        y[b, low + t, at + o] = 0
                else:
                    until[t] = found
                continue
            now = step % taps
            _open(edges, e, state, now, step == 0)
            for part in range(parts):
                start = begins[r, part]
                for n in range(start + (ends[r, part, t - 1] if t else 0), start + ends[r, part, t]):
                    i = np.uintp(which[n]) + np.uintp(part * width)
                    _send(edges, e, starts, places, weights, state, now, i, value[n] if k == 0 else one)
            for o in range(size):
                sums[o] = state[line + np.uintp(now) * size + o]
            if own >= 0:
                now = step % edges[own, 2]
                _open(edges, own, state, now, step == 0)
                back = np.uintp(edges[own, 7]) + np.uintp(now) * size
                for o in range(size):
                    sums[o] += state[back + o]
            fire(blocks, block, parameters, state, sums, values)
            step += 1
            if final:
                for o in range(size):
                    y[b, low + t, at + o] = values[o]
            if own >= 0 or not final:
                spikes = list_active(values, np.uintp(0), size, active)
                if own >= 0:
                    for n in range(spikes):
                        _send(edges, own, starts, places, weights, state, now, active[n], one)
                if not final:
                    for n in range(spikes):
                        events[found + n] = active[n]
                    found += spikes
                    until[t] = found


@_compiled
def run_rows(
    x: Any, begins: Any, ends: Any, which: Any, value: Any, stages: Any, blocks: Any, edges: Any, starts: Any, places: Any, weights: Any,
    parameters: Any, rest: Any, fresh: Any, memory: Any, steps: Any, valid: Any, low: Any, high: Any, y: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Run steps low to high of rows first to last of the batch, whose inputs are events, or x [B, T, C] if there are no events.

    `fresh`: `memory` is set first, by the thread that uses it.
    """
    widest, most, length = 1, 1, high - low
    for k in range(len(stages)):
        most = max(most, stages[k, 1] - stages[k, 0])
        widest = max(widest, blocks[stages[k, 0], 1])
    group = min(GROUP, last - first)
    until, spikes = np.empty((2, group, most, length), np.int64), np.empty((2, group, most, length * widest), np.uint32)
    flat, begin = spikes.reshape(2, -1), np.empty((group, most), np.int64)
    for r in range(group):
        for part in range(most):
            begin[r, part] = (r * most + part) * length * widest
    dense = len(begins) == 0
    mine = group if dense else 0
    begin_x, until_x = np.empty((mine, 1), np.int64), np.empty((mine, 1, length), np.int64)
    which_x, value_x = np.empty(mine * length * x.shape[2], np.uint32), np.empty(mine * length * x.shape[2], np.float32)
    for row in range(first, last, group):
        count = min(group, last - row)
        if fresh:
            for b in range(row, row + count):
                memory[b] = rest
        if dense:
            for r in range(count):
                begin_x[r, 0] = r * length * x.shape[2]
                list_events(x, row + r, low, high, begin_x[r, 0], until_x[r, 0], which_x, value_x)
            run_stage(
                0, begin_x, until_x, which_x, value_x, stages, blocks, edges, starts, places, weights, parameters, memory, steps, valid,
                low, high, row, count, until[0], spikes[0], y, 0, count * (stages[0, 1] - stages[0, 0]),
            )  # fmt: skip
        else:
            run_stage(
                0, begins[row : row + count], ends[row : row + count], which, value, stages, blocks, edges, starts, places, weights,
                parameters, memory, steps, valid, low, high, row, count, until[0], spikes[0], y, 0,
                count * (stages[0, 1] - stages[0, 0]),
            )  # fmt: skip
        for k in range(1, len(stages)):
            came, goes = (k - 1) % 2, k % 2
            run_stage(
                k, begin, until[came], flat[came], value_x, stages, blocks, edges, starts, places, weights, parameters, memory, steps,
                valid, low, high, row, count, until[goes], spikes[goes], y, 0, count * (stages[k, 1] - stages[k, 0]),
            )  # fmt: skip
