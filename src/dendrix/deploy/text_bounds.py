"""Proof that no number of an integer SpikeGPT overflows, for texts of any length."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .text_layout import END_SCALARS, SCALARS, TIME, kind_of, named_constants, named_weights
from .text_network import IntegerSpikeGPT
from .text_reference import GAIN_BITS, LOG_BITS, LOG_MAX

SUM_LIMIT = 2**30
"""Bound that the sum of a product must stay below, so that a neuron adds two of them in 32 bits, and that a threshold keeps."""


@dataclass(frozen=True)
class TextBound:
    """Largest magnitude of the sums of a matrix product, for any text."""

    path: str
    """Such as halves.0.key: the time mix or first channel mix of the first block."""
    largest: int

    @property
    def proven(self) -> bool:
        """Whether the sums cannot overflow."""
        return self.largest < SUM_LIMIT


def bound_text(network: IntegerSpikeGPT) -> list[TextBound]:
    """Bound the sums of every product. All other numbers are limited by definition, or bounded by these sums; see `expect_proven`."""
    config = network.config
    *halves, head = named_weights(config, network.weights.numpy())
    *constants, end = named_constants(config, network.constants.numpy().astype(np.int64))
    end_scalars = dict(zip(END_SCALARS, end["scalars"].tolist(), strict=True))
    found = []
    for index, (matrices, vectors) in enumerate(zip(halves, constants, strict=True)):
        scalars = dict(zip(SCALARS, vectors["scalars"].tolist(), strict=True))
        last = "output" if kind_of(config, index) == TIME else "value"
        for name, weight in matrices.items():
            largest = end_scalars["levels"] if config.spikes == "input" else scalars["inner_limit" if name == last else "limit"]
            found.append(TextBound(f"halves.{index}.{name}", _sum(weight) * largest << (scalars["value_shift"] if name == "value" else 0)))
    return [*found, TextBound("head", _sum(head["head"]) * end_scalars["limit"])]


def expect_proven(network: IntegerSpikeGPT) -> list[TextBound]:
    """Bounds of a network of which nothing overflows.

    Besides the sums, this needs constants in their ranges: then every product of two numbers stays below 2^62, the average of values below
    the largest value, and the log-weight below the largest key plus 21.

    Raises:
        InputError: a number could overflow; the place is named.
    """
    for bound in (bounds := bound_text(network)):
        if not bound.proven:
            raise InputError(f"{bound.path}: expected sums below 2^30, got up to {bound.largest:,}. Quantise the network again.")
    for index, vectors in enumerate(named_constants(network.config, network.constants.numpy().astype(np.int64))):
        scalars = vectors["scalars"].tolist()
        is_end = index == 2 * network.config.layers
        for name, value in zip(END_SCALARS if is_end else SCALARS, scalars, strict=True):
            low, high = _range_of_scalar(name)
            _expect(low <= value <= high, f"halves.{index}.{name}" if not is_end else f"end.{name}", low, high, value)
        for name, values in vectors.items():
            if name in _RANGES:
                low, high = _RANGES[name]
                good = bool((values >= low).all() and (values <= high).all())
                _expect(good, f"halves.{index}.{name}" if not is_end else f"end.{name}", low, high, f"{values.min()} to {values.max()}")
    return bounds


_RANGES = {
    "mix_key": (-(2**15), 2**15),
    "mix_receptance": (-(2**15), 2**15),
    "mix_value": (-(2**15), 2**15),
    "bonus": (-LOG_MAX, LOG_MAX),
    "rate": (0, LOG_MAX),
    "norm_bias": (-LOG_MAX, LOG_MAX),
    "inner_bias": (-LOG_MAX, LOG_MAX),
    "after_bias": (-LOG_MAX, LOG_MAX),
    **dict.fromkeys(("before_gain", "inside_gain", "after_gain"), (1, 2**GAIN_BITS - 1)),
    **dict.fromkeys(("key_scale", "receptance_scale", "gated_scale", "output_scale", "head_scale"), (0, 2**31 - 1)),
    **dict.fromkeys(("norm_weight", "inner_weight", "after_weight"), (1 - 2**31, 2**31 - 1)),
}


def _range_of_scalar(name: str) -> tuple[int, int]:
    if name.endswith("shift"):
        return (0, 15) if name in ("embedding_shift", "value_shift") else (1, 62)
    if name in ("levels", "signed"):
        return (1, 256) if name == "levels" else (0, 1)
    if name.endswith("limit"):
        return 1, 2**14 - 1
    return 1, 2 ** (LOG_BITS + 10)


def _sum(weight: "np.ndarray[tuple[int, ...], np.dtype[np.int8]]") -> int:
    return int(np.abs(weight.astype(np.int64)).sum(1).max())


def _expect(good: bool, where: str, low: int, high: int, got: object) -> None:
    if not good:
        raise InputError(f"{where}: expected whole numbers from {low} to {high}, got {got}. Quantise the network again.")
