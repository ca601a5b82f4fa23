"""Stages of maps in float64, and the maps and sums from which they are read.

Map 0 is the input and map k + 1 the output of stage k; maps are [H, W, C].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pair = tuple[int, int]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class EdgeForm:
    """Connections of a stage from an earlier map. A linear layer is a convolution with a kernel as large as its input."""

    source: int
    """Number of the map."""
    kind: str = "conv"
    """"conv", "gain" (one factor per channel), "pool" (sums over windows) or "max" (largest value of a window)."""
    kernel: Pair = (1, 1)
    """Height and width, as of all pairs."""
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    shift: int = 0
    """A weight times a value counts 2^shift units of the membrane, in integer networks."""


@dataclass(frozen=True)
class FloatEdge:
    """Connections from a map, in units of the membrane of the float network."""

    form: EdgeForm
    weight: Floats
    """Of a convolution [in, kernel height, kernel width, out / groups], of a gain [channels], of a pool [0]."""


@dataclass(frozen=True)
class FloatStage:
    """Edges into neurons, a pool or the outputs, with numbers of the float network. Parameters of neurons are per channel."""

    path: str
    kind: str
    """"signed" and "if" (soft reset) for neurons of converted networks, "lif" and "li" for others, "pool", or "out" for the outputs."""
    shape: Shape
    """Height, width and channels of its map: spikes -1, 0 and 1, except of "li", "pool" and "out"."""
    edges: tuple[FloatEdge, ...]
    bias: Floats
    threshold: Floats
    start: Floats
    limit: int = 0
    """Signed neurons: largest number of spikes that are not cancelled; 0 for no limit."""
    decay: Floats | None = None
    """None for 1."""
    reset: Floats | None = None
    """Membrane after a spike; None subtracts the threshold."""


@dataclass(frozen=True)
class Map:
    """Activations: values of a map, x scale + offset per channel."""

    number: int
    shape: Shape
    scale: Floats
    offset: Floats
    flat: bool = False


@dataclass(frozen=True)
class Sum:
    """Weighted inputs of neurons before they arrive, or outputs."""

    shape: Shape
    edges: tuple[FloatEdge, ...]
    bias: Floats


@dataclass(frozen=True)
class Lowered:
    """A converted network in float64, with the part before its first neurons."""

    image: Shape
    """Height, width and channels."""
    centre: tuple[int, ...]
    """Byte that is subtracted from the pixels of each channel; zero afterwards is the zero of the padding, rounded to a byte."""
    stages: tuple[FloatStage, ...]
