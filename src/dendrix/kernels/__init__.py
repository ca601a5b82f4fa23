"""Fast kernels. Importing this package fills the kernel table; numba and Triton themselves load at the first use."""

from . import cpu as cpu
from . import triton as triton
