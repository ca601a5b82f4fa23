"""Kernels for the CPU in numba, which is imported at the first use of one."""

from . import decode as decode
from . import delay_conv as delay_conv
from . import delay_gauss as delay_gauss
from . import delay_integer as delay_integer
from . import delay_shift as delay_shift
from . import qcfs as qcfs
from . import rate as rate
