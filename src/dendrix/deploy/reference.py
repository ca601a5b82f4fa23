"""Integer networks in numpy: the definition that compiled loops, C and WebAssembly equal to the bit.

All numbers are whole; `>>` rounds down. R(x) = (x + 2^14) >> 15 and sat(x) limits x to 32 bits.

    drive = (sum of the weighted inputs that arrive now << shift) + bias + (that of the feedback << feedback_shift)
    lif:    h = sat(R(decay v) + drive)
    cuba:   i <- sat(R(slow_decay i) + drive);   h = sat(R(decay v) + i)
    adlif:  s = [u >= threshold];   w <- sat(R(slow_decay w + coupling u) + jump s);   u <- sat(R(decay (u - threshold s)) + drive - w)
    li:     v <- sat(R(decay v) + drive), which is also the output
    lif, cuba:  a spike where h >= threshold;   v <- reset, or h - threshold ("soft"), at a spike, else h
    adlif:      a spike where the new u >= threshold

Source: ours; the equations in real numbers are those of `dendrix.neurons`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .integer_layer import IntegerLayer, Ints
from .layout import Plan

_LOW, _HIGH = -(2**31), 2**31 - 1


def layer_step(
    layer: IntegerLayer, x: Ints, v: Ints, slow: Ints, pending: Ints, own: Ints, steps: Ints, first: bool = False
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """One step of one layer.

    Args:
        layer: the layer.
        x: inputs, [B, in].
        v: membranes, [B, out].
        slow: currents ("cuba") or adaptation ("adlif"), [B, out].
        pending: sums by the step of their arrival modulo the number of taps, [B, taps, out]; of the first layer instead its inputs by
            their step, [B, taps, in].
        own: the same of the feedback, [B, feedback taps, out].
        steps: number of steps before this one, [B].
        first: whether it is the first layer.
    Returns:
        outputs [B, out], and v, slow, pending and own after the step.
    """
    form = layer.form
    if first:
        arrived, pending = _gathered(pending, x, layer.weight, layer.delay, steps)
    else:
        arrived, pending = _consumed(_sent(pending, x, layer.weight, layer.delay, steps), steps)
    drive = (arrived << form.shift) + layer.bias
    if layer.feedback_weight is not None:
        arrived, own = _consumed(own, steps)
        drive = drive + (arrived << form.feedback_shift)
    y, v, slow = _NEURONS[form.kind](layer, drive, v, slow)
    if layer.feedback_weight is not None and layer.feedback_delay is not None:
        own = _sent(own, y, layer.feedback_weight, layer.feedback_delay, steps + 1)
    return y, v, slow, pending, own


def _sent(pending: Ints, x: Ints, weight: Ints, delay: Ints, steps: Ints) -> Ints:
    """Pending sums with what the inputs send now."""
    pending, rows, taps = pending.copy(), np.arange(len(x)), pending.shape[1]
    for lag in range(taps):
        pending[rows, (steps + lag) % taps] += x @ np.where(delay == lag, weight, 0).sum(2).T
    return pending


def _gathered(past: Ints, x: Ints, weight: Ints, delay: Ints, steps: Ints) -> tuple[Ints, Ints]:
    """The sums that arrive now, [B, out], and the inputs of the past with those of now."""
    past, rows, taps = past.copy(), np.arange(len(x)), past.shape[1]
    past[rows, steps % taps] = x
    lags = [past[rows, (steps - lag) % taps] @ np.where(delay == lag, weight, 0).sum(2).T for lag in range(taps)]
    return np.sum(lags, axis=0), past


def _consumed(pending: Ints, steps: Ints) -> tuple[Ints, Ints]:
    """The sums that arrive now, [B, out], and the pending ones without them."""
    pending, rows, now = pending.copy(), np.arange(len(pending)), steps % pending.shape[1]
    arrived = pending[rows, now]
    pending[rows, now] = 0
    return arrived, pending


def _rounded(product: Ints) -> Ints:
    return (product + 2**14) >> 15


def _saturated(h: Ints) -> Ints:
    return np.clip(h, _LOW, _HIGH)


def _lif(layer: IntegerLayer, drive: Ints, v: Ints, slow: Ints) -> tuple[Ints, Ints, Ints]:
    h = _saturated(_rounded(layer.decay * v) + drive)
    spikes = h >= layer.threshold
    after = h - layer.threshold if layer.form.soft else np.broadcast_to(layer.reset, h.shape)
    return spikes.astype(np.int64), np.where(spikes, after, h), slow


def _cuba(layer: IntegerLayer, drive: Ints, v: Ints, slow: Ints) -> tuple[Ints, Ints, Ints]:
    current = _saturated(_rounded(layer.slow_decay * slow) + drive)
    spikes, v, _ = _lif(layer, current, v, slow)
    return spikes, v, current


def _adlif(layer: IntegerLayer, drive: Ints, v: Ints, slow: Ints) -> tuple[Ints, Ints, Ints]:
    spiked = v >= layer.threshold
    slow = _saturated(_rounded(layer.slow_decay * slow + layer.coupling * v) + layer.jump * spiked)
    v = _saturated(_rounded(layer.decay * (v - layer.threshold * spiked)) + drive - slow)
    return (v >= layer.threshold).astype(np.int64), v, slow


def _li(layer: IntegerLayer, drive: Ints, v: Ints, slow: Ints) -> tuple[Ints, Ints, Ints]:
    v = _saturated(_rounded(layer.decay * v) + drive)
    return v, v, slow


_NEURONS = {"lif": _lif, "cuba": _cuba, "adlif": _adlif, "li": _li}


def run(
    layers: Sequence[IntegerLayer], plan: Plan, x: Ints, valid: NDArray[np.bool_], memory: Ints, steps: Ints
) -> tuple[Ints, Ints, Ints]:
    """Run rows from a state.

    Args:
        layers: the network.
        plan: places in the state, see `layout`.
        x: inputs, [B, T, C].
        valid: [B, T]; an invalid step changes nothing and gives zero.
        memory: state of the rows, [B, S].
        steps: number of steps of each row so far, [B].
    Returns:
        outputs [B, T, K], and the state and the number of steps at the end.
    """
    outputs = np.zeros((*x.shape[:2], layers[-1].form.outputs), np.int64)
    for t in range(x.shape[1]):
        now = valid[:, t]
        y, after, _ = _network_step(layers, plan, x[:, t], memory, steps)
        outputs[:, t] = np.where(now[:, None], y, 0)
        memory, steps = np.where(now[:, None], after, memory), steps + now
    return outputs, memory, steps


def traced(layers: Sequence[IntegerLayer], plan: Plan, x: Ints, memory: Ints) -> list[Ints]:
    """Outputs of every layer at every step from rest, [B, T, out] each, for rows without invalid steps.

    Args:
        layers, plan, x, memory: as in `run`.
    """
    steps = np.zeros(len(x), np.int64)
    found: list[list[Ints]] = []
    for t in range(x.shape[1]):
        _, memory, outputs = _network_step(layers, plan, x[:, t], memory, steps)
        steps = steps + 1
        found.append(outputs)
    return [np.stack(part, 1) for part in zip(*found, strict=True)]


def _network_step(layers: Sequence[IntegerLayer], plan: Plan, x: Ints, memory: Ints, steps: Ints) -> tuple[Ints, Ints, list[Ints]]:
    """Outputs, the state after the step, and the outputs of every layer."""
    outputs: list[Ints] = []
    parts: list[Ints] = []
    for layer, row in zip(layers, plan.rows, strict=True):
        form, start, first = layer.form, int(row[13]), not parts
        kept = form.inputs if first else form.outputs
        sizes = [form.outputs, form.outputs, form.taps * kept, form.feedback_taps * form.outputs]
        v, slow, pending, own = np.split(memory[:, start : start + sum(sizes)], np.cumsum(sizes)[:-1], axis=1)
        rings = pending.reshape(len(x), -1, kept), own.reshape(len(x), form.feedback_taps, form.outputs)
        x, *after = layer_step(layer, x, v, slow, *rings, steps, first)
        parts += [part.reshape(len(x), -1) for part in after]
        outputs.append(x)
    return x, np.concatenate(parts, 1), outputs
