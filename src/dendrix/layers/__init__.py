"""Layers over time, one concept per file."""

from .activations.clipped_relu import ClippedReLU as ClippedReLU
from .activations.lsq import LSQ as LSQ
from .activations.qcfs import QCFS as QCFS
from .delay.base import delay_layers as delay_layers
from .delay.dcls import load_dcls as load_dcls
from .delay.linear import DelayLinear as DelayLinear
from .delay.linear import delay_conv as delay_conv
from .delay.linear import delay_kernel as delay_kernel
from .delay.recurrent import RecurrentDelay as RecurrentDelay
from .delay.training import anneal as anneal
from .delay.training import clamp_delays as clamp_delays
from .delay.training import freeze as freeze
from .delay.training import param_groups as param_groups
from .delay.training import rounded as rounded
from .dendrites.active import ActiveDendrites as ActiveDendrites
from .dendrites.segments import DendriticSegments as DendriticSegments
from .dendrites.theory import MatchTheory as MatchTheory
from .k_winners import KWinners as KWinners
from .per_step import BatchNorm as BatchNorm
from .per_step import HeldDropout as HeldDropout
from .per_step import PerStep as PerStep
from .recurrent import Recurrent as Recurrent
from .sequential import Sequential as Sequential
from .sparse import SparseLinear as SparseLinear
