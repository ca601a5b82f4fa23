"""Loop of a whole network over the steps of one row at a time, event by event. `tables` describes the arrays.

A line has 2 * taps - 1 rows. Row step mod taps is the current one; once every `taps` steps the rows to come move to its start.
"""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit
from .stopping import MAX, RUNS, STOPPED, all_finite, end_of, first_largest, gather

_compiled = partial(cached_jit, fastmath={"contract"})
_inlined = partial(cached_jit, fastmath={"contract"}, inlined=True)
_LIF, _CUBA, _ADLIF, _LI = 0, 1, 2, 3
AHEAD = 32
"""Steps that `run_until` computes ahead in the first layer: shorter loops are not vectorised."""


@_inlined
def _open(edges: Any, e: Any, memory: Any, now: Any, first: Any) -> None:
    """Make the line of edge e ready for a step: its last row, which no input has reached yet, is zero."""
    late, taps, line_at = edges[e, 0], edges[e, 4], np.uintp(edges[e, 7])
    width = edges[e, 1] * edges[e, 3] if late else edges[e, 2]
    if now == 0 and not first:
        ahead = np.uintp(taps * width)
        for j in range(np.uintp((taps - 1) * width)):
            memory[line_at + j] = memory[line_at + ahead + j]
    last = line_at + np.uintp((now + taps - 1) * width)
    for j in range(np.uintp(0 if late else width)):  # inputs are written and not added
        memory[last + j] = 0


@_inlined
def _begin(layers: Any, edges: Any, rest: Any, memory: Any) -> None:
    """Set the state of a row before its first step. The last rows of the lines are set when a step reaches them."""
    for k in range(len(layers)):
        for j in range(layers[k, 4], layers[k, 4] + 2 * layers[k, 1]):
            memory[j] = rest[j]
    for e in range(len(edges)):
        width = edges[e, 1] * edges[e, 3] if edges[e, 0] else edges[e, 2]
        for j in range(edges[e, 7], edges[e, 7] + (edges[e, 4] - 1) * width):
            memory[j] = 0


@_inlined
def _is_dense(x: Any, b: Any, length: Any) -> Any:
    """Whether sums over several steps at once are faster for row b of x than adding event by event."""
    active, steps = 0, min(length, AHEAD)
    for t in range(steps):
        for i in range(x.shape[2]):
            active += x[b, t, i] != 0
    return active > 0.2 * steps * x.shape[2]


@_inlined
def list_active(values: Any, at: Any, count: Any, active: Any) -> Any:
    """Write the indices of the values that are not zero; returns their number. Branches would be mispredicted at every spike."""
    found = np.uintp(0)
    for m in range(np.uintp(count)):
        active[found] = m
        found += np.uintp(values[at + m] != 0)
    return found


@_inlined
def _send(values: Any, edges: Any, e: Any, weights: Any, places: Any, memory: Any, now: Any, active: Any) -> None:
    """Write what the inputs of edge e cause from this step on into its line."""
    late, inputs, outputs, count = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
    row = np.uintp(edges[e, 7] + now * (inputs * count if late else outputs))
    each = np.uintp(count if late else count * outputs)
    if late:
        place = np.uintp(edges[e, 6])
        for i in range(np.uintp(inputs)):
            for m in range(each):
                memory[row + np.uintp(places[place + i * each + m])] = values[i]
        return
    found = list_active(values, np.uintp(0), inputs, active)
    for n in range(found):
        i = active[n]
        value, place, weight = values[i], np.uintp(edges[e, 6]) + i * each, np.uintp(edges[e, 5]) + i * each
        for m in range(each):
            memory[row + np.uintp(places[place + m])] += weights[weight + m] * value


@_inlined
def _receive(edges: Any, e: Any, weights: Any, memory: Any, now: Any, active: Any, sums: Any) -> None:
    """Add what arrives on edge e in this step to the sums [outputs]."""
    late, outputs = edges[e, 0], np.uintp(edges[e, 2])
    width = np.uintp(edges[e, 1] * edges[e, 3]) if late else outputs
    row = np.uintp(edges[e, 7]) + np.uintp(now) * width
    if not late:
        for o in range(outputs):
            sums[o] += memory[row + o]
        return
    found = list_active(memory, row, width, active)
    k, weight_at = np.uintp(0), np.uintp(edges[e, 5])
    while k + np.uintp(4) <= found:
        p, q, r, s = active[k], active[k + np.uintp(1)], active[k + np.uintp(2)], active[k + np.uintp(3)]
        a, b, c, d = memory[row + p], memory[row + q], memory[row + r], memory[row + s]
        w, x, y, z = weight_at + p * outputs, weight_at + q * outputs, weight_at + r * outputs, weight_at + s * outputs
        for o in range(outputs):
            sums[o] += (a * weights[w + o] + b * weights[x + o]) + (c * weights[y + o] + d * weights[z + o])
        k += np.uintp(4)
    while k < found:
        a, w = memory[row + active[k]], weight_at + active[k] * outputs
        for o in range(outputs):
            sums[o] += a * weights[w + o]
        k += np.uintp(1)


