"""Compiled loops of integer image networks: `image_reference` has the equations, `image_layout` the columns of the tables."""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit

_compiled = partial(cached_jit, fastmath=False)
_SIGNED, _IF, _POOL, _OUT = 0, 1, 2, 3
_CONV, _GAIN = 0, 1


@_compiled
def _span(at: Any, kernel: Any, stride: Any, size: Any) -> Any:
    """First and last tap of a kernel, in steps of the stride, that carries place `at` (padding added) into an output below `size`."""
    first = max(0, at - (size - 1) * stride)
    first += (at - first) % stride
    return first, min(kernel - 1, at)


@_compiled
def _scatter(x: Any, edge: Any, weights: Any, height: Any, width: Any, channels: Any, sums: Any) -> Any:
    """Add the values of a map times their weights to sums [H, W, C]; returns the number of synaptic operations."""
    in_width, inputs, rows, columns = edge[3], edge[4], edge[5], edge[6]
    down, right, groups, shift = edge[7], edge[8], edge[11], edge[12]
    out = channels // groups
    share = inputs // groups
    operations = 0
    for y in range(edge[2]):
        top, bottom = _span(y + edge[9], rows, down, height)
        for column in range(in_width):
            left, end = _span(column + edge[10], columns, right, width)
            place = (y * in_width + column) * inputs
            for c in range(inputs):
                if x[place + c] == 0:
                    continue
                value = np.int32(x[place + c] << shift)
                for i in range(top, bottom + 1, down):
                    row = (y + edge[9] - i) // down * width
                    for j in range(left, end + 1, right):
                        at = np.uintp((row + (column + edge[10] - j) // right) * channels + c // share * out)
                        w = np.uintp(edge[13] + ((c * rows + i) * columns + j) * out)
                        for o in range(out):
                            sums[at + np.uintp(o)] += value * weights[w + np.uintp(o)]
                        operations += out
    return operations


@_compiled
def _gain(x: Any, edge: Any, constants: Any, size: Any, channels: Any, sums: Any) -> Any:
    operations = 0
    for place in range(0, size, channels):
        for c in range(channels):
            if x[place + c]:
                sums[place + c] += (x[place + c] * constants[edge[13] + c]) << edge[12]
                operations += 1
    return operations


@_compiled
def _pool(x: Any, edge: Any, height: Any, width: Any, channels: Any, out: Any) -> None:
    for y in range(height):
        for column in range(width):
            at = (y * width + column) * channels
            out[at : at + channels] = 0
            for i in range(edge[5]):
                row = y * edge[7] + i - edge[9]
                if row < 0 or row >= edge[2]:
                    continue
                for j in range(edge[6]):
                    place = column * edge[8] + j - edge[10]
                    if 0 <= place < edge[3]:
                        start = (row * edge[3] + place) * channels
                        for c in range(channels):
                            out[at + c] += x[start + c]


@_compiled
def _fill(stage: Any, constants: Any, sums: Any) -> None:
    """Set sums to the bias of their channel."""
    channels = stage[2]
    for place in range(0, stage[1], channels):
        for c in range(channels):
            sums[place + c] = constants[stage[11] + c]


@_compiled
def _driven(stage: Any, edges: Any, weights: Any, constants: Any, maps: Any, sums: Any) -> Any:
    """Add the weighted inputs of a stage to sums; returns the number of synaptic operations."""
    operations = 0
    for k in range(stage[6], stage[6] + stage[7]):
        edge = edges[k]
        x = maps[edge[1] :]
        if edge[0] == _CONV:
            operations += _scatter(x, edge, weights, stage[3], stage[4], stage[2], sums)
        else:
            operations += _gain(x, edge, constants, stage[1], stage[2], sums)
    return operations


@_compiled
def _fire(stage: Any, constants: Any, sums: Any, memory: Any, out: Any) -> None:
    """Spikes of neurons for one step."""
    channels, limit, signed = stage[2], stage[5], stage[0] == _SIGNED
    v, sent = memory[stage[9] :], memory[stage[10] :]
    for place in range(0, stage[1], channels):
        for c in range(channels):
            i = place + c
            threshold = constants[stage[11] + channels + c]
            h = v[i] + sums[i]
            spike = 1 if h >= threshold else 0
            if signed:
                if limit and sent[i] >= limit:
                    spike = 0
                if h < 0 and sent[i] > 0:
                    spike = -1
                sent[i] += spike
            v[i] = h - spike * threshold
            out[i] = spike


@_compiled
def encode_images(x: Any, stages: Any, edges: Any, weights: Any, constants: Any, out: Any) -> None:
    """Drive of the first stage: writes `out` [B, H, W, C] for centred images x [B, H, W, C]."""
    stage = stages[0]
    sums = np.zeros(stage[1], np.int32)
    for b in range(len(x)):
        _fill(stage, constants, sums)
        _driven(stage, edges, weights, constants, x[b].ravel(), sums)
        out[b] = sums.reshape(out.shape[1:])


@_compiled
def run_images(
    x: Any, valid: Any, stages: Any, edges: Any, weights: Any, constants: Any, memory: Any, maps: Any, out: Any, operations: Any
) -> None:
    """Run rows of currents x [B, T or 1, N]: changes their state `memory` [B, S], and writes `out` [B, T, K].

    `operations` [S] gets the numbers of synaptic operations added. Invalid steps change nothing and give zero. `maps` is room.
    """
    sums = np.zeros(stages[:, 1].max(), np.int32)
    for b in range(len(x)):
        for t in range(valid.shape[1]):
            if not valid[b, t]:
                continue
            for k in range(len(stages)):
                stage = stages[k]
                if stage[0] == _POOL:
                    edge = edges[stage[6]]
                    _pool(maps[edge[1] :], edge, stage[3], stage[4], stage[2], maps[stage[8] :])
                    continue
                if k == 0:
                    sums[: stage[1]] = x[b, t if x.shape[1] > 1 else 0]
                else:
                    _fill(stage, constants, sums)
                    operations[k] += _driven(stage, edges, weights, constants, maps, sums)
                if stage[0] == _OUT:
                    maps[stage[8] : stage[8] + stage[1]] = sums[: stage[1]]
                else:
                    _fire(stage, constants, sums, memory[b], maps[stage[8] :])
            last = stages[len(stages) - 1]
            out[b, t] = maps[last[8] : last[8] + last[1]]
