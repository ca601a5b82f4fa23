"""The causal cochlea in whole numbers: 16-bit samples to spike counts, which a quantised network takes."""

import copy
import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...checks import SEEDS
from ...compiled import compiled
from ...core import expect_fields
from ...errors import InputError
from ..speech.integer_base import IntegerEncoder, Ints
from .filterbank import ORDER, filter_bank
from .haircell import A, B, G, H, L, M, R, X, Y, hair_cells_at_rest
from .model import Cochlea
from .nerve import FIBRES, MEMBRANE_S, REST_S, SYNAPSE_S, WEIGHT, noise_keys

_SHIFTS = range(23, 17, -1)
"""Fractional bits of the motion of the membrane, for which the quotients are precise."""


class CochleaTables(NamedTuple):
    """Constants of the cochlea; "times" is what a real number is multiplied by."""

    keep: int
    """Factor of the peak from one sample to the next, times 2^32."""
    floor: int
    """Amplitude below which sounds are amplified less, times 2^31."""
    gain: int
    """Factor after the automatic gain, times 2^shift."""
    grow: int
    """Increase of the gain for each sample of the fade-in, times 2^(shift + 16)."""
    ramp: int
    """Number of samples of the fade-in."""
    shift: int
    """Fractional bits of the motion of the membrane."""
    drive: NDArray[np.int32]
    """Coefficients of the resonators, times 2^29, [C]."""
    near: NDArray[np.int32]
    far: NDArray[np.int32]
    cells: NDArray[np.uint32]
    """A random number for each cell, [C]."""
    offset: int
    """Motion at which the membrane of a hair cell is closed, A, times 2^shift."""
    half_point: int
    """Motion above that for half of the permeability, B, times 2^shift."""
    half_g: int
    """Largest permeability G for half of a sample, times 2^31, as all that follow."""
    half_y: int
    """Refill Y for half of a sample."""
    refill: int
    """Refill Y for a sample, times 2^61."""
    reprocessed: int
    """X for a sample, times 2^36."""
    settled: int
    """Transmitter in the cleft in equilibrium, for the mean of q and the largest permeability, halved."""
    mean: int
    """Mean of the decay of the cleft within a sample."""
    kept: int
    """Decay of the cleft over a sample."""
    w_kept: int
    """Decay of the transmitter in reprocessing."""
    w_gain: int
    """Transmitter that reprocessing takes from the cleft in a sample."""
    fired: int
    """H for a sample, times 2^28."""
    keep_current: int
    """Decay of the current of bushy cells."""
    keep_membrane: int
    """Decay of the membrane of bushy cells."""
    charge: int
    """Increase of the membrane per unit of current, times 2^32."""
    pause: int
    """Refractory period, in samples."""
    start_q: int
    """Free transmitter in silence, times 2^30."""
    start_c: int
    """Transmitter in the cleft in silence, times 2^30."""
    start_w: int
    """Transmitter in reprocessing in silence, times 2^25."""


class CochleaArrays(NamedTuple):
    """State of C cells, in whole numbers."""

    scalars: Ints
    """Recent peak times 2^31; the last two samples after the gain, times 2^shift; samples of the fade-in so far; row of the ring."""
    last: NDArray[np.int32]
    """Last output of each resonator, times 2^shift, [4, C]."""
    before: NDArray[np.int32]
    """Output of each resonator one sample earlier, times 2^shift, [4, C]."""
    q: NDArray[np.int32]
    """Free transmitter, times 2^30, [C]."""
    c: NDArray[np.int32]
    """Transmitter in the cleft, times 2^30, [C]."""
    w: NDArray[np.int32]
    """Transmitter in reprocessing, times 2^25, [C]."""
    ring: NDArray[np.uint8]
    """Number of fibres that fired in each sample of the refractory period but one, [D, C]."""
    resting: NDArray[np.uint8]
    """Number of fibres that are refractory, [C]."""
    current: NDArray[np.int32]
    """Synaptic current, times 2^16, [C]."""
    membrane: NDArray[np.int32]
    """Membrane potential of the bushy cells, times 2^24, [C]."""
    rest: NDArray[np.uint8]
    """Remaining samples of the refractory period of the bushy cells, [C]."""