@_inlined
def fire(layers: Any, k: Any, parameters: Any, memory: Any, sums: Any, values: Any) -> None:
    """Advance the neurons of layer k by one step, with the sums of their inputs; writes their outputs to `values`."""
    kind, size, soft = layers[k, 0], np.uintp(layers[k, 1]), layers[k, 2]
    bias, v = np.uintp(layers[k, 3]), np.uintp(layers[k, 4])
    decay, threshold, reset = bias + size, bias + np.uintp(2) * size, bias + np.uintp(3) * size
    slow_decay, coupling, jump = bias + np.uintp(4) * size, bias + np.uintp(5) * size, bias + np.uintp(6) * size
    slow, p, zero, one = v + size, parameters, np.float32(0), np.float32(1)
    if kind == _ADLIF:
        for o in range(size):
            u = memory[v + o]
            spiked = u >= p[threshold + o]
            w = p[slow_decay + o] * memory[slow + o] + p[coupling + o] * u + (p[jump + o] if spiked else zero)
            u = p[decay + o] * (u - p[threshold + o] if spiked else u) + (sums[o] + p[bias + o]) - w
            memory[slow + o], memory[v + o] = w, u
            values[o] = one if u >= p[threshold + o] else zero
        return
    if kind == _CUBA:
        for o in range(size):
            memory[slow + o] = p[slow_decay + o] * memory[slow + o] + (sums[o] + p[bias + o])
            sums[o] = p[decay + o] * memory[v + o] + memory[slow + o]
    else:
        for o in range(size):
            sums[o] += p[decay + o] * memory[v + o] + p[bias + o]
    if kind == _LI:
        for o in range(size):
            memory[v + o] = values[o] = sums[o]
    elif soft:
        for o in range(size):
            fires = sums[o] >= p[threshold + o]
            values[o] = one if fires else zero
            memory[v + o] = sums[o] - p[threshold + o] if fires else sums[o]
    else:
        for o in range(size):
            fires = sums[o] >= p[threshold + o]
            values[o] = one if fires else zero
            memory[v + o] = p[reset + o] if fires else sums[o]


@_inlined
def advance(
    values: Any, layers: Any, edges: Any, weights: Any, places: Any, parameters: Any, memory: Any, step: Any, active: Any, sums: Any,
    summed: Any,
) -> None:  # fmt: skip
    """One step of one row: replaces `values`, the inputs of the network, by its outputs, and changes the state `memory` [S].

    `active` and `sums` are room for indices and for the sums of a layer; `summed`: `sums` holds those of the first layer already.
    """
    for k in range(len(layers)):
        edge, own = layers[k, 5], layers[k, 6]
        now = step % edges[edge, 4]
        if k > 0 or not summed:
            for o in range(np.uintp(layers[k, 1])):
                sums[o] = 0
            _open(edges, edge, memory, now, step == 0)
            _send(values, edges, edge, weights, places, memory, now, active)
            _receive(edges, edge, weights, memory, now, active, sums)
        if own < 0:
            fire(layers, k, parameters, memory, sums, values)
            continue
        now = step % edges[own, 4]
        _open(edges, own, memory, now, step == 0)
        _receive(edges, own, weights, memory, now, active, sums)
        fire(layers, k, parameters, memory, sums, values)
        _send(values, edges, own, weights, places, memory, now, active)


@_compiled
def rooms(layers: Any, edges: Any) -> Any:
    """Room for the values of a layer, and for `advance`."""
    widest = max(layers[:, 1].max(), (edges[:, 1] * edges[:, 3]).max())
    return np.zeros(widest, np.float32), np.zeros(widest + 1, np.uintp), np.zeros(widest, np.float32)


