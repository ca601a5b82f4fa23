"""Neurons, one file each: a NamedTuple state, a pure step, a small module. Equations stand in the steps."""

from .adlif import AdLIF
from .base import Decay, Neuron
from .cuba import CubaLIF
from .integrate import IF
from .li import LI
from .lif import LIF
from .nir import NIRNeuron
from .plif import PLIF
from .signed import SignedIF

__all__ = ["IF", "LI", "LIF", "PLIF", "AdLIF", "CubaLIF", "Decay", "NIRNeuron", "Neuron", "SignedIF"]
