"""Neuron layers. Each file has a state (NamedTuple), a pure step function with the equations, and a module."""

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
