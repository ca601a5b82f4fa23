"""Conversion of trained networks to spiking ones, with an audit of every part and comparisons with the original."""

from .audit import Audit, Entry
from .calibration import calibrate, clip
from .comparison import Comparison, LayerError, compare
from .conversion import Conversion, convert
from .max_pool import SpikingMaxPool
from .network import SpikingNetwork
from .parts import MaxPool, NeuronKind

__all__ = [
    "Audit",
    "Comparison",
    "Conversion",
    "Entry",
    "LayerError",
    "MaxPool",
    "NeuronKind",
    "SpikingMaxPool",
    "SpikingNetwork",
    "calibrate",
    "clip",
    "compare",
    "convert",
]
