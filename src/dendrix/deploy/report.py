"""Sizes and costs of an exported network."""

from dataclasses import dataclass

from ..exits.rules.integer_probability import POWERS
from .c_layout import memory_of
from .c_source import filter_bands, is_packed, layer_tables
from .deployed import Deployed, rule_bounds

_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4}


@dataclass(frozen=True)
class Sizes:
    """Bytes of an exported network, without the code of the engine."""

    tables: int
    """Constants, in flash."""
    memory: int
    """Memory of one stream, in RAM, without the stack."""


def sizes(deployed: Deployed) -> Sizes:
    """Count the bytes of the tables and of the memory of a stream."""
    layers = deployed.network.layers()
    tables = 4 * len(POWERS) + 8 * len([0] if deployed.rule is None else rule_bounds(deployed.rule))
    for index, layer in enumerate(layers):
        made = layer_tables(layer, first=index == 0, packed=is_packed(deployed))
        tables += sum(_BYTES[kind] * len(values) for kind, values in made.values())
    if deployed.encoder is not None:
        mel, (starts, lengths, weights) = deployed.encoder.tables(), filter_bands(deployed.encoder)
        tables += 2 * (len(mel.hann) + len(starts) + len(lengths) + len(weights)) + 4 * (2 * mel.points + len(mel.logarithm))
    return Sizes(tables, memory_of(deployed, layers).size)
