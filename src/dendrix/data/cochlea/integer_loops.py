"""Loops of the causal cochlea in whole numbers; `CochleaTables` has the scales of all numbers.

Quotients of whole numbers below 2^53 are rounded down exactly in double precision, which is faster.
"""

from typing import Any

import numpy as np
from numba.extending import register_jitable

FIBRES = 40
_ONE = 2**31


def hear(pcm: Any, keys: Any, tables: Any, state: Any, hop: Any, group: Any, frames: Any) -> None:
    """Run samples through all cells.

    Args:
        pcm: 16-bit samples, int64 [T * hop].
        keys: random numbers, one for each sample, uint32 [T * hop].
        tables: `CochleaTables`.
        state: `CochleaArrays`, updated in place.
        hop: samples of a frame.
        group: cells of a channel.
        frames: gets the spikes of each frame added, int64 [T, channels].
    """
    cells = len(tables.drive)
    motion, cleft, spikes = np.empty((2, cells), np.int32), np.empty(cells, np.int64), np.empty(cells, np.int64)
    counts, drawn = np.empty(cells, np.int64), np.empty(cells, np.int64)
    for n in range(len(pcm)):
        motion[0] = _amplified(pcm[n], tables, state.scalars)
        for stage in range(len(state.last)):
            _resonate(motion[stage % 2], tables, state.last[stage], state.before[stage], motion[(stage + 1) % 2])
        _release(motion[len(state.last) % 2], tables, state.q, state.c, state.w, cleft)
        _draw(keys[n], tables.cells, drawn)
        for i in range(cells):
            z = (cleft[i] * tables.fired) >> 28
            # The probability is z at most.
            counts[i] = (
                _fired(z, drawn[i], FIBRES - np.int64(state.resting[i])) if drawn[i] < (FIBRES - np.int64(state.resting[i])) * z << 2 else 0
            )
        row = state.ring[state.scalars[4]]
        state.scalars[4] = (state.scalars[4] + 1) % len(state.ring)
        _integrate(counts, tables, row, state.resting, state.current, state.membrane, state.rest, spikes)
        frame = frames[n // hop]
        for channel in range(len(frame)):
            for i in range(channel * group, (channel + 1) * group):
                frame[channel] += spikes[i]


@register_jitable
def _amplified(x: Any, tables: Any, scalars: Any) -> Any:
    """One sample through the automatic gain, the fade-in and the difference over two samples; `scalars` as in `CochleaArrays`."""
    level = max(abs(x) << 16, (scalars[0] * tables.keep) >> 32)
    scalars[0] = level
    peak, up = level + tables.floor, 0
    while peak << up < _ONE:
        up += 1
    even = ((x << 16 << up) * inverse(peak << up)) >> 29
    gain = tables.gain
    if scalars[3] < tables.ramp:
        gain = (scalars[3] * tables.grow) >> 16
        scalars[3] += 1
    loud = (even * gain) >> 30
    step = loud - scalars[2]
    scalars[2] = scalars[1]
    scalars[1] = loud
    return step


@register_jitable
def inverse(x: Any) -> Any:
    """2^59 / x for x in [2^26, 2^32): a quotient of few bits and one step of Newton's method."""
    rough = np.int64(np.int32(4294967295.0 / np.float64(np.int32(x >> 11))))
    return (rough << 16) + ((rough * ((1 << 43) - x * rough)) >> 27)


@register_jitable
def _resonate(x: Any, tables: Any, last: Any, before: Any, y: Any) -> None:
    """One resonator of each cell: y <- drive x + near y[-1] + far y[-2]."""
    for i in range(len(x)):
        drive, near, far = np.int64(tables.drive[i]), np.int64(tables.near[i]), np.int64(tables.far[i])
        y[i] = (drive * np.int64(x[i]) + near * np.int64(last[i]) + far * np.int64(before[i]) + (1 << 28)) >> 29
        before[i] = last[i]
        last[i] = y[i]


@register_jitable
def _release(motion: Any, tables: Any, qs: Any, cs: Any, ws: Any, cleft: Any) -> None:
    """Transmitter that each cell has in its cleft, on average over the sample, as in `exact_hair_cells`."""
    offset, half_point, half_g, half_y = tables.offset, tables.half_point, tables.half_g, tables.half_y
    for i in range(len(motion)):
        s = max(np.int64(motion[i]) + offset, 0)
        k = (s * inverse(s + half_point)) >> 28
        q, c, w = np.int64(qs[i]), np.int64(cs[i]), np.int64(ws[i])
        below = q < 1 << 30
        out = ((half_g * k) >> 31) + (half_y if below else 0)
        share = _ONE - out  # 1 / (1 + out) by its series, as out is small
        share = _ONE - ((out * share) >> 31)
        share = _ONE - ((out * share) >> 31)
        share = _ONE - ((out * share) >> 31)
        total = (w * tables.reprocessed + (tables.refill if below else 0) + q * (_ONE - out) + (1 << 30)) >> 31
        after = min((total * share + (1 << 30)) >> 31, _ONE - 1)
        level = (((k * (q + after)) >> 31) * tables.settled) >> 31
        cleft[i] = level + (((c - level) * tables.mean) >> 31)
        qs[i] = after
        cs[i] = level + (((c - level) * tables.kept) >> 31)
        ws[i] = (w * tables.w_kept + ((cleft[i] * tables.w_gain) >> 5) + (1 << 30)) >> 31


@register_jitable
def _draw(key: Any, cells: Any, drawn: Any) -> None:
    """A random number of 32 bits for each cell: Wellons' hash "lowbias32"."""
    for i in range(len(cells)):
        h = key ^ cells[i]
        h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
        h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
        drawn[i] = h ^ (h >> np.uint32(16))


@register_jitable
def _fired(z: Any, drawn: Any, free: Any) -> Any:
    """Number of fibres that fire out of those that are free, with probability 1 - exp(-z) each: a binomial draw."""
    d = (1 << 29) + (z >> 2) + ((((z >> 1) * (z >> 1) >> 30) * 715_827_883) >> 32)
    p = ((z >> 1) * inverse(d)) >> 28  # 2 z / (2 + z + z^2 / 6)
    none, mass, square = _ONE - p, _ONE, _ONE - p
    for bit in range(6):
        if free >> bit & 1:
            mass = (mass * square) >> 31
        square = (square * square) >> 31
    above, count = _ONE - (drawn >> 1), 0
    if above <= mass:
        return 0
    odds = (p * inverse(none)) >> 31
    while above > mass and count < free:
        above -= mass
        mass = (((mass * odds) >> 28) * (((free - count) << 16) // (count + 1))) >> 16
        count += 1
    return count


@register_jitable
def _integrate(counts: Any, tables: Any, row: Any, resting: Any, currents: Any, membranes: Any, rests: Any, spikes: Any) -> None:
    """Count the fibres that rest, and integrate the bushy cells."""
    keep_current, keep_membrane, charge, pause = tables.keep_current, tables.keep_membrane, tables.charge, tables.pause
    for i in range(len(counts)):
        resting[i] += counts[i] - row[i]
        row[i] = counts[i]
        current = ((np.int64(currents[i]) * keep_current) >> 31) + (counts[i] << 16)
        v = ((np.int64(membranes[i]) * keep_membrane) >> 31) + ((current * charge) >> 24)
        rest = np.int64(rests[i])
        v = 0 if rest > 0 else v
        fires = v >= 1 << 24
        spikes[i] = 1 if fires else 0
        currents[i] = current
        membranes[i] = 0 if fires else v
        rests[i] = pause if fires else max(rest - 1, 0)


def reach(drive: Any, near: Any, far: Any, differs: Any, sums: Any) -> None:
    """Sum the magnitudes of the impulse responses after each resonator, until they have died away; infinite if they do not.

    Args:
        drive, near, far: coefficients of the resonators, [C].
        differs: the impulse comes with its opposite two samples later, as in the cochlea.
        sums: gets the sums, float64 [4, C].
    """
    for i in range(len(drive)):
        one, two = np.zeros(len(sums)), np.zeros(len(sums))
        size, n = 1.0, 0
        while size > 1e-9 and n < 1_000_000:
            y = 1.0 if n == 0 else -1.0 if n == 2 and differs else 0.0
            size = 0.0 if n > 2 else 1.0
            for stage in range(len(sums)):
                y = drive[i] * y + near[i] * one[stage] + far[i] * two[stage]
                two[stage], one[stage] = one[stage], y
                sums[stage, i] += abs(y)
                size += abs(y) + abs(two[stage])
            n += 1
        if size > 1e-9:
            sums[:, i] = np.inf
