"""Front ends of exported networks: constants and tables of an encoder in the order of their structures in C, and their memory."""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ..data import IntegerCochlea, IntegerEncoder, IntegerMel
from ..data.speech.integer_base import Ints
from ..data.speech.integer_mel import MelTables

_EAR = 32
"""Bytes of the beginning of the memory of a cochlea."""


class Member(NamedTuple):
    """A member of a structure in C: a number, or a table that it points to."""

    name: str
    kind: str
    """Type in C, of one number."""
    value: Any
    """A whole number, or numbers [N]."""

    @property
    def is_table(self) -> bool:
        """Whether the member is a pointer."""
        return np.ndim(self.value) > 0


class Place(NamedTuple):
    """Where the state of a front end lies in the memory of a stream, in bytes."""

    level: int = 0
    scratch: int = 0
    past: int = 0
    ear: int = 0


@singledispatch
def structure(encoder: IntegerEncoder, place: Place) -> tuple[str, list[Member]]:
    """Name of the structure of a front end, as in `dx_mel`, and its members in their order.

    Args:
        encoder: the front end.
        place: where its state lies.
    """
    raise NotImplementedError(f"{type(encoder).__name__} has no structure in C. Register it.")


@structure.register
def _mel(encoder: IntegerMel, place: Place) -> tuple[str, list[Member]]:
    tables = encoder.tables()
    starts, lengths, weights = filter_bands(tables)
    return "mel", [
        Member("keep", "uint32_t", tables.keep),
        Member("floor", "uint32_t", tables.floor),
        Member("window", "uint16_t", encoder.window),
        Member("points", "uint16_t", tables.points),
        Member("channels", "uint16_t", encoder.n_mels),
        Member("centred", "uint8_t", int(encoder.centred)),
        Member("shift", "uint8_t", encoder.shift),
        Member("hann", "int16_t", tables.hann[: encoder.window // 2 + 1]),
        # A quarter of a turn in 32 bits; the first, 1, is not used.
        Member("cosine", "int32_t", np.minimum(tables.cosine, 2**31 - 1)),
        Member("filter_start", "uint16_t", starts),
        Member("filter_length", "uint16_t", lengths),
        Member("filter", "uint16_t", weights),
        Member("logarithm", "uint32_t", tables.logarithm),
        Member("energy_floor", "uint64_t", tables.energy_floor),
        Member("gain", "int64_t", tables.gain),
        Member("offset", "int64_t", tables.offset),
        Member("level_at", "uint32_t", place.level),
        Member("past_at", "uint32_t", place.past),
        Member("scratch_at", "uint32_t", place.scratch),
    ]


@structure.register
def _cochlea(encoder: IntegerCochlea, place: Place) -> tuple[str, list[Member]]:
    tables = encoder.tables()
    numbers = (
        "gain", "offset", "half_point", "half_g", "half_y", "reprocessed", "settled", "mean", "kept", "w_kept", "w_gain", "fired",
        "keep_current", "keep_membrane", "charge", "start_q", "start_c", "start_w",
    )  # fmt: skip
    return "cochlea", [
        Member("seed", "uint64_t", encoder.seed),
        Member("grow", "int64_t", tables.grow),
        Member("refill", "int64_t", tables.refill),
        *(Member(name, "int32_t", getattr(tables, name)) for name in ("drive", "near", "far")),
        *(Member(name, "uint32_t", getattr(tables, name)) for name in ("keep", "floor", "ramp")),
        *(Member(name, "int32_t", getattr(tables, name)) for name in numbers),
        Member("ear_at", "uint32_t", place.ear),
        Member("cells", "uint16_t", encoder.cells),
        Member("group", "uint16_t", encoder.group),
        Member("pause", "uint8_t", tables.pause),
    ]


def filter_bands(tables: MelTables) -> tuple[Ints, Ints, Ints]:
    """First bins, lengths and weights of the mel filters, without the zeros around them."""
    used = [np.flatnonzero(column) for column in tables.filters.T]
    starts = np.array([bins[0] if len(bins) else 0 for bins in used], np.int64)
    lengths = np.array([bins[-1] - bins[0] + 1 if len(bins) else 0 for bins in used], np.int64)
    weights = [column[start : start + length] for column, start, length in zip(tables.filters.T, starts, lengths, strict=True)]
    joined = np.concatenate(weights)
    return starts, lengths, joined if len(joined) else np.zeros(1, np.int64)


def ear_bytes(encoder: IntegerCochlea) -> int:
    """Bytes of the state of a cochlea: 13 numbers of 32 bits for each cell, two bytes, and one for each sample of the refractory period."""
    return _EAR + encoder.cells * (4 * 13 + 2 + encoder.tables().pause - 1)
