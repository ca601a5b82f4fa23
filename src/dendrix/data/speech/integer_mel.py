"""Log-mel frames in whole numbers: 16-bit samples to the integers that a quantised network takes."""

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled
from ...core import expect_count, expect_fields
from ...errors import InputError
from .integer_base import IntegerEncoder, Ints
from .integer_gain import amplify
from .mel import mel_filters

_HALF = 31
"""Fractional bits of the factors of the transform: the upper 32 bits of a product are half of it."""
_POWER = 14
"""Bits that powers lose, so that their weighted sums stay below 2^62."""


class IntegerMelState(NamedTuple):
    """State of a stream."""

    level: int
    """Recent peak, times 2^31."""
    past: Ints
    """Amplified samples before the next frame, [window - hop], times 2^15."""


class MelTables(NamedTuple):
    """Constants of the front end."""

    keep: int
    """Factor of the peak from one sample to the next, times 2^32; 0 without automatic gain."""
    floor: int
    """Amplitude below which sounds are amplified less, times 2^31."""
    points: int
    """Of the complex transform, half of the real one."""
    hann: Ints
    """Window, times 2^15 - 1, rounded down, [window]."""
    cosine: Ints
    """cos(pi k / points), times 2^31, a quarter of a turn: [points / 2 + 1]."""
    filters: Ints
    """Mel filters, times 2^15, [points + 1, C]."""
    logarithm: Ints
    """log2(1 + i / 64), times 2^16, [65]."""
    energy_floor: int
    gain: int
    """From log2 with 16 fractional bits to frames, times 2^36."""
    offset: int
    """Added to frames, times 2^36."""


@dataclass(frozen=True)
class IntegerMel(IntegerEncoder):
    """`LogMel` or `EvenMel` in whole numbers: frames [T, n_mels] are integers times 2^-shift. Made by `integer_encoder`.

    All fields but the last two are those of the encoder that it replaces; values differ from its rounded ones by 1 in some places.

    Args:
        release_ms: time constant of the automatic gain, in ms; None for none.
        shift: fractional bits of a frame.
    Raises:
        InputError: a field is out of range, or has no integer form.
    Source: ours; scales and tables as in `MelTables`.
    """

    rate: int = 8_000
    n_mels: int = 24
    window_ms: float = 32.0
    f_min: float = 50.0
    f_max: float = 4_000.0
    floor: float = 1e-7
    mean: float = -7.0
    std: float = 2.0
    release_ms: float | None = 500.0
    peak_floor: float = 0.003
    centred: bool = False
    shift: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_count(self.shift, "[0, 8]", "shift")
        expect_fields(self, release_ms="(0, inf)", peak_floor="[1.6e-5, 0.5]", floor="[1e-9, 1]", std="(0, inf)")
        if not self.hop <= self.window <= 1024:
            raise InputError(f"window_ms: expected {self.hop} to 1024 samples, got {self.window}. Change the window.")

    @property
    def channels(self) -> int:
        return self.n_mels

    @property
    def fraction(self) -> int:
        return self.shift

    @property
    def window(self) -> int:
        """Number of samples per analysis window."""
        return round(self.rate * self.window_ms / 1000)

    def tables(self) -> MelTables:
        """The constants of the front end."""
        return _tables(self)

    def init_state(self) -> IntegerMelState:
        return IntegerMelState(0, np.zeros(self.window - self.hop, np.int64))

    def run(self, pcm: Ints, state: IntegerMelState) -> tuple[Ints, IntegerMelState]:
        """Encode whole frames of 16-bit samples, int64 [T * hop], to integers [T, C]; returns them and the next state."""
        tables, level = _tables(self), np.array([state.level], np.int64)
        past = np.concatenate([state.past, compiled(amplify)(pcm, tables.keep, tables.floor, level) if tables.keep else pcm])
        windows = np.lib.stride_tricks.sliding_window_view(past, self.window)[:: self.hop]
        frames = _frames(self, windows, tables)
        return frames, IntegerMelState(int(level[0]), past[len(pcm) :])


def _scaled(values: NDArray[np.float64] | float, bits: int) -> Ints:
    return np.floor(np.asarray(values, np.float64) * 2.0**bits + 0.5).astype(np.int64)