@_compiled
def _slide(x: Any, b: Any, low: Any, high: Any, weight: Any, start: Any, line: Any, drive: Any) -> None:
    """Sums of the first layer for AHEAD steps from `low` on, `drive` [AHEAD, H], of row b of x [B, T, C], which ends at `high`.

    A synapse of weight [H, M] adds its delayed input for all these steps at once. `line` [C * span] is room for the inputs by time, and
    start [H, M] is where each synapse reads in it.
    """
    inputs = x.shape[2]
    span = len(line) // inputs
    for n in range(span):
        t = low + n - (span - AHEAD)
        for i in range(inputs):
            line[i * span + n] = x[b, t, i] if 0 <= t < high else 0
    total = np.empty(AHEAD, np.float32)
    for o in range(len(weight)):
        total[:] = 0
        for m in range(0, weight.shape[1], 8):
            w0, w1, w2, w3 = weight[o, m], weight[o, m + 1], weight[o, m + 2], weight[o, m + 3]
            w4, w5, w6, w7 = weight[o, m + 4], weight[o, m + 5], weight[o, m + 6], weight[o, m + 7]
            r0, r1, r2, r3 = np.uintp(start[o, m]), np.uintp(start[o, m + 1]), np.uintp(start[o, m + 2]), np.uintp(start[o, m + 3])
            r4, r5, r6, r7 = np.uintp(start[o, m + 4]), np.uintp(start[o, m + 5]), np.uintp(start[o, m + 6]), np.uintp(start[o, m + 7])
            for s in range(np.uintp(len(total))):
                total[s] += ((w0 * line[r0 + s] + w1 * line[r1 + s]) + (w2 * line[r2 + s] + w3 * line[r3 + s])) + (
                    (w4 * line[r4 + s] + w5 * line[r5 + s]) + (w6 * line[r6 + s] + w7 * line[r7 + s])
                )
        for s in range(AHEAD):
            drive[s, o] = total[s]


@_compiled
def run_until(
    x: Any, lengths: Any, to_end: Any, layers: Any, edges: Any, weights: Any, places: Any, parameters: Any, rest: Any, slid: Any,
    starts: Any, sliding: Any, accumulation: Any, rule: Any, scale: Any, thresholds: Any, earliest: Any, steps: Any, answers: Any,
    ends: Any, evidence: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Run rows first to last of x [B, T, C] from rest, each until a rule stops it or it ends; see `stopping` for the rule.

    `sliding`: the sums of the first layer are computed several steps ahead by `slid` and `starts` for rows that are dense.
    Writes for every row the number of `steps`, the class with the most evidence, how it ended, and its `evidence` [N, K]. A row that was
    stopped with steps left runs on to its end if `to_end` [B] is not -1 but the place of its end in these results, behind the first B.
    """
    values, active, sums = rooms(layers, edges)
    memory, seen = np.empty_like(rest), np.empty(2, np.int64)
    inputs, classes = x.shape[2], evidence.shape[1]
    kept, now = np.empty(classes, np.float32), np.empty(classes, np.float32)
    drive = np.empty((AHEAD, layers[0, 1]), np.float32)
    line = np.empty(inputs * (edges[0, 4] - 1 + AHEAD), np.float32)
    for b in range(first, last):
        _begin(layers, edges, rest, memory)
        ahead = sliding and _is_dense(x, b, lengths[b])
        seen[:] = -1, 0
        kept[:] = -np.inf if accumulation == MAX else 0
        step, at = 0, b
        while at >= 0:
            end = RUNS
            # No slices of arrays in here: counting their references takes as long as the network.
            while end == RUNS:
                for i in range(inputs):
                    values[i] = x[b, step, i]
                finite = all_finite(values, inputs)
                if ahead:
                    if step % AHEAD == 0:
                        _slide(x, b, step, lengths[b], slid, starts, line, drive)
                    for o in range(drive.shape[1]):
                        sums[o] = drive[step % AHEAD, o]
                advance(values, layers, edges, weights, places, parameters, memory, step, active, sums, ahead)
                step += 1
                finite &= all_finite(values, classes)
                gather(values, accumulation, step, kept, now)
                end = end_of(now, finite, at == b, rule, scale, thresholds, earliest, step, lengths[b], seen)
            evidence[at] = now
            steps[at], answers[at], ends[at] = step, first_largest(now), end
            at = to_end[b] if at == b and end == STOPPED and step < lengths[b] else -1
