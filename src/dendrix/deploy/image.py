"""Tables of a network as one file that the engine for WebAssembly loads: its structures as they lie in 32-bit memory.

Little-endian. An image begins with the magic number "DXN1", the offset of the network, and the offset and the length of a description in
JSON. Pointers are offsets from the start of the image, and 0 for none; the engine turns them into addresses.
"""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..exits.rules.integer_probability import FACTORS
from .answering import Answering, rule_bounds
from .c_layout import LayerPlace, Memory, is_packed, memory_of
from .c_source import layer_tables, rule_number
from .deployed import Deployed
from .front_end import Member, structure
from .integer_layer import IntegerLayer
from .layout import LayerForm

_DTYPES = {
    "int8_t": "<i1", "uint8_t": "<u1", "int16_t": "<i2", "uint16_t": "<u2", "int32_t": "<i4", "uint32_t": "<u4", "uint64_t": "<u8",
    "int64_t": "<i8",
}  # fmt: skip
_LAYER = struct.Struct("<6H8B" + "12I" + "5I")
_MODEL = struct.Struct("<4I")
_MODEL_END = struct.Struct("<6I5HBx")
_DECISION = struct.Struct("<6IH2B")
_FRONTS = ("mel", "cochlea")
_KINDS = ("lif", "cuba", "adlif", "li")
_ACCUMULATIONS = ("sum", "mean", "last", "max")
_RULES = ("DX_NEVER", "DX_PROBABILITY", "DX_PATIENCE", "DX_STEPS", "DX_MARGIN")


class Image:
    """Bytes that grow by arrays and structures."""

    def __init__(self) -> None:
        self.content = bytearray(16)

    def add(self, data: bytes) -> int:
        """Append at a multiple of 8; returns the offset."""
        self.content += bytes(-len(self.content) % 8)
        offset = len(self.content)
        self.content += data
        return offset

    def array(self, kind: str, values: Any) -> int:
        return self.add(np.asarray(values).astype(_DTYPES[kind]).tobytes())

    def finished(self, magic: bytes, start: int, about: dict[str, Any]) -> bytes:
        """The whole image, whose description is added as JSON."""
        text = json.dumps(about).encode()
        struct.pack_into("<4s3I", self.content, 0, magic, start, self.add(text), len(text))
        return bytes(self.content)

    def decision(self, deployed: Answering) -> bytes:
        """Append the tables of a decision; returns the structure that points to them."""
        rule = deployed.rule
        bounds = [0] if rule is None else rule_bounds(rule)
        tables = self.array("uint64_t", np.array(bounds, dtype=np.uint64)), self.array("uint32_t", FACTORS)
        numbers = deployed.probability.constant, 1 if rule is None else rule.min_steps, len(bounds), deployed.abstained
        kinds = len(deployed.labels), _ACCUMULATIONS.index(deployed.decision.accumulation), _RULES.index(rule_number(deployed))
        return _DECISION.pack(*tables, *numbers, *kinds)


def image(deployed: Deployed) -> bytes:
    """The tables of a network.

    Args:
        deployed: the network.
    """
    found = Image()
    return found.finished(b"DXN1", add_network(found, deployed), description(deployed))


def add_network(found: Image, deployed: Deployed) -> int:
    """Append the tables of a network to an image; returns the offset of its structure."""
    layers = deployed.network.layers()
    memory = memory_of(deployed, layers, spikes=True)
    packed = is_packed(deployed)
    rows = [
        _layer(found, layer, place, 0 if index else memory.block, packed)
        for index, (layer, place) in enumerate(zip(layers, memory.layers, strict=True))
    ]
    fronts = dict.fromkeys(_FRONTS, 0)
    if deployed.encoder is not None:
        name, members = structure(deployed.encoder, memory.front)
        fronts[name] = found.add(structure_of(found, members))
    return found.add(_model(found, deployed, memory, found.add(b"".join(rows)), fronts))


def description(deployed: Deployed) -> dict[str, Any]:
    """What a program must know to use a network: labels, rate of samples or channels of frames, length of a step."""
    encoder = deployed.encoder
    return {
        "labels": list(deployed.labels),
        "rate": encoder.rate if encoder else 0,
        "channels": deployed.network.inputs.channels,
        "values_per_step": deployed.step,
        "dt_ms": deployed.dt_ms,
        "tail_steps": deployed.tail,
        "frame_shift": deployed.network.inputs.shift,
        "layers": [_form(form) for form in deployed.network.forms],
        "packed": is_packed(deployed),
        "block": memory_of(deployed, deployed.network.layers()).block,
    }


def _form(form: LayerForm) -> dict[str, Any]:
    """Kind and sizes of a layer."""
    return {name: getattr(form, name) for name in ("kind", "inputs", "outputs", "synapses", "taps")}


def _layer(found: Image, layer: IntegerLayer, place: LayerPlace, block: int, packed: bool) -> bytes:
    form = layer.form
    tables = {name: found.array(*table) for name, table in layer_tables(layer, block, packed).items()}
    names = (
        "weight", "feedback_weight", "delay", "feedback_delay", "decay", "slow_decay",
        "bias", "threshold", "reset", "start", "coupling", "jump",
    )  # fmt: skip
    sizes = form.inputs, form.outputs, form.taps, form.synapses, form.feedback_taps, form.feedback_synapses
    flags = _KINDS.index(form.kind), form.soft, form.shift, form.feedback_shift, packed, place.wide, place.feedback_wide, place.bounded
    places = place.membrane, place.slow, place.pending, place.feedback, place.fired
    return _LAYER.pack(*sizes, *map(int, flags), *(tables.get(name, 0) for name in names), *places)


def structure_of(found: Image, members: Sequence[Member]) -> bytes:
    """Members as a structure in 32-bit memory, each at a multiple of its size."""
    packed = bytearray()
    for one in members:
        kind = "<u4" if one.is_table else _DTYPES[one.kind]
        value = np.array([found.array(one.kind, one.value) if one.is_table else one.value], kind).tobytes()
        packed += bytes(-len(packed) % len(value)) + value
    return bytes(packed)


def _model(found: Image, deployed: Deployed, memory: Memory, layers: int, fronts: dict[str, int]) -> bytes:
    network, encoder = deployed.network, deployed.encoder
    rate, hop = (0, 0) if encoder is None else (encoder.rate, encoder.hop)
    places = memory.size, memory.history, memory.frame, memory.total, memory.streak, rate
    counts = len(network.forms), network.inputs.channels, deployed.tail, memory.block, hop, int(network.inputs.bits == 16)
    return _MODEL.pack(layers, *fronts.values(), 0) + found.decision(deployed) + _MODEL_END.pack(*places, *counts)
