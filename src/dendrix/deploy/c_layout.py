"""Memory of one stream of the C engine: where each array lies, in bytes."""

import math
from dataclasses import dataclass

import numpy as np

from ..data import IntegerCochlea, IntegerMel
from .bounds import bound
from .deployed import Deployed
from .front_end import Place, ear_bytes
from .integer_layer import IntegerLayer, Ints

HEADER = 32
"""Bytes of the header of a stream, at most."""


@dataclass(frozen=True)
class LayerPlace:
    """Where the state of a layer lies."""

    membrane: int
    slow: int
    pending: int
    feedback: int
    fired: int
    """Spikes of the last step, a bit each; 0 if they are not kept."""
    wide: bool
    """Pending sums have 32 bits, not 16."""
    feedback_wide: bool
    bounded: bool
    """LIF or LI neurons whose membranes stay below 2^30, so that the engine needs no saturation."""


@dataclass(frozen=True)
class Memory:
    """Where everything of a stream lies, in bytes from its start."""

    total: int
    streak: int
    layers: tuple[LayerPlace, ...]
    front: Place
    frame: int
    history: int
    block: int
    """Channels of a block of the history, so that a delay and a channel in it make an offset of 8 bits."""
    size: int


class Cursor:
    """Places arrays one behind the other."""

    def __init__(self) -> None:
        self.at = HEADER

    def take(self, count: int, width: int) -> int:
        self.at = -(-self.at // width) * width
        found, self.at = self.at, self.at + count * width
        return found


def widest(weight: Ints | None) -> int:
    """Largest magnitude of a sum of weights that spikes bring."""
    return 0 if weight is None else int(np.abs(weight).sum((1, 2)).max())


def is_packed(deployed: Deployed) -> bool:
    """Whether a weight and its delay share a byte."""
    fits = all(max(form.taps, form.feedback_taps) <= 16 for form in deployed.network.forms)
    return deployed.network.weight_bits <= 4 and fits


def _block(deployed: Deployed) -> int:
    first = deployed.network.forms[0]
    blocks = math.ceil(first.inputs / (256 // first.taps))
    return 1 if is_packed(deployed) else math.ceil(first.inputs / blocks)


def _is_bounded(layer: IntegerLayer, largest: int) -> bool:
    return layer.form.kind in ("lif", "li") and bound(layer, largest).membrane < 2**30


def memory_of(deployed: Deployed, layers: list[IntegerLayer], spikes: bool = False) -> Memory:
    """Lay out the memory of a stream: wide numbers first, so that none is padded.

    The first layer keeps its input instead of pending sums. `spikes` keeps those of the last step.
    """
    cursor, classes = Cursor(), layers[-1].form.outputs
    total = cursor.take(classes, 8)
    streak = cursor.take(2, 4)
    fixed = []
    for layer in layers:
        membrane = cursor.take(layer.form.outputs, 4)
        fixed.append((membrane, cursor.take(layer.form.outputs, 4) if layer.form.kind in ("cuba", "adlif") else membrane))
    encoder = deployed.encoder
    mel = encoder if isinstance(encoder, IntegerMel) else None
    ear = cursor.take(math.ceil(ear_bytes(encoder) / 8), 8) if isinstance(encoder, IntegerCochlea) else 0
    level = cursor.take(1 if mel else 0, 4)
    scratch = cursor.take(2 * mel.tables().points + 2 if mel else 0, 4)
    rings: dict[tuple[int, str], tuple[int, bool]] = {}
    sized = []
    for index, layer in enumerate(layers):
        form = layer.form
        sized.append((index, "pending", 0 if index == 0 else form.taps * form.outputs, widest(layer.weight)))
        rows = form.feedback_taps + 1 if form.feedback_synapses else 0
        sized.append((index, "feedback", rows * form.outputs, widest(layer.feedback_weight)))
    for wide in (True, False):
        for index, name, count, largest in sized:
            if (largest >= 2**15) == wide:
                rings[index, name] = cursor.take(count, 4 if wide else 2), wide
    # A frame of the front end takes the place of its spectrum, which is used up by then.
    frame = scratch if mel else cursor.take(deployed.network.inputs.channels, 2)
    past = cursor.take(mel.window if mel else 0, 2)
    first, block = layers[0].form, _block(deployed)
    history = cursor.take(2 * first.taps * block * math.ceil(first.inputs / block), deployed.network.inputs.bits // 8)
    fired = [cursor.take(math.ceil(layer.form.outputs / 8), 1) if spikes else 0 for layer in layers]
    places = []
    for index, layer in enumerate(layers):
        (pending, wide), (feedback, feedback_wide) = rings[index, "pending"], rings[index, "feedback"]
        bounded = _is_bounded(layer, 1 if index else -deployed.network.inputs.low)
        places.append(LayerPlace(*fixed[index], pending, feedback, fired[index], wide, feedback_wide, bounded))
    front = Place(level, scratch, past, ear)
    return Memory(total, streak, tuple(places), front, frame, history, block, math.ceil(cursor.at / 8) * 8)
