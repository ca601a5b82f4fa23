"""Taught words in whole numbers: speech detector, whitening, background and words beside an integer network."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data import IntegerMel
from ..data.speech.integer_base import Ints
from ..errors import InputError
from ..sdr import SDR
from .deployed import Deployed

NARROW = 10
"""Bits that a weight loses where it meets a square, so that the sum stays below 2^63."""
LARGEST_SCORE = 40_000
"""Largest possible score of a word, for the same purpose."""
LEVEL = 4
"""Fractional bits of a level."""
SHARE = 16
"""Fractional bits of a share of a level."""
WEIGHT = 30
"""Fractional bits of the weight of a clip, and of a share of the background."""
MOMENT = 6
"""Fractional bits of the mean and of the deviation of scores."""
MOST_SPANS = 16
"""Largest number of words in the memory of a stream."""
RATES = (0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.001)
"""Rates of false alarms that an export offers where the background supports them."""

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class IntegerSpeech:
    """Speech detector in whole numbers, see `teach.SpeechDetector`: times in frames, shares times 2^16, levels as in `words_reference`."""

    share: int
    contrast: int
    least: int
    smoothing: int
    pause: int
    shortest: int


@dataclass(frozen=True)
class IntegerWhitening:
    """Whitening of spike counts in whole numbers.

        away = (count << fraction) - mean;   p_r = sum_d U_rd away_d;   q_r = (p_r gain_r + half) >> shift_r
        z_d = (away_d << extra) - sum_r U_rd q_r

    Sums stay below 2^31 for any counts; `whole_whitening` proves it.
    """

    mean: Ints
    """[D], with `fraction` fractional bits."""
    directions: Ints
    """U, int8 [R, D]."""
    gain: Ints
    """[R], 16 bits."""
    shift: Ints
    """[R]."""
    fraction: int
    extra: int

    def __call__(self, counts: Ints) -> Ints:
        """Map counts [N, D] to z [N, D]."""
        away = (counts << self.fraction) - self.mean
        q = (away @ self.directions.T * self.gain + (1 << (self.shift - 1))) >> self.shift
        return (away << self.extra) - q @ self.directions


def whole_whitening(mean: ArrayLike, directions: ArrayLike, reduction: ArrayLike, largest: int) -> IntegerWhitening:
    """Round a whitening, with as many fractional bits as its proof allows.

    Args:
        mean: [D].
        directions: orthonormal columns, [D, R].
        reduction: share that is removed along each direction, [R].
        largest: largest count.
    Raises:
        InputError: no number of fractional bits keeps all sums below 2^31.
    """
    mu, u, share = (np.asarray(part, np.float64) for part in (mean, directions, reduction))
    scale = np.exp2(np.ceil(np.log2(np.maximum(np.abs(u).max(0, initial=0), 1e-30) / 127)))
    whole = np.rint(u / scale).T.astype(np.int64)
    for fraction in range(6, -1, -1):
        for extra in range(8, -1, -1):
            factor = share * scale**2 * 2.0**extra
            shift = 15 - np.floor(np.log2(np.maximum(factor, 2.0**-40))).astype(np.int64)
            gain = np.minimum(np.floor(factor * np.exp2(shift) + 0.5), 65535).astype(np.int64)
            made = IntegerWhitening(np.floor(mu * 2.0**fraction + 0.5).astype(np.int64), whole, gain, shift, fraction, extra)
            if (shift >= 1).all() and (shift < 63).all() and _fits(made, largest):
                return made
    raise InputError("whitening: expected sums below 2^31, got larger ones, so a code could overflow. Use fewer or shorter bins.")


def _fits(made: IntegerWhitening, largest: int) -> bool:
    """Whether every sum stays below 2^31, and every mean within 16 bits."""
    away = np.maximum(np.abs(made.mean), np.abs((largest << made.fraction) - made.mean))
    p = np.abs(made.directions) @ away
    q = ((p * made.gain) >> made.shift) + 1
    z = (away << made.extra) + q @ np.abs(made.directions)
    return bool(max(p.max(initial=0), z.max()) < 2**31 and np.abs(made.mean).max() < 2**15)


@dataclass(frozen=True)
class WholeWord:
    """A taught word: codes of its clips, threshold, and mean and deviation of the scores of the background with 6 fractional bits."""

    codes: Bits
    """[K, n]."""
    theta: int
    mean: int
    deviation: int


@dataclass(frozen=True)
class WholeBackground:
    """Codes of clips of other words."""

    codes: Bits
    """[N, n]."""
    weights: Ints
    """Weight of each clip, with 30 fractional bits, [N]; the sum is at most 1."""
    word: Ints
    """Index of the word of each clip in `names`, [N]."""
    names: tuple[str, ...]


class Rate(NamedTuple):
    """An asked rate of false alarms."""

    rate: float
    """Per clip of another word."""
    share: int
    """Share of the background that its threshold lets pass, with 30 fractional bits."""
    low: float
    """Tenth percentile of the rate of known words that were taught as new ones."""
    high: float
    """Ninetieth percentile."""


@dataclass(frozen=True)
class DeployedWords:
    """Taught words with their network, in whole numbers.

    Args:
        deployed: the network, with a front end of samples and without an exit rule.
        layers: number of coded spiking layers, counted from the last one.
        bins: number of bins between the onset of the speech and the end of the tail.
        tail: frames after the speech that belong to it.
        active: number of active bits of a code.
        memory: frames in the memory of a stream.
        step: frames between two looks for a word in a stream.
        speech: the detector.
        whitening: map from counts to z.
        background: background of new words.
        rates: the supported rates of false alarms.
        words: the taught words by name.
    Raises:
        InputError: the parts do not fit together.
    """

    deployed: Deployed
    layers: int
    bins: int
    tail: int
    active: int
    memory: int
    step: int
    speech: IntegerSpeech
    whitening: IntegerWhitening
    background: WholeBackground
    rates: tuple[Rate, ...]
    words: dict[str, WholeWord]

    def __post_init__(self) -> None:
        if not isinstance(self.deployed.encoder, IntegerMel):
            raise InputError(
                f"encoder: expected log-mel energies, got {type(self.deployed.encoder).__name__}. Choose a network with such an encoder."
            )
        if self.deployed.rule is not None:
            raise InputError("rule: expected none for taught words, got an exit rule. A word is decided when it has ended.")
        spiking = [form for form in self.deployed.network.forms if form.kind != "li"]
        if not 1 <= self.layers <= len(spiking):
            raise InputError(f"layers: expected 1 to {len(spiking)}, the spiking layers, got {self.layers}. Choose fewer.")
        if self.features != len(self.whitening.mean):
            raise InputError(
                f"whitening: expected {self.features} features, as the network has, got {len(self.whitening.mean)}. Use its backbone."
            )
        most = self.memory // (self.speech.shortest + self.speech.pause) + 1
        if most > MOST_SPANS:
            raise InputError(f"speech: expected at most {MOST_SPANS} words in {self.memory} frames, got up to {most}. Use longer pauses.")

    @property
    def coded(self) -> tuple[int, ...]:
        """Sizes of the coded layers."""
        forms = self.deployed.network.forms
        return tuple(forms[index].outputs for index in self.coded_layers)

    @property
    def coded_layers(self) -> range:
        """Indices of the coded layers."""
        spiking = sum(form.kind != "li" for form in self.deployed.network.forms)
        return range(spiking - self.layers, spiking)

    @property
    def features(self) -> int:
        """Number of counts of a clip."""
        return self.bins * sum(self.coded)

    @property
    def n(self) -> int:
        """Number of bits of a code."""
        return 2 * self.features

    def share(self, rate: float) -> int:
        """Share of the background for a rate.

        Raises:
            InputError: the background does not support it.
        """
        for known in self.rates:
            if math.isclose(known.rate, rate):
                return known.share
        raise InputError(f"rate: expected one of {', '.join(f'{one.rate:g}' for one in self.rates)}, got {rate:g}. Choose one of these.")


def packed_bits(bits: Bits) -> NDArray[np.uint8]:
    """Bits [N, n] as bytes, lowest bit first."""
    return np.packbits(bits, axis=-1, bitorder="little")


def bits_of(codes: SDR) -> Bits:
    """Codes as bits [N, n]."""
    return codes.dense()
