"""Layers in which few of the pairs of neurons are connected, for networks too large for a weight per pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Floats, Population, Synapses


@dataclass(frozen=True)
class SparseSynapses:
    """Weighted connections with delays, listed by input."""

    starts: NDArray[np.int64]
    """Where the synapses of each input start, and the number of all, [inputs + 1]."""
    target: NDArray[np.integer[Any]]
    """Neuron that a synapse feeds, [N]."""
    weight: NDArray[np.floating[Any]]
    """[N]"""
    delay: NDArray[np.integer[Any]]
    """In whole steps, 0 to `taps` - 1, [N]."""
    taps: int

    @property
    def inputs(self) -> int:
        """Number of neurons or channels that they start from."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class SparseLayer:
    """As `Layer`, with synapses of either kind."""

    synapses: SparseSynapses | Synapses
    bias: Floats
    neurons: Population
    feedback: SparseSynapses | Synapses | None = None
