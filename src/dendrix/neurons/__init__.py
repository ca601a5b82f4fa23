"""Neurons, one file each: a NamedTuple state, a pure step, a small module. Equations stand in the steps."""

from .adlif import AdLIF as AdLIF
from .base import Neuron as Neuron
from .cuba import CubaLIF as CubaLIF
from .integrate import IF as IF
from .li import LI as LI
from .lif import LIF as LIF
from .plif import PLIF as PLIF
from .rate import RateIF as RateIF
from .rate import SignedRateIF as SignedRateIF
