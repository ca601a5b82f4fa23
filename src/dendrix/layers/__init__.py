"""Layers over time: synapses with delays, recurrence, dendrites, k winners, normalisation and activations."""

from .activations.clipped_relu import ClippedReLU
from .activations.lsq import LSQ
from .activations.qcfs import QCFS
from .delay.base import delay_layers
from .delay.dcls import load_dcls
from .delay.linear import DelayLinear, delay_conv, delay_kernel
from .delay.recurrent import RecurrentDelay
from .delay.training import anneal, clamp_delays, freeze, param_groups, rounded
from .dendrites.active import ActiveDendrites
from .dendrites.segments import DendriticSegments
from .dendrites.theory import MatchTheory
from .k_winners import KWinners
from .per_step import BatchNorm, HeldDropout, PerStep
from .recurrent import Recurrent
from .sequential import Sequential
from .sparse import SparseLinear

__all__ = [
    "LSQ",
    "QCFS",
    "ActiveDendrites",
    "BatchNorm",
    "ClippedReLU",
    "DelayLinear",
    "DendriticSegments",
    "HeldDropout",
    "KWinners",
    "MatchTheory",
    "PerStep",
    "Recurrent",
    "RecurrentDelay",
    "Sequential",
    "SparseLinear",
    "anneal",
    "clamp_delays",
    "delay_conv",
    "delay_kernel",
    "delay_layers",
    "freeze",
    "load_dcls",
    "param_groups",
    "rounded",
]