class IntegerCochleaState(NamedTuple):
    """State of a stream."""

    key: NDArray[np.uint64]
    """Key of the noise generator, [1]."""
    arrays: CochleaArrays


@dataclass(frozen=True)
class IntegerCochlea(IntegerEncoder):
    """`Cochlea` in whole numbers: spike counts [T, cells / group]. Made by `integer_encoder`.

    The fields are those of `Cochlea`. Random numbers are those of the float encoder on the same 16-bit samples, so that nearly all counts
    are equal.

    Raises:
        InputError: a field is out of range, or has no integer form.
        MissingExtraError: scipy is not installed.
    """

    gain: float = 3.0
    release_ms: float = 500.0
    floor: float = 0.003
    ramp_ms: float = 5.0
    cells: int = 700
    group: int = 5
    f_min: float = 110.0
    f_max: float = 6_000.0
    quality: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.float_form()
        expect_fields(self, whole=("cells", "seed"), cells="[1, 4096]", seed=SEEDS)
        expect_fields(self, rate="[8000, 48000]", floor="[1.6e-5, 0.5]", gain="[0.01, 100]")
        expect_fields(self, ramp_ms="[0, 1000]", release_ms="[1, 10000]")

    def float_form(self) -> Cochlea:
        """The encoder that this one stands for."""
        return Cochlea(**dataclasses.asdict(self))

    @property
    def channels(self) -> int:
        return self.cells // self.group

    @property
    def fraction(self) -> int:
        """Fractional bits of a frame: counts have none."""
        return 0

    def tables(self) -> CochleaTables:
        """The constants of the cochlea."""
        return _tables(self)

    def init_state(self) -> IntegerCochleaState:
        tables, cells = self.tables(), self.cells
        filters, rows = np.zeros((2, ORDER, cells), np.int32), tables.pause - 1
        pools = [np.full(cells, pool, np.int32) for pool in (tables.start_q, tables.start_c, tables.start_w)]
        nerve = np.zeros((rows, cells), np.uint8), np.zeros(cells, np.uint8), *np.zeros((2, cells), np.int32), np.zeros(cells, np.uint8)
        return IntegerCochleaState(np.array([self.seed], np.uint64), CochleaArrays(np.zeros(5, np.int64), *filters, *pools, *nerve))

    def run(self, pcm: Ints, state: IntegerCochleaState) -> tuple[Ints, IntegerCochleaState]:
        from .integer_loops import hear  # numba loads in 0.4 s

        key, arrays = state.key.copy(), copy.deepcopy(state.arrays)
        keys = compiled(noise_keys)(pcm.astype(np.float32) / np.float32(32768), key)
        frames = np.zeros((len(pcm) // self.hop, self.channels), np.int64)
        compiled(hear)(pcm, keys, self.tables(), arrays, self.hop, self.group, frames)
        return frames, IntegerCochleaState(key, arrays)


@dataclass(frozen=True)
class CochleaBound:
    """Largest magnitudes in the cochlea, for any sound of any length; all stay below 2^31."""

    filters: tuple[int, ...]
    """Of the outputs of each resonator of a cascade, rounding included."""
    reprocessing: int
    """Of the transmitter in reprocessing."""
    current: int
    """Of the synaptic current of bushy cells."""
    membrane: int
    """Of their membrane before a spike."""

    @property
    def proven(self) -> bool:
        """Whether nothing overflows. Free transmitter saturates at 2 by definition, and the cleft takes less than that."""
        return max(*self.filters, self.reprocessing, self.current, self.membrane) < 2**31


def bound_cochlea(encoder: IntegerCochlea) -> CochleaBound:
    """Bound the numbers of a cochlea."""
    return _bound(encoder.tables())


def _whole(value: float, bits: int) -> int:
    return math.floor(value * 2.0**bits + 0.5)


@functools.cache
def _tables(encoder: IntegerCochlea) -> CochleaTables:
    """Constants with the most fractional bits of the motion for which no sound overflows."""
    bank = filter_bank(encoder.cells, encoder.f_min, encoder.f_max, encoder.quality, encoder.rate)
    filters = [np.floor(values.astype(np.float64) * 2.0**29 + 0.5).astype(np.int32) for values in bank]
    for shift in _SHIFTS:
        made = _constants(encoder, shift, *filters)
        if _bound(made).proven:
            return made
    raise InputError(f"gain: expected less, got {encoder.gain}, with which filters overflow 32 bits. Lower the gain or the quality.")


def _constants(encoder: IntegerCochlea, shift: int, drive: Any, near: Any, far: Any) -> CochleaTables:
    rate, length = encoder.rate, max(encoder.ramp_ms * encoder.rate / 1000, 1.0)
    kept, half_x = math.exp(-(L + R) / rate), 0.5 * X / rate
    keep_current, keep_membrane = math.exp(-1 / (SYNAPSE_S * rate)), math.exp(-1 / (MEMBRANE_S * rate))
    rest = hair_cells_at_rest(1, np.float64)
    numbers = np.arange(encoder.cells).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)
    return CochleaTables(
        keep=_whole(math.exp(-1000 / (encoder.release_ms * rate)), 32),
        floor=_whole(encoder.floor, 31),
        gain=_whole(encoder.gain, shift),
        grow=_whole(encoder.gain / length, shift + 16),
        ramp=math.ceil(length),
        shift=shift,
        drive=drive,
        near=near,
        far=far,
        cells=numbers.astype(np.uint32),
        offset=_whole(A, shift),
        half_point=_whole(B, shift),
        half_g=_whole(0.5 * G / rate, 31),
        half_y=_whole(0.5 * Y / rate, 31),
        refill=_whole(Y * M / rate, 61),
        reprocessed=_whole(X / rate, 36),
        settled=_whole(0.5 * G / (L + R), 31),
        mean=_whole((1 - kept) * rate / (L + R), 31),
        kept=_whole(kept, 31),
        w_kept=_whole((1 - half_x) / (1 + half_x), 31),
        w_gain=_whole(R / rate / (1 + half_x), 31),
        fired=_whole(H / rate, 28),
        keep_current=_whole(keep_current, 31),
        keep_membrane=_whole(keep_membrane, 31),
        charge=_whole(WEIGHT * (keep_membrane - keep_current) / (1 / SYNAPSE_S - 1 / MEMBRANE_S), 32),
        pause=round(REST_S * rate),
        start_q=_whole(rest.q[0], 30),
        start_c=_whole(rest.c[0], 30),
        start_w=_whole(rest.w[0], 25),
    )


def _bound(tables: CochleaTables) -> CochleaBound:
    """Sums of the magnitudes of impulse responses, of the loudest input and of the rounding of each resonator; 0.1 % covers their ends."""
    from .integer_loops import reach

    signal, rounding = np.zeros((2, ORDER, len(tables.drive)))
    drive, near, far = (values / 2.0**29 for values in (tables.drive, tables.near, tables.far))
    compiled(reach)(drive, near, far, True, signal)
    compiled(reach)(drive, near, far, False, rounding)
    # An error of half a unit after a resonator is not scaled by its drive.
    filters = 1.001 * (tables.gain * signal + np.cumsum(rounding, 0) / (2 * drive)).max(1)
    cleft = tables.settled * 2.0**-31 * 2**32  # q and its successor are below 2
    reprocessing = (cleft * tables.w_gain * 2.0**-36 + 1) / (1 - tables.w_kept * 2.0**-31)
    current = FIBRES * 2**16 / (1 - tables.keep_current * 2.0**-31) + 1
    membrane = 2**24 + current * tables.charge * 2.0**-24
    return CochleaBound(
        tuple(int(value) + 1 for value in np.minimum(filters, 2.0**40)), int(reprocessing) + 1, int(current) + 1, int(membrane) + 1
    )
