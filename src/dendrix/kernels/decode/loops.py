"""SpikeGPT on a list of tokens of several rows: matrix products over many tokens at once, recurrences token by token.

The tokens of a row are in order. One operation thus covers a step of many texts, a prompt, and a mixture of both. Products are summed in
an order that does not depend on the batch, so the result of a row is bitwise independent of the other rows. Arrays are laid out as in
`generate.packing`; a state is a row of numbers with, for each block, the parts of the model's own state in that order.
"""

from typing import Any

import numpy as np

bits_in = bits_out = normed = separate = True
"""Neurons before the products, or after each half, and then behind a norm; separate ones for each product. `specialise` binds these."""
normalise: Any = None
fire = mix = average = gate = square = prepare = product = room_for_places = normalise

_TOKENS = 64
"""Tokens per pass through a block."""
SHARES, BONUS, RATE = 2, 5, 6
"""Rows of the vectors of a half, after the weight and bias of its norm."""
WEIGHT, BIAS, GAIN, FIRST_GAIN = 0, 1, 2, 3
"""Rows of the vectors of the neurons of a half: norm and gain of its last neurons, and gains of those before its first products."""
KEY, RECEPTANCE, VALUE, OUTPUT = 0, 1, 2, 3
"""Rows of the table of matrices of a half, and order of its mixing ratios."""
WIDTH = 4
"""Column of the table of matrices: outputs per block."""


def shift(x: Any, owners: Any, state: Any, at: Any, vectors: Any, neurons: Any, count: Any, threshold: Any, h: Any, mixed: Any) -> None:
    """Compute the first `count` mixtures of every token with the previous one, after norm and neurons."""
    n, d = x.shape
    for t in range(n):
        memory = state[owners[t], at:]
        normalise(x[t], vectors[0], vectors[1], h)
        if bits_in and not separate:
            fire(h, memory[d : 2 * d], neurons[FIRST_GAIN, :d], threshold)
        for i in range(count):
            mix(h, memory, vectors[SHARES + i], mixed[i, t])
            if separate:
                fire(mixed[i, t], memory[d * (1 + i) : d * (2 + i)], neurons[FIRST_GAIN + i, :d], threshold)
        for j in range(np.uintp(d)):
            memory[j] = h[j]


def time_mix(x: Any, owners: Any, state: Any, at: Any, half: Any, network: Any, room: Any) -> None:
    """Add the output of a time mix to x [n, d]; its state starts at column `at`."""
    vectors, neurons, table, weights, scales, threshold = network
    mixed, made, _, h, work = room
    n, d = x.shape
    p, own, matrices = vectors[half], neurons[half], table[half]
    shift(x, owners, state, at, p, own, 3, threshold, h, mixed)
    for i in range(3):
        prepare(mixed[i], n, matrices[i], work)
    for i in range(3):
        product(mixed[i], n, matrices[i], weights, scales, made[i], work)
    inner = at + d * (1 + (3 if separate else 1))
    sums = inner + d if bits_in else at + d * (1 + bits_out)
    for t in range(n):
        y = made[VALUE, t]
        average(made[KEY, t], y, p[BONUS], p[RATE], state[owners[t], sums : sums + 3 * d])
        gate(made[RECEPTANCE, t], y)
        if bits_in:
            normalise(y, own[WEIGHT, :d], own[BIAS, :d], y)
            fire(y, state[owners[t], inner : inner + d], own[GAIN, :d], threshold)
    prepare(made[VALUE], n, matrices[OUTPUT], work)
    product(made[VALUE], n, matrices[OUTPUT], weights, scales, made[KEY], work)
    finish(x, made[KEY], owners, state, at + d, own, threshold)


