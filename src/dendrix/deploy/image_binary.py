"""Tables of an image network as one file that its engine for WebAssembly loads: structures as they lie in 32-bit memory.

As `image.image` of delay networks, with the magic number "DXI1".
"""

import json
import struct
from typing import Any

from ..lowering.stage_forms import EdgeForm
from .image import Image
from .image_c_source import source_of, stage_tables
from .image_deployed import DeployedImage
from .image_layout import EDGES, KINDS, Stage
from .image_memory import ImageMemory, StagePlace, image_memory

_EDGE = struct.Struct("<3I10H2B2x")
_STAGE = struct.Struct("<7I5HBx")
_MODEL, _MODEL_END = struct.Struct("<3I"), struct.Struct("<6I4H")


def image_binary(deployed: DeployedImage) -> bytes:
    """The tables of a network.

    Args:
        deployed: the network.
    """
    found, network, memory = Image(), deployed.network, image_memory(deployed.network)
    rows = [_stage(found, deployed, memory, stage, place) for stage, place in zip(network.stages(), memory.stages, strict=True)]
    pointers = found.add(b"".join(rows)), 0, found.array("uint8_t", network.centre)
    height, width, channels = network.image
    places = memory.size, memory.total, memory.streak, memory.current, memory.image, network.presented
    decision = found.decision(deployed)
    model = found.add(_MODEL.pack(*pointers) + decision + _MODEL_END.pack(*places, len(rows), height, width, channels))
    text = json.dumps(image_description(deployed)).encode()
    struct.pack_into("<4s3I", found.content, 0, b"DXI1", model, found.add(text), len(text))
    return bytes(found.content)


def image_description(deployed: DeployedImage) -> dict[str, Any]:
    """What a program must know to use a network: labels, size of the image, number of steps."""
    height, width, channels = deployed.network.image
    about: dict[str, Any] = {"labels": list(deployed.labels), "rate": 0, "channels": channels, "values_per_step": deployed.step}
    return about | {"bytes": True, "height": height, "width": width, "steps": deployed.network.presented}


def _stage(found: Image, deployed: DeployedImage, memory: ImageMemory, stage: Stage, place: StagePlace) -> bytes:
    form = stage.form
    tables = {name: found.array(*table) for name, table in stage_tables(stage).items()}
    edges = [_edge(deployed, memory, edge, tables.get(f"weight{number}", 0)) for number, edge in enumerate(form.edges)]
    pointers = found.add(b"".join(edges)), *(tables.get(name, 0) for name in ("bias", "threshold", "start"))
    kind = KINDS.index(form.kind)
    return _STAGE.pack(*pointers, place.map, place.membrane, place.sent, *form.shape, form.limit, len(form.edges), kind)


def _edge(deployed: DeployedImage, memory: ImageMemory, edge: EdgeForm, table: int) -> bytes:
    at, shape = source_of(deployed, memory, edge)
    gain = edge.kind == "gain"
    sizes = *shape, *edge.kernel, *edge.stride, *edge.padding, edge.groups
    return _EDGE.pack(0 if gain else table, table if gain else 0, at, *sizes, EDGES.index(edge.kind), edge.shift)
