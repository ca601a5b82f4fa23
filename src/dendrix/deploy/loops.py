"""Loops over layers, neurons and synapses in integers. `reference` has the equations.

Pending sums of a layer lie in a ring of `taps` rows: row (step + delay) mod taps takes what arrives `delay` steps later, and the row of
the step itself is consumed and cleared. The first layer, whose inputs are rarely zero, keeps these in a ring instead, and gathers from it.
`plan` and the flat tables are described in `layout`.
"""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit

_compiled = partial(cached_jit, fastmath=False)
_LIF, _CUBA, _ADLIF, _LI = 0, 1, 2, 3
_LOW, _HIGH = -(2**31), 2**31 - 1


@_compiled
def _scatter(
    values: Any, inputs: Any, outputs: Any, count: Any, weight: Any, delay: Any, ring: Any, taps: Any, now: Any, starts: Any
) -> Any:
    """Add what inputs send to the ring of pending sums [taps, outputs]; returns the number of synaptic operations."""
    for lag in range(taps):
        row = now + lag
        starts[lag] = (row - taps if row >= taps else row) * outputs
    operations = 0
    for k in range(count):
        for i in range(inputs):
            value = values[i]
            if value == 0:
                continue
            operations += outputs
            at = np.uintp((k * inputs + i) * outputs)
            for o in range(outputs):
                j = at + np.uintp(o)
                ring[np.uintp(starts[delay[j]]) + np.uintp(o)] += weight[j] * value
    return operations


@_compiled
def _gather(
    values: Any, inputs: Any, outputs: Any, count: Any, weight: Any, delay: Any, ring: Any, taps: Any, now: Any, line: Any, sums: Any
) -> Any:
    """Write inputs into the ring of those of the past [taps, inputs], and sum what arrives now; returns the number of operations.

    `line` is room for the ring in the order of the inputs and their delays.
    """
    operations = 0
    for i in range(inputs):
        ring[now * inputs + i] = values[i]
        if values[i] != 0:
            operations += count * outputs
    for lag in range(taps):
        row = now - lag
        row = row + taps if row < 0 else row
        for i in range(inputs):
            line[i * taps + lag] = ring[row * inputs + i]
    sums[:outputs] = 0
    for k in range(count):
        for i in range(inputs):
            at, late = np.uintp((k * inputs + i) * outputs), np.uintp(i * taps)
            for o in range(outputs):
                j = at + np.uintp(o)
                sums[o] += weight[j] * line[late + np.uintp(delay[j])]
    return operations


@_compiled
def _saturated(h: Any) -> Any:
    return min(max(h, _LOW), _HIGH)


@_compiled
def _integer_step(values: Any, row: Any, weights: Any, delays: Any, parameters: Any, memory: Any, step: Any, first: Any, room: Any) -> Any:
    """One step of one layer; replaces `values`, its inputs, by its outputs. Returns the number of synaptic operations."""
    kind, inputs, outputs, count, taps, shift, soft = row[0], row[1], row[2], row[3], row[4], row[5], row[6]
    feedback, feedback_taps, feedback_shift = row[7], row[8], row[9]
    p = parameters[row[12] : row[12] + 8 * outputs].reshape(8, outputs)
    v, slow = memory[row[13] : row[13] + outputs], memory[row[14] : row[14] + outputs]
    ring = memory[row[15] : row[15] + taps * (inputs if first else outputs)]
    now = step % taps
    w, d = weights[row[10] : row[11]], delays[row[10] : row[11]]
    line, sums, starts = room
    if first:
        operations = _gather(values, inputs, outputs, count, w, d, ring, taps, now, line, sums)
    else:
        operations = _scatter(values, inputs, outputs, count, w, d, ring, taps, now, starts)
        sums[:outputs] = ring[now * outputs : (now + 1) * outputs]
        ring[now * outputs : (now + 1) * outputs] = 0
    own = memory[row[16] : row[16] + feedback_taps * outputs]
    back = step % feedback_taps if feedback else 0
    for o in range(outputs):
        drive = (np.int64(sums[o]) << shift) + p[0, o]
        if feedback:
            drive += np.int64(own[back * outputs + o]) << feedback_shift
            own[back * outputs + o] = 0
        membrane = np.int64(v[o])
        if kind == _ADLIF:
            spiked = membrane >= p[2, o]
            late = (np.int64(p[5, o]) * slow[o] + np.int64(p[6, o]) * membrane + 16384) >> 15
            late = _saturated(late + p[7, o] if spiked else late)
            slow[o] = late
            h = _saturated(((p[1, o] * (membrane - p[2, o] if spiked else membrane) + 16384) >> 15) + drive - late)
            v[o] = h
            values[o] = 1 if h >= p[2, o] else 0
            continue
        if kind == _CUBA:
            drive = _saturated(((np.int64(p[5, o]) * slow[o] + 16384) >> 15) + drive)
            slow[o] = drive
        h = _saturated(((p[1, o] * membrane + 16384) >> 15) + drive)
        if kind == _LI:
            v[o] = h
            values[o] = h
        elif h >= p[2, o]:
            v[o] = h - p[2, o] if soft else p[3, o]
            values[o] = 1
        else:
            v[o] = h
            values[o] = 0
    if feedback:
        # Feedback takes one step, and its delay comes on top.
        later = (step + 1) % feedback_taps
        operations += _scatter(values, outputs, outputs, feedback, weights[row[11] :], delays[row[11] :], own, feedback_taps, later, starts)
    return operations


@_compiled
def run_integers(
    x: Any, valid: Any, plan: Any, weights: Any, delays: Any, parameters: Any, memory: Any, steps: Any, out: Any, operations: Any
) -> None:
    """Run rows x [B, T, C] of integers: changes their state `memory` [B, S] and `steps` [B], and writes `out` [B, T, K].

    `operations` [L] gets the numbers of synaptic operations added. Invalid steps change nothing and give zero.
    """
    values = np.zeros(max(plan[:, 1].max(), plan[:, 2].max()), np.int64)
    room = (
        np.zeros(plan[0, 1] * plan[0, 4], memory.dtype),
        np.zeros(plan[:, 2].max(), memory.dtype),
        np.zeros(max(plan[:, 4].max(), plan[:, 8].max()), np.int64),
    )
    for b in range(len(x)):
        for t in range(x.shape[1]):
            if not valid[b, t]:
                out[b, t] = 0
                continue
            values[: x.shape[2]] = x[b, t]
            for k in range(len(plan)):
                operations[k] += _integer_step(values, plan[k], weights, delays, parameters, memory[b], steps[b], k == 0, room)
            steps[b] += 1
            out[b, t] = values[: out.shape[2]]
