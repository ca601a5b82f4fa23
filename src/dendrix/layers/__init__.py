"""Layers over time, one concept per file."""

from .delay import DelayLinear as DelayLinear
from .delay import delay_kernel as delay_kernel
from .delay import delay_layers as delay_layers
from .delay import freeze as freeze
from .delay import rounded as rounded
from .per_step import BatchNorm as BatchNorm
from .per_step import HeldDropout as HeldDropout
from .per_step import PerStep as PerStep
from .recurrent import Recurrent as Recurrent
from .sequential import Sequential as Sequential
