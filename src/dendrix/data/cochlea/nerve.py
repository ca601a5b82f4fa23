"""Auditory nerve fibres and bushy cells: firing probabilities to spikes.

Each bushy cell receives 40 nerve fibres, which fire independently and have a refractory period of 1 ms. The cell is a leaky integrator
with a synaptic current; it fires at v = 1, is reset to 0 and has a refractory period of 1 ms:

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
"""Rate of change of the membrane potential per unit of current, in 1/s."""


class NerveState(NamedTuple):
    """State of C cells; the arrays are updated in place."""

    fired: NDArray[np.uint8]
    """Number of fibres that fired in each of the D samples of the refractory period, [D, C]."""
    current: NDArray[np.float32]
    """Synaptic current i, [C]."""
    membrane: NDArray[np.float32]
    """Membrane potential v, [C]."""
    rest: NDArray[np.int32]
    """Remaining samples of the refractory period of the cell, [C]."""


def nerve_at_rest(cells: int, rate: float) -> NerveState:
    """Return the state of `cells` cells before any input; `rate` is the sampling rate, in Hz."""
    memory = max(round(REST_S * rate) - 1, 0)
    return NerveState(
        np.zeros((memory, cells), np.uint8), np.zeros(cells, np.float32), np.zeros(cells, np.float32), np.zeros(cells, np.int32)
    )


def fire(
    probability: NDArray[np.floating], keys: NDArray[np.uint32], state: NerveState, rate: float, charge: float, first: int = 0
) -> NDArray[np.uint8]:
    """Simulate nerve fibres and bushy cells.

    Args:
        probability: firing probability per sample of a fibre that is not refractory, [N, C].
        keys: random numbers from `noise_keys`, [N].
        state: updated in place.
        rate: sampling rate, in Hz.
        charge: increase of the membrane potential per sample and unit of current.
        first: index of the first of the C cells, which selects their noise.
    Returns:
        spikes of the bushy cells, in {0, 1}, [N, C].
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
    """Draw one random number per sample from a seed and the samples so far.

    The noise therefore differs between clips, does not depend on the order of the clips or the number of workers, and can be drawn in a
    stream.

    Args:
        wave: [N].
        key: state of the generator, [1], initially the seed; updated in place.
    Returns:
        random numbers, uint32 [N].
    """
    bits = wave.view(np.uint32)
    keys = np.empty(len(bits), np.uint32)
    state = key[0]
    for n in range(len(bits)):
        # One step of Knuth's linear congruential generator, perturbed by the sample. The upper bits are the random ones.
        state = (state ^ np.uint64(bits[n])) * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        state ^= state >> np.uint64(29)
        keys[n] = np.uint32(state >> np.uint64(32))
    key[0] = state
    return keys


def nerve_fibres(
    probability: NDArray[np.floating], keys: NDArray[np.uint32], cells: NDArray[np.uint32], fired: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Draw the number of fibres of each cell that fire in each sample.

    The fibres of a cell have equal firing probabilities, so one binomial draw over the fibres that are not refractory replaces 40 Bernoulli
    draws.

    Args:
        probability: firing probability per sample of a fibre that is not refractory, [N, C].
        keys: random numbers from `noise_keys`, [N].
        cells: a random number per cell, [C].
        fired: `NerveState.fired`, [D, C]; not modified.
    Returns:
        number of fibres that fire, [D + N, C]: in the D previous samples, then in the new ones.
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
            # 1 - (1 - p)^m <= m p: most draws are zero by this bound, without computing the power.
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
    """Integrate the bushy cells.

    Args:
        counts: number of fibres that fire, [N, C].
        keep_current, keep_membrane: decay factors per sample.
        charge: increase of the membrane potential per sample and unit of current.
        rest_samples: refractory period, in samples.
        current, membrane, rest: fields of `NerveState`, [C], updated in place.
    Returns:
        spikes in {0, 1}, [N, C].
    """
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
