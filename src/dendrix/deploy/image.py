"""Tables of a network as one file that the engine for WebAssembly loads: its structures as they lie in 32-bit memory.

Little-endian. An image begins with the magic number "DXN1", the offset of the network, and the offset and the length of a description in
JSON. Pointers are offsets from the start of the image, and 0 for none; the engine turns them into addresses.
"""

import json
import struct
from typing import Any

import numpy as np

from ..data.speech.integer_mel import IntegerMel
from ..exits.rules.integer_probability import FACTORS
from .answering import Answering, rule_bounds
from .c_layout import LayerPlace, Memory, is_packed, memory_of
from .c_source import filter_bands, layer_tables, quarter, rule_number
from .deployed import Deployed
from .integer_layer import IntegerLayer

_DTYPES = {
    "int8_t": "<i1", "uint8_t": "<u1", "int16_t": "<i2", "uint16_t": "<u2", "int32_t": "<i4", "uint32_t": "<u4", "uint64_t": "<u8",
}  # fmt: skip
_LAYER = struct.Struct("<6H8B" + "12I" + "4I")
_MEL = struct.Struct("<3I4H2B2x6IQqqIII4x")
_MODEL = struct.Struct("<3I")
_MODEL_END = struct.Struct("<5I4HB3x")
_DECISION = struct.Struct("<6IH2B")
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
    found, layers = Image(), deployed.network.layers()
    memory = memory_of(deployed, layers)
    packed = is_packed(deployed)
    rows = [
        _layer(found, layer, place, 0 if index else memory.block, packed)
        for index, (layer, place) in enumerate(zip(layers, memory.layers, strict=True))
    ]
    mel = 0 if deployed.encoder is None else found.add(_mel(found, deployed.encoder, memory))
    model = found.add(_model(found, deployed, memory, found.add(b"".join(rows)), mel))
    text = json.dumps(description(deployed)).encode()
    struct.pack_into("<4s3I", found.content, 0, b"DXN1", model, found.add(text), len(text))
    return bytes(found.content)


def description(deployed: Deployed) -> dict[str, Any]:
    """What a program must know to use a network: labels, rate of samples or channels of frames, length of a step."""
    mel = deployed.encoder
    return {
        "labels": list(deployed.labels),
        "rate": mel.rate if mel else 0,
        "channels": deployed.network.inputs.channels,
        "values_per_step": deployed.step,
        "dt_ms": deployed.dt_ms,
        "tail_steps": deployed.tail,
        "frame_shift": deployed.network.inputs.shift,
    }


def _layer(found: Image, layer: IntegerLayer, place: LayerPlace, block: int, packed: bool) -> bytes:
    form = layer.form
    tables = {name: found.array(*table) for name, table in layer_tables(layer, block, packed).items()}
    names = (
        "weight", "feedback_weight", "delay", "feedback_delay", "decay", "slow_decay",
        "bias", "threshold", "reset", "start", "coupling", "jump",
    )  # fmt: skip
    sizes = form.inputs, form.outputs, form.taps, form.synapses, form.feedback_taps, form.feedback_synapses
    flags = _KINDS.index(form.kind), form.soft, form.shift, form.feedback_shift, packed, place.wide, place.feedback_wide, place.bounded
    places = place.membrane, place.slow, place.pending, place.feedback
    return _LAYER.pack(*sizes, *map(int, flags), *(tables.get(name, 0) for name in names), *places)


def _mel(found: Image, mel: IntegerMel, memory: Memory) -> bytes:
    tables = mel.tables()
    starts, lengths, weights = filter_bands(mel)
    arrays = [
        found.array("int16_t", tables.hann[: mel.window // 2 + 1]),
        found.array("int32_t", quarter(tables)),
        found.array("uint16_t", starts),
        found.array("uint16_t", lengths),
        found.array("uint16_t", weights),
        found.array("uint32_t", tables.logarithm),
    ]
    sizes = mel.rate, tables.keep, tables.floor, mel.hop, mel.window, tables.points, mel.n_mels, int(mel.centred), mel.shift
    return _MEL.pack(*sizes, *arrays, tables.energy_floor, tables.gain, tables.offset, memory.level, memory.past, memory.scratch)


def _model(found: Image, deployed: Deployed, memory: Memory, layers: int, mel: int) -> bytes:
    network = deployed.network
    places = memory.size, memory.history, memory.frame, memory.total, memory.streak
    counts = len(network.forms), network.inputs.channels, deployed.tail, memory.block, int(network.inputs.bits == 16)
    return _MODEL.pack(layers, mel, 0) + found.decision(deployed) + _MODEL_END.pack(*places, *counts)
