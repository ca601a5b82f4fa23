"""Auditory nerve and bushy cells: from firing probabilities to spikes.

Into each bushy cell go 40 nerve fibres that fire independently and rest 1 ms after a spike. The cell is a leaky integrator with
a synaptic current; it fires at v = 1, is reset to 0 and rests 1 ms:

    i <- i * exp(-dt / 0.5 ms) + number of its fibres that fired
    v <- v * exp(-dt / 1 ms) + i * charge

Source: Cramer et al. (2020), "The Heidelberg spiking data sets", arXiv 1910.07407.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled

FIBRES = 40
SYNAPSE_S, MEMBRANE_S, REST_S = 0.5e-3, 1e-3, 1e-3
WEIGHT = 13_000 / FIBRES
"""Membrane per second and unit of current."""


class NerveState(NamedTuple):
    """What the nerve remembers of C cells; the arrays are advanced in place."""

    fired: NDArray[np.uint8]
    """fibres that fired in each of the last samples, as many as a fibre rests, [D, C]"""
    current: NDArray[np.float32]
    membrane: NDArray[np.float32]
    rest: NDArray[np.int32]
    """samples until the cell integrates again"""


def nerve_at_rest(cells: int, rate: float) -> NerveState:
    """Cells that have heard nothing; `rate` in samples per second."""
    memory = max(round(REST_S * rate) - 1, 0)
    return NerveState(
        np.zeros((memory, cells), np.uint8), np.zeros(cells, np.float32), np.zeros(cells, np.float32), np.zeros(cells, np.int32)
    )


def fire(
    probability: NDArray[np.floating], keys: NDArray[np.uint32], state: NerveState, rate: float, charge: float, first: int = 0
) -> NDArray[np.uint8]:
    """Spikes of the bushy cells, {0, 1} [N, C].

    Args:
        probability: that a fibre which does not rest fires, [N, C].
        keys: from `noise_keys`, [N].
        state: advanced in place.
        rate: samples per second.
        charge: what one unit of current adds to the membrane in one sample.
        first: number of the first of these cells; each cell has noise of its own.
    """
    cells = (np.arange(first, first + probability.shape[1]).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)).astype(
        np.uint32
    )
    counts = compiled(nerve_fibres)(probability, keys, cells, state.fired)
    state.fired[:] = counts[len(probability) :]
    keep_current, keep_membrane = np.exp(-1 / (SYNAPSE_S * rate)), np.exp(-1 / (MEMBRANE_S * rate))
    new = counts[len(state.fired) :]
    spikes: NDArray[np.uint8] = compiled(bushy_cells)(new, keep_current, keep_membrane, charge, round(REST_S * rate), *state[1:])
    return spikes


def noise_keys(wave: NDArray[np.float32], key: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """A random number for each sample, drawn from a seed and from the sound so far.

    So every clip has noise of its own, it is the same in any order of clips and on any number of workers, and a stream can draw it.

    Args:
        wave: [N].
        key: [1], the seed at the start; advanced in place.
    """
    bits = wave.view(np.uint32)
    keys = np.empty(len(bits), np.uint32)
    state = key[0]
    for n in range(len(bits)):
        # A step of Knuth's congruential generator, stirred by the sample; the upper half is the random one.
        state = (state ^ np.uint64(bits[n])) * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        state ^= state >> np.uint64(29)
        keys[n] = np.uint32(state >> np.uint64(32))
    key[0] = state
    return keys


def nerve_fibres(
    probability: NDArray[np.floating], keys: NDArray[np.uint32], cells: NDArray[np.uint32], fired: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """How many of the 40 fibres of each cell fire in each sample.

    The fibres of a cell are alike, so one binomial draw among those that do not rest has the distribution of 40 Bernoulli draws.

    Args:
        probability: that a fibre which does not rest fires, [N, C].
        keys: from `noise_keys`, [N].
        cells: a random number for each cell, [C].
        fired: `NerveState.fired`, [D, C]; not modified.
    Returns:
        the numbers, [D + N, C]: those of the D samples before, then the new ones.
    """
    memory, steps, width = fired.shape[0], probability.shape[0], probability.shape[1]
    counts = np.empty((memory + steps, width), np.uint8)
    counts[:memory] = fired
    resting = np.zeros(width, np.float32)
    for n in range(memory):
        resting += fired[n]
    random = np.empty(width, np.uint32)
    maybe = np.empty(width, np.bool_)
    for n in range(steps):
        new = counts[memory + n]
        for i in range(width):
            h = keys[n] ^ cells[i]  # Wellons' 32-bit hash "lowbias32"
            h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
            h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
            random[i] = h ^ (h >> np.uint32(16))
            # 1 - (1 - p)^m <= m p: most draws are known to be zero without the power.
            maybe[i] = np.float32(random[i]) * np.float32(2.0**-32) < (np.float32(FIBRES) - resting[i]) * np.float32(probability[n, i])
        for i in range(width):
            count = 0
            if maybe[i]:
                free = FIBRES - int(resting[i])
                p = min(float(probability[n, i]), 1 - 1e-9)
                mass, square = 1.0, 1 - p
                for bit in range(6):  # (1 - p)^free, free <= 40
                    if free >> bit & 1:
                        mass *= square
                    square *= square
                above = 1 - (random[i] + 0.5) * 2.0**-32
                while above > mass and count < free:
                    above -= mass
                    mass *= p / (1 - p) * (free - count) / (count + 1)
                    count += 1
            new[i] = count
        if memory > 0:
            for i in range(width):
                resting[i] += np.float32(new[i]) - np.float32(counts[n, i])
    return counts


def bushy_cells(
    counts: NDArray[np.uint8],
    keep_current: float,
    keep_membrane: float,
    charge: float,
    rest_samples: int,
    current: NDArray[np.float32],
    membrane: NDArray[np.float32],
    rest: NDArray[np.int32],
) -> NDArray[np.uint8]:
    """Spikes [N, C] in {0, 1} of the bushy cells for the fibres' `counts` [N, C]; the last three arguments advance in place."""
    keep_i, keep_v, gain = np.float32(keep_current), np.float32(keep_membrane), np.float32(charge)
    zero, one, pause = np.float32(0), np.float32(1), np.int32(rest_samples)
    spikes = np.empty(counts.shape, np.uint8)
    for n in range(counts.shape[0]):
        for i in range(counts.shape[1]):
            now = current[i] * keep_i + np.float32(counts[n, i])
            v = membrane[i] * keep_v + now * gain if rest[i] <= 0 else zero
            fires = v >= one
            spikes[n, i] = fires
            current[i] = now
            membrane[i] = zero if fires else v
            rest[i] = pause if fires else rest[i] - np.int32(1)
    return spikes