def channel_mix(x: Any, owners: Any, state: Any, at: Any, half: Any, network: Any, room: Any) -> None:
    """Add the output of a channel mix to x [n, d]; arguments as in `time_mix`."""
    vectors, neurons, table, weights, scales, threshold = network
    mixed, made, wide, h, work = room
    n, d = x.shape
    own, matrices = neurons[half], table[half]
    inner = at + d * (1 + (2 if separate else 1))
    shift(x, owners, state, at, vectors[half], own, 2, threshold, h, mixed)
    for i in (KEY, RECEPTANCE):
        prepare(mixed[i], n, matrices[i], work)
    product(mixed[KEY], n, matrices[KEY], weights, scales, wide, work)
    product(mixed[RECEPTANCE], n, matrices[RECEPTANCE], weights, scales, made[RECEPTANCE], work)
    for t in range(n):
        if bits_in:
            normalise(wide[t], own[WEIGHT], own[BIAS], wide[t])
            fire(wide[t], state[owners[t], inner : inner + 4 * d], own[GAIN], threshold)
        else:
            square(wide[t])
    prepare(wide, n, matrices[VALUE], work)
    product(wide, n, matrices[VALUE], weights, scales, made[VALUE], work)
    for t in range(n):
        gate(made[RECEPTANCE, t], made[VALUE, t])
    finish(x, made[VALUE], owners, state, at + d, own, threshold)


def finish(x: Any, y: Any, owners: Any, state: Any, at: Any, own: Any, threshold: Any) -> None:
    """Add y, or the spikes of neurons driven by it, to the residual stream x."""
    n, d = x.shape
    for t in range(n):
        if bits_out:
            if normed:
                normalise(y[t], own[WEIGHT, :d], own[BIAS, :d], y[t])
            fire(y[t], state[owners[t], at : at + d], own[GAIN, :d], threshold)
        for j in range(np.uintp(d)):
            x[t, j] += y[t, j]


def answer(x: Any, wanted: Any, ends: Any, network: Any, logits: Any, room: Any) -> None:
    """Write the logits of the tokens with an entry in `wanted` to their rows."""
    vectors, _, table, weights, scales, _ = network
    mixed, _, _, _, work = room
    n, low = np.int64(0), len(logits)
    for t in range(len(wanted)):
        if wanted[t] >= 0:
            low = min(low, wanted[t])
            normalise(x[t], ends[2], ends[3], mixed[0, n])
            n += 1
    product(mixed[0], n, table[len(vectors), 0], weights, scales, logits[low:], work)


def rooms(count: Any, d: Any, widest: Any) -> Any:
    """Buffers for the intermediate results of `count` tokens inside a block, whose matrices have up to `widest` outputs per block."""
    active = np.empty((count, 4 * d), np.int32), np.empty(count, np.int64), np.empty(count, np.int64)
    sums = np.empty((count, widest), np.float32), np.empty((count, widest), np.int32)
    work = (*active, *sums, room_for_places(count, d))
    mixed, made, wide = np.empty((3, count, d), np.float32), np.empty((3, count, d), np.float32), np.empty((count, 4 * d), np.float32)
    return mixed, made, wide, np.empty(d, np.float32), work


def advance(
    tokens: Any, owners: Any, answers: Any, borders: Any, embedding: Any, ends: Any, places: Any, network: Any, state: Any,
    logits: Any, first: Any, last: Any,
) -> None:  # fmt: skip
    """Process parts first .. last - 1 of the tokens [P], which `borders` divides; no row is in two parts.

    Args:
        owners: row of each token, [P].
        answers: row of `logits` for each token, ascending, or -1 for none, [P].
        embedding, ends, places, network: see `generate.packing`.
        state: state of the rows, [B, N], updated in place.
    """
    d = ends.shape[1]
    vectors, _, table, _, _, _ = network
    most = min(borders[last] - borders[first], _TOKENS)
    room = rooms(most, d, table[:, :, WIDTH].max())
    stream = np.empty((most, d), np.float32)
    for start in range(borders[first], borders[last], _TOKENS):
        end = min(start + _TOKENS, borders[last])
        x, own = stream[: end - start], owners[start:end]
        for t in range(end - start):
            for j in range(np.uintp(d)):
                room[3][j] = embedding[tokens[start + t], j]
            normalise(room[3], ends[0], ends[1], x[t])
        for half in range(len(vectors)):
            if table[half, OUTPUT, 2]:
                time_mix(x, own, state, places[half], half, network, room)
            else:
                channel_mix(x, own, state, places[half], half, network, room)
        answer(x, answers[start:end], ends, network, logits, room)
