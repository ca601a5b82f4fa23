"""Loop of a convolutional network over the steps of one row at a time, event by event. `stage_tables` describes the arrays."""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit
from .stopping import MAX, RUNS, STOPPED, all_finite, end_of, first_largest, gather

_compiled = partial(cached_jit, fastmath={"contract"})
_inlined = partial(cached_jit, fastmath={"contract"}, inlined=True)
_SIGNED, _IF, _LIF, _LI, _POOL, _OUT = 0, 1, 2, 3, 4, 5
_CONV, _MAX, _GROUPS = 0, 3, 4
_NEAR = 1 << 17
"""Weights that are used for all pixels before the next ones: as many as the second-level cache of most processors holds."""
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)


@_inlined
def _read(x: Any, b: Any, t: Any, memory: Any, at: Any, channels: Any) -> Any:
    """Write the inputs of step t of row b of x [B, T, C * H * W] as a map; returns whether they are finite."""
    pixels, total = np.uintp(x.shape[2] // channels), _ZERO
    for c in range(np.uintp(channels)):
        place = np.uintp(at) + c
        for p in range(pixels):
            value = x[b, t, c * pixels + p]
            memory[place + p * np.uintp(channels)] = value
            total += _ZERO * value
    return np.isfinite(total)


@_inlined
def _scatter(edges: Any, e: Any, footprints: Any, weights: Any, memory: Any, across: Any, active: Any) -> None:
    """Add the weights of the inputs of convolution e that are not zero, four channels of a pixel at once."""
    source, pixels, channels = np.uintp(edges[e, 2]), np.uintp(edges[e, 3]), np.uintp(edges[e, 4])
    place, own, step, one = np.uintp(edges[e, 7]), np.uintp(edges[e, 6]), np.uintp(across), np.uintp(1)
    together = max(np.uintp(4), np.uintp(_NEAR) // max(own, one))
    for low in range(np.uintp(0), channels, together):
        high = min(low + together, channels)
        for pixel in range(pixels):
            at = source + pixel * channels
            found = np.uintp(0)
            for c in range(low, high):
                active[found] = c
                found += np.uintp(memory[at + c] != 0)
            begin, weight = np.uintp(footprints[place + pixel, 0]), np.uintp(edges[e, 5]) + np.uintp(footprints[place + pixel, 1])
            rows, length = footprints[place + pixel, 2], np.uintp(footprints[place + pixel, 3])
            k = np.uintp(0)
            while k + np.uintp(4) <= found:
                p, q, r, s = active[k], active[k + one], active[k + np.uintp(2)], active[k + np.uintp(3)]
                a, b, c, d = memory[at + p], memory[at + q], memory[at + r], memory[at + s]
                w, x, y, z = weight + p * own, weight + q * own, weight + r * own, weight + s * own
                out = begin
                for _ in range(rows):
                    for j in range(length):
                        memory[out + j] += (a * weights[w + j] + b * weights[x + j]) + (c * weights[y + j] + d * weights[z + j])
                    out += step
                    w, x, y, z = w + length, x + length, y + length, z + length
                k += np.uintp(4)
            while k < found:
                a, w, out = memory[at + active[k]], weight + active[k] * own, begin
                for _ in range(rows):
                    for j in range(length):
                        memory[out + j] += a * weights[w + j]
                    out += step
                    w += length
                k += one


@_inlined
def _scatter_groups(edges: Any, e: Any, footprints: Any, weights: Any, memory: Any, across: Any) -> None:
    """Add the weights of the inputs of convolution e that are not zero to the outputs of their groups."""
    source, pixels, channels = np.uintp(edges[e, 2]), np.uintp(edges[e, 3]), np.uintp(edges[e, 4])
    inputs, part, outputs = np.uintp(edges[e, 8]), np.uintp(edges[e, 9]), np.uintp(edges[e, 10])
    place, own, step = np.uintp(edges[e, 7]), np.uintp(edges[e, 6]), np.uintp(across)
    for pixel in range(pixels):
        at = source + pixel * channels
        begin, weight = np.uintp(footprints[place + pixel, 0]), np.uintp(edges[e, 5]) + np.uintp(footprints[place + pixel, 1])
        rows, columns = footprints[place + pixel, 2], np.uintp(footprints[place + pixel, 3]) // outputs
        for c in range(channels):
            value = memory[at + c]
            if value != 0:
                out, w = begin + c // inputs * part, weight + c * own
                for _ in range(rows):
                    for k in range(columns):
                        for j in range(part):
                            memory[out + k * outputs + j] += value * weights[w + k * part + j]
                    out += step
                    w += columns * part


@_inlined
def _scale(edges: Any, e: Any, weights: Any, memory: Any, height: Any, row: Any, out: Any, across: Any) -> None:
    """Add a map, times one factor per channel."""
    source, weight = np.uintp(edges[e, 2]), np.uintp(edges[e, 5])
    for y in range(np.uintp(height)):
        at, place = np.uintp(out) + y * np.uintp(across), source + y * np.uintp(row)
        for j in range(np.uintp(row)):
            memory[at + j] += memory[place + j] * weights[weight + j]


@_inlined
def _pool(edges: Any, e: Any, memory: Any, height: Any, row: Any, out: Any) -> None:
    """Write the sums or the largest values of windows of a map."""
    largest = edges[e, 0] == _MAX
    source, channels, width = np.uintp(edges[e, 2]), np.uintp(edges[e, 4]), edges[e, 7]
    in_height = edges[e, 3] // width
    for y in range(height):
        for x in range(row // edges[e, 4]):
            at = np.uintp(out + y * row) + np.uintp(x) * channels
            for c in range(channels):
                memory[at + c] = -np.inf if largest else _ZERO
            top, left = y * edges[e, 10] - edges[e, 12], x * edges[e, 11] - edges[e, 13]
            for i in range(max(0, top), min(in_height, top + edges[e, 8])):
                for j in range(max(0, left), min(width, left + edges[e, 9])):
                    place = source + np.uintp(i * width + j) * channels
                    for c in range(channels):
                        value = memory[place + c]
                        memory[at + c] = max(memory[at + c], value) if largest else memory[at + c] + value


@_inlined
def _fire(stages: Any, s: Any, parameters: Any, memory: Any) -> None:
    """Advance the neurons of stage s by one step."""
    kind, soft, row = stages[s, 0], stages[s, 1], np.uintp(stages[s, 4])
    bias = np.uintp(stages[s, 12])
    threshold, decay, reset, p = bias + row, bias + np.uintp(2) * row, bias + np.uintp(3) * row, parameters
    most = np.float32(stages[s, 2]) - _HALF if stages[s, 2] else np.float32(np.inf)
    for y in range(np.uintp(stages[s, 3])):
        out, v, sent = np.uintp(stages[s, 5]) + y * row, np.uintp(stages[s, 6]) + y * row, np.uintp(stages[s, 7]) + y * row
        drive = np.uintp(stages[s, 8]) + y * np.uintp(stages[s, 9])
        if kind == _SIGNED:
            for j in range(row):
                h = memory[v + j] + (memory[drive + j] + p[bias + j])
                up = _ONE if (h >= p[threshold + j]) & (memory[sent + j] < most) else _ZERO
                down = _ONE if (h < _ZERO) & (memory[sent + j] > _HALF) else _ZERO
                spike = up - down
                memory[out + j] = spike
                memory[v + j] = h - spike * p[threshold + j]
                memory[sent + j] += spike
        elif kind == _OUT:
            for j in range(row):
                memory[out + j] = memory[drive + j] + p[bias + j]
        elif kind == _LI:
            for j in range(row):
                h = p[decay + j] * memory[v + j] + (memory[drive + j] + p[bias + j])
                memory[out + j] = memory[v + j] = h
        elif soft:
            for j in range(row):
                h = p[decay + j] * memory[v + j] + (memory[drive + j] + p[bias + j])
                fires = h >= p[threshold + j]
                memory[out + j] = _ONE if fires else _ZERO
                memory[v + j] = h - p[threshold + j] if fires else h
        else:
            for j in range(row):
                h = p[decay + j] * memory[v + j] + (memory[drive + j] + p[bias + j])
                fires = h >= p[threshold + j]
                memory[out + j] = _ONE if fires else _ZERO
                memory[v + j] = p[reset + j] if fires else h


@_inlined
def _advance(
    stages: Any, edges: Any, footprints: Any, weights: Any, parameters: Any, memory: Any, active: Any, renewed: Any,
) -> None:  # fmt: skip
    """One step of one row, whose inputs lie in map 0; `renewed`: they differ from those of the step before."""
    for s in range(len(stages)):
        first, behind = stages[s, 13], stages[s, 14]
        if stages[s, 0] == _POOL:
            _pool(edges, first, memory, stages[s, 3], stages[s, 4], stages[s, 5])
            continue
        changed = renewed
        for e in range(first, behind):
            changed |= edges[e, 1] > 0
        if changed:
            begin = np.uintp(stages[s, 10])
            for j in range(np.uintp(stages[s, 11])):
                memory[begin + j] = 0
            for e in range(first, behind):
                if edges[e, 0] == _CONV:
                    _scatter(edges, e, footprints, weights, memory, stages[s, 9], active)
                elif edges[e, 0] == _GROUPS:
                    _scatter_groups(edges, e, footprints, weights, memory, stages[s, 9])
                else:
                    _scale(edges, e, weights, memory, stages[s, 3], stages[s, 4], stages[s, 8], stages[s, 9])
        _fire(stages, s, parameters, memory)


@_compiled
def run_stages_until(
    x: Any, lengths: Any, to_end: Any, stages: Any, edges: Any, footprints: Any, weights: Any, parameters: Any, rest: Any, room: Any,
    channels: Any, accumulation: Any, rule: Any, scale: Any, thresholds: Any, earliest: Any, steps: Any, answers: Any, ends: Any,
    evidence: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Run rows first to last of x from rest, each until a rule stops it or it ends; see `stopping` for the rule.

    x is [B, T, C * H * W], or [B, 1, C * H * W] if all steps of a row are the same. Writes what `loops.run_until` writes.
    """
    memory, seen, active = np.zeros(room, np.float32), np.empty(2, np.int64), np.empty(edges[:, 4].max() + 1, np.uintp)
    classes = evidence.shape[1]
    values, kept, now = np.empty(classes, np.float32), np.empty(classes, np.float32), np.empty(classes, np.float32)
    inputs, outputs = len(rest), stages[len(stages) - 1, 5]
    for b in range(first, last):
        for j in range(len(rest)):
            memory[j] = rest[j]
        seen[:] = -1, 0
        kept[:] = -np.inf if accumulation == MAX else 0
        step, at, finite = 0, b, True
        while at >= 0:
            end = RUNS
            # No slices of arrays in here: counting their references takes as long as a layer.
            while end == RUNS:
                renewed = step < x.shape[1]
                if renewed:
                    finite = _read(x, b, step, memory, inputs, channels)
                _advance(stages, edges, footprints, weights, parameters, memory, active, renewed)
                step += 1
                for k in range(classes):
                    values[k] = memory[outputs + k]
                gather(values, accumulation, step, kept, now)
                finite &= all_finite(values, classes)
                end = end_of(now, finite, at == b, rule, scale, thresholds, earliest, step, lengths[b], seen)
            evidence[at] = now
            steps[at], answers[at], ends[at] = step, first_largest(now), end
            at = to_end[b] if at == b and end == STOPPED and step < lengths[b] else -1
