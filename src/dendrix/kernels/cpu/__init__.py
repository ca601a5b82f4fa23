"""Kernels for the CPU in numba, which is imported at the first use of one."""

from . import adlif as adlif
from . import cuba as cuba
from . import li as li
from . import lif as lif