@functools.cache
def _tables(encoder: IntegerMel) -> MelTables:
    points = max(2 ** math.ceil(math.log2(encoder.window)), 4)
    k = np.arange(encoder.window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.minimum(k, encoder.window - k) / encoder.window)  # its halves are equal to the last bit
    # Energies are those of LogMel times this: samples and window give 2^30, the transform divides by half of the points, filters give 15.
    energy = hann.sum() ** 2 * (2.0**31 / points) ** 2 * 2.0 ** (15 - _POWER)
    decade = math.log10(2) / encoder.std * 2.0 ** (encoder.shift - 16 + 36)
    offset = (-math.log10(energy) - encoder.mean) / encoder.std * 2.0 ** (encoder.shift + 36)
    keep = 0.0 if encoder.release_ms is None else math.exp(-1000 / (encoder.release_ms * encoder.rate))
    return MelTables(
        keep=int(_scaled(keep, 32)),
        floor=int(_scaled(encoder.peak_floor, 31)),
        points=points,
        # Rounded down, so that the loudest sound stays within 32 bits.
        hann=np.floor(hann * 32767).astype(np.int64),
        cosine=_scaled(np.cos(np.pi * np.arange(points // 2 + 1) / points), _HALF),
        filters=_scaled(mel_filters(encoder.n_mels, 2 * points, encoder.rate, encoder.f_min, encoder.f_max), 15),
        logarithm=_scaled(np.log2(1 + np.arange(65) / 64), 16),
        energy_floor=max(round(encoder.floor * energy), 1),
        gain=round(decade / encoder.n_mels) if encoder.centred else round(decade),
        offset=0 if encoder.centred else round(offset),
    )


def _frames(encoder: IntegerMel, windows: Ints, tables: MelTables) -> Ints:
    power = _power(windows * tables.hann, tables)
    logs = _log2(power @ tables.filters + tables.energy_floor, tables.logarithm)
    if encoder.centred:
        logs = encoder.n_mels * logs - logs.sum(1, keepdims=True)
    frames = (logs * tables.gain + tables.offset + (1 << 35)) >> 36
    limited: Ints = np.clip(frames, -32768, 32767)
    return limited


def _halved(re: Ints, im: Ints, k: Ints, tables: MelTables) -> tuple[Ints, Ints]:
    """Half of the product of complex numbers [..., K] and e^(-i pi k / points) for k up to points / 2, [K]."""
    cosine, sine = tables.cosine[k], tables.cosine[tables.points // 2 - k]
    return (re * cosine >> 32) + (im * sine >> 32), (im * cosine >> 32) - (re * sine >> 32)


def _power(z: Ints, tables: MelTables) -> Ints:
    """Power of the spectrum, without its lowest bits, of real numbers [T, window]: [T, points + 1]."""
    re, im = _transform(z, tables)
    half = tables.points // 2
    k = np.arange(1, half)
    sum_re, sum_im = re[:, k] + re[:, -k], im[:, k] + im[:, -k]
    difference_re, difference_im = re[:, k] - re[:, -k], im[:, k] - im[:, -k]
    turned_im, turned_re = _halved(sum_im, -difference_re, k, tables)
    power = np.empty((len(z), tables.points + 1), np.int64)
    power[:, k] = ((sum_re >> 1) + turned_im) ** 2 + ((difference_im >> 1) + turned_re) ** 2
    power[:, -1 - k] = ((sum_re >> 1) - turned_im) ** 2 + ((difference_im >> 1) - turned_re) ** 2
    power[:, half] = re[:, half] ** 2 + im[:, half] ** 2
    power[:, 0] = (re[:, 0] + im[:, 0]) ** 2
    power[:, -1] = (re[:, 0] - im[:, 0]) ** 2
    return power >> _POWER


def _transform(z: Ints, tables: MelTables) -> tuple[Ints, Ints]:
    """Transform of real numbers [T, window], packed in pairs and padded by zeros, as complex numbers [T, points], over half of the points.

    Each stage but the first halves, so that numbers fit into 32 bits: after the first, the second half of the input is zero.
    """
    points, bits = tables.points, tables.points.bit_length() - 1
    padded = np.zeros((len(z), 2 * points), np.int64)
    padded[:, : z.shape[1]] = z
    order = np.array([int(f"{i:0{bits}b}"[::-1], 2) for i in range(points)])
    re, im = np.repeat(padded[:, 0::2][:, order[::2]], 2, 1), np.repeat(padded[:, 1::2][:, order[::2]], 2, 1)
    for stage in range(2, bits + 1):
        size = 2**stage
        quarter = size // 4
        turn = np.arange(quarter) * (2 * points // size)
        re, im = (part.reshape(len(z), -1, size) for part in (re, im))
        near_re, far_re = re[..., : size // 2] >> 1, re[..., size // 2 :]
        near_im, far_im = im[..., : size // 2] >> 1, im[..., size // 2 :]
        # The second quarter of the factors is the first times -i.
        first_re, first_im = _halved(far_re[..., :quarter], far_im[..., :quarter], turn, tables)
        second_im, second_re = _halved(far_re[..., quarter:], far_im[..., quarter:], turn, tables)
        moved_re, moved_im = np.concatenate([first_re, second_re], -1), np.concatenate([first_im, -second_im], -1)
        re = np.concatenate([near_re + moved_re, near_re - moved_re], -1).reshape(len(z), points)
        im = np.concatenate([near_im + moved_im, near_im - moved_im], -1).reshape(len(z), points)
    return re, im


def _log2(x: Ints, table: Ints) -> Ints:
    """log2 of positive numbers below 2^62, times 2^16, by a table with interpolation."""
    high = x >> 31
    top = np.where(high > 0, np.frexp(high.astype(np.float64))[1] + 30, np.frexp((x & 0x7FFFFFFF).astype(np.float64))[1] - 1)
    fraction = np.where(top >= 16, x >> np.maximum(top - 16, 0), x << np.maximum(16 - top, 0)) & 0xFFFF
    i = fraction >> 10
    found: Ints = (top << 16) + table[i] + ((table[i + 1] - table[i]) * (fraction & 1023) >> 10)
    return found
