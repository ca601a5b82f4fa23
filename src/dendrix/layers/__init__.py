"""Layers over time, one concept per file."""

from .active_dendrites import ActiveDendrites as ActiveDendrites
from .clipped_relu import ClippedReLU as ClippedReLU
from .dcls import load_dcls as load_dcls
from .delay import DelayLinear as DelayLinear
from .delay import delay_conv as delay_conv
from .delay import delay_kernel as delay_kernel
from .delay import delay_layers as delay_layers
from .delay_training import anneal as anneal
from .delay_training import clamp_delays as clamp_delays
from .delay_training import freeze as freeze
from .delay_training import param_groups as param_groups
from .delay_training import rounded as rounded
from .k_winners import KWinners as KWinners
from .lsq import LSQ as LSQ
from .match import MatchTheory as MatchTheory
from .per_step import BatchNorm as BatchNorm
from .per_step import HeldDropout as HeldDropout
from .per_step import PerStep as PerStep
from .qcfs import QCFS as QCFS
from .recurrent import Recurrent as Recurrent
from .recurrent_delay import RecurrentDelay as RecurrentDelay
from .segments import DendriticSegments as DendriticSegments
from .sequential import Sequential as Sequential
from .sparse import SparseLinear as SparseLinear
