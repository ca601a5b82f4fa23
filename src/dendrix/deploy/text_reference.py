"""Definition of a SpikeGPT in whole numbers, in numpy. Every other engine equals it to the bit.

All numbers are integers; >> rounds down, R(x, n) = (x + 2^(n-1)) >> n, and clip(x, n) limits x to [-n, n].

Norm of x [n], |x| < 2^23, with weight W, bias B, epsilon E and shift s:
    c = x - (2 sum(x) + n) div 2n;  V = sum(c^2) + E;  e = the largest with V 4^e < 2^62
    r = 2^61 div isqrt(V 4^e);  N = R(c r, 31 - e), which is c / sqrt(V) in 30 fractional bits;  y = R(N W, s) + B
Gate: sigmoid(a) in 30 fractional bits and softplus(-|a|) in 20, for a in 20, by tables with 64 entries per unit and linear interpolation.
Neuron, driven by x: h = v + R((x - v) gain, 15), gain 2^14 unless its decay was trained;  spikes = number of k = 1 ... levels with
    h >= k theta, if signed minus that of -h;  v = 0 at spikes, else h.
Mix of this input with the last: clip(last + R(m (x - last), 13), limit), or for spikes this bit where m > 0, else the last. Separate
neurons are driven by the mixes of key, receptance and value, with a limit of 2^23 - 1, instead of by the norm; their membranes and gains
follow one another in this order.

Time mix:  k = clip(R(K scale, s), 2^28);  g = sigmoid(clip(R(G scale, s), 2^28)), with K, V, G the products of the mixed inputs
    y = average + R((V - average) sigmoid(bonus + k - total), 30)
    average += R((V - average) sigmoid(k - total + rate), 30);  total = max(total - rate, k) + softplus(-|k - total + rate|)
    z = R(R(y g, 30) scale, s), limited;  result: the product of z
Channel mix: hidden = R(min(R(max(K, 0) scale, s), 32767)^2, 16), limited;  result: R(g V, 30), with V the product of hidden.
V has value_shift more bits than the sums of its product, which are small where inputs are spikes.
The result, in units of its own for every channel, drives neurons whose spikes are added to the stream; neurons with a norm before them
are driven by the norm of R(result scale, s). Without neurons after the halves,
R(result scale, s) is added, and the stream is limited to 2^23 - 1. With neurons before every product, z or K is normed and drives neurons.

WKV is the running average of values with the logarithm of its total weight: no division, and no number grows with the length of the text.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.spikegpt.network import SpikeGPTConfig
from .integer_layer import Ints
from .text_layout import END_SCALARS, FIELDS, MATRICES, SCALARS, TIME, TextPlan, named_constants, named_weights

LOG_BITS, GATE_BITS, MIX_BITS, GAIN_BITS = 20, 30, 13, 15
"""Fractional bits of logarithms, of gates, of mixing ratios and of the gains of neurons."""
HALF = 2 ** (GAIN_BITS - 1)
"""Gain of the published neurons."""
STREAM_MAX = 2**23 - 1
"""Largest magnitude in the residual stream and of the input of a norm."""
LOG_MAX = 2**28
"""Largest magnitude of a key or of the input of a gate."""
EMPTY = -(2**30)
"""Log-weight of an empty past."""
_STEPS, _REACH = 64, 20
_INDEX = LOG_BITS - 6
_GRID = [i / _STEPS for i in range(_STEPS * _REACH + 1)]
SIGMOID: Ints = np.array([math.floor(2**GATE_BITS / (1 + math.exp(a)) + 0.5) for a in _GRID])
"""1 / (1 + e^a) for a = 0, 1/64, ..., 20."""
SOFTPLUS: Ints = np.array([math.floor(2**LOG_BITS * math.log1p(math.exp(-a)) + 0.5) for a in _GRID])
"""log(1 + e^-a) for the same a."""


def rounded(x: Ints, bits: int) -> Ints:
    """x / 2^bits to the nearest integer, halves up."""
    found: Ints = (x + (1 << (bits - 1))) >> bits
    return found


def clipped(x: Ints, limit: int) -> Ints:
    """x limited to a magnitude."""
    found: Ints = np.clip(x, -limit, limit)
    return found


def interpolated(table: Ints, a: Ints) -> Ints:
    """Value of a table at a >= 0; zero beyond its end."""
    i = a >> _INDEX
    inside = np.minimum(i, len(table) - 2)
    low = table[inside]
    found = low + (((table[inside + 1] - low) * (a & ((1 << _INDEX) - 1))) >> _INDEX)
    return np.where(i < len(table) - 1, found, 0)


def sigmoid(a: Ints) -> Ints:
    """Logistic function."""
    found = interpolated(SIGMOID, np.abs(a))
    return np.where(a < 0, found, (1 << GATE_BITS) - found)


def norm(x: Ints, weight: Ints, bias: Ints, epsilon: int, shift: int) -> Ints:
    """Norm of x [B, n]."""
    n = x.shape[1]
    centred = x - ((2 * x.sum(1, keepdims=True) + n) // (2 * n))
    squares = (centred**2).sum(1) + epsilon
    scaled = np.zeros_like(x)
    for row, (c, square) in enumerate(zip(centred, squares.tolist(), strict=True)):
        e = (62 - square.bit_length()) // 2
        scaled[row] = rounded(c * (2**61 // math.isqrt(square << 2 * e)), 31 - e)
    return rounded(scaled * weight, shift) + bias


def fire(x: Ints, v: Ints, threshold: Any, gain: Any = HALF, levels: int = 1, signed: int = 0) -> tuple[Ints, Ints]:
    """Spikes and membranes of neurons driven by x."""
    h = v + rounded((x - v) * gain, GAIN_BITS)
    spikes = np.zeros_like(h)
    for level in range(1, levels + 1):
        spikes += (h >= level * threshold).astype(np.int64) - signed * (-h >= level * threshold)
    return spikes, np.where(spikes, 0, h)


Watch = Callable[[str, Ints, Ints], None]
"""Called before each matrix product with its name, its inputs [B, in] and its weights [out, in]."""


def _unwatched(name: str, x: Ints, weights: Ints) -> None:
    """Ignore a product."""


class _Half:
    """One half of a block, with its tables by name, on the state [B, S] of some texts."""

    def __init__(
        self,
        config: SpikeGPTConfig,
        shared: dict[str, int],
        constants: dict[str, Ints],
        weights: dict[str, Ints],
        row: Ints,
        state: Ints,
        watch: Watch,
    ):
        self.bits, self.separate = config.spikes == "input", config.neurons.separate
        self.shared, self.constants, self.weights = shared, constants, weights
        self.threshold = shared["threshold"]
        self.place = dict(zip(FIELDS, row.tolist(), strict=True))
        self.scalar = dict(zip(SCALARS, constants["scalars"].tolist(), strict=True))
        self.limit = STREAM_MAX if self.bits else self.scalar["limit"]
        self.state, self.watch = state, watch

    def held(self, name: str, size: int, start: int = 0) -> Ints:
        """A part of the state, as a view."""
        at = self.place[f"{name}_at"] + start
        return self.state[:, at : at + size]

    def product(self, name: str, x: Ints) -> Ints:
        self.watch(name, x, self.weights[name])
        found: Ints = x @ self.weights[name].T
        return found << self.scalar["value_shift"] if name == "value" else found

    def scaled(self, name: str, x: Ints, limit: int) -> Ints:
        """x in the unit that follows."""
        return clipped(rounded(x * self.constants[f"{name}_scale"], self.scalar[f"{name}_shift"]), limit)

    def fired(self, name: str, x: Ints, threshold: Any, group: int = 0) -> Ints:
        """Spikes of one of the groups of neurons at a place."""
        start, size = group * x.shape[1], x.shape[1]
        membrane = self.held(name, size, start)
        gain = self.constants[f"{name}_gain"][start : start + size] if f"{name}_gain" in self.constants else HALF
        spikes, membrane[:] = fire(x, membrane, threshold, gain, self.shared["levels"], self.shared["signed"])
        return spikes

    def mixed(self, x: Ints, last: Ints, name: str) -> Ints:
        """Input of a product that reads the stream."""
        share = self.constants[f"mix_{name}"]
        if self.bits and not self.separate:
            return np.where(share > 0, x, last)
        mixed = clipped(last + rounded(share * (x - last), MIX_BITS), self.limit)
        return self.fired("before", mixed, self.threshold, MATRICES.index(name)) if self.separate else mixed

    def run(self, x: Ints) -> Ints:
        """Result of this half for a stream [B, d]."""
        h = norm(x, self.constants["norm_weight"], self.constants["norm_bias"], self.scalar["norm_epsilon"], self.scalar["norm_shift"])
        h = clipped(h, self.limit)
        if self.bits and not self.separate:
            h = self.fired("before", h, self.threshold)
        shift = self.held("shift", h.shape[1])
        last = shift.copy()
        shift[:] = h
        key = self.product("key", self.mixed(h, last, "key"))
        gate = sigmoid(self.scaled("receptance", self.product("receptance", self.mixed(h, last, "receptance")), LOG_MAX))
        if self.place["kind"] == TIME:
            return self._time(key, gate, self.product("value", self.mixed(h, last, "value")))
        return self._channel(key, gate)

    def _time(self, key: Ints, gate: Ints, value: Ints) -> Ints:
        d = value.shape[1]
        average, total = self.held("average", d), self.held("total", d)
        k, difference = self.scaled("key", key, LOG_MAX), value - average
        y = average + rounded(difference * sigmoid(self.constants["bonus"] + k - total), GATE_BITS)
        faded = total - self.constants["rate"]
        average += rounded(difference * sigmoid(k - faded), GATE_BITS)
        total[:] = np.maximum(faded, k) + interpolated(SOFTPLUS, np.abs(k - faded))
        z = self.scaled("gated", rounded(y * gate, GATE_BITS), STREAM_MAX if self.bits else self.scalar["inner_limit"])
        return self.product("output", self._inner(z) if self.bits else z)

    def _channel(self, key: Ints, gate: Ints) -> Ints:
        if self.bits:
            hidden = self._inner(self.scaled("key", key, STREAM_MAX))
        else:
            root = np.minimum(self.scaled("key", np.maximum(key, 0), LOG_MAX), 32767)
            hidden = clipped(rounded(root * root, 16), self.scalar["inner_limit"])
        return rounded(gate * self.product("value", hidden), GATE_BITS)

    def _inner(self, x: Ints) -> Ints:
        return self.fired("inside", self.normed("inner", x), self.threshold)

    def normed(self, name: str, x: Ints) -> Ints:
        """Norm before neurons."""
        weight, bias = self.constants[f"{name}_weight"], self.constants[f"{name}_bias"]
        return clipped(norm(x, weight, bias, self.scalar[f"{name}_epsilon"], self.scalar[f"{name}_shift"]), STREAM_MAX)

    def after(self, x: Ints) -> Ints:
        """Spikes of the neurons after this half."""
        if "after_weight" in self.constants:
            return self.fired("after", self.normed("after", self.scaled("output", x, STREAM_MAX)), self.threshold)
        return self.fired("after", x, self.constants["output_scale"])


def step(config: SpikeGPTConfig, plan: TextPlan, tables: Sequence[Ints], tokens: Ints, state: Ints, watch: Watch = _unwatched) -> Ints:
    """Read one token of each text.

    Args:
        config: configuration of the network.
        plan: places in the tables.
        tables: embedding after its norm [V, d], weights and constants, int64.
        tokens: [B].
        state: state of the texts, [B, S], updated in place.
        watch: called for each matrix product, always in the same order.
    Returns:
        logits, [B, V].
    """
    embedding, flat_weights, flat_constants = tables
    *constants, end = named_constants(config, flat_constants)
    *weights, head = named_weights(config, flat_weights)
    scalar = dict(zip(END_SCALARS, end["scalars"].tolist(), strict=True))
    x = embedding[tokens] << scalar["embedding_shift"]
    for row, vectors, matrices in zip(plan.rows, constants, weights, strict=True):
        half = _Half(config, scalar, vectors, matrices, row, state, watch)
        y = half.run(x)
        y = half.after(y) * scalar["one"] if config.spikes == "output" else half.scaled("output", y, 2 * STREAM_MAX)
        x = clipped(x + y, STREAM_MAX)
        if half.place["halve"]:
            x = rounded(x, 1)
    h = norm(x, end["norm_weight"], end["norm_bias"], scalar["norm_epsilon"], scalar["norm_shift"])
    h = clipped(h, scalar["limit"])
    watch("head", h, head["head"])
    logits: Ints = h @ head["head"].T
    return clipped(rounded(logits * end["head_scale"], scalar["head_shift"]), LOG_MAX)


def run(
    config: SpikeGPTConfig, plan: TextPlan, tables: Sequence[Ints], tokens: Ints, valid: NDArray[np.bool_], state: Ints
) -> tuple[Ints, Ints]:
    """Read texts.

    Args:
        config, plan, tables: as in `step`.
        tokens: [B, T].
        valid: [B, T]; an invalid step changes nothing and gives zero.
        state: state of the texts, [B, S].
    Returns:
        logits [B, T, V], and the state at the end.
    """
    logits, state = np.zeros((*tokens.shape, config.vocab_size), np.int64), state.copy()
    for t in range(tokens.shape[1]):
        now = valid[:, t]
        chosen = state[now]
        logits[now, t] = step(config, plan, tables, tokens[now, t], chosen)
        state[now] = chosen
    return logits, state


def rest(plan: TextPlan, width: int) -> Ints:
    """State of a text before its first token, [S]."""
    state = np.zeros(plan.memory, np.int64)
    for at in plan.rows[:, FIELDS.index("total_at")].tolist():
        if at >= 0:
            state[at : at + width] = EMPTY
    return state
