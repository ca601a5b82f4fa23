"""Fast kernels. Importing this package fills the kernel table; numba and Triton themselves load at the first use."""

from . import cpu as cpu
from . import fused as fused
from . import token_mix as token_mix
from . import triton as triton
from . import wkv as wkv
