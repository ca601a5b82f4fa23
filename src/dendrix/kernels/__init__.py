"""Fast kernels, one folder per operation. Importing this package fills the kernel table; numba and Triton are loaded at the first use."""

from .decode import operation as _decode
from .delay import conv as _conv
from .delay import gauss as _gauss
from .delay import integer as _integer
from .delay import shift as _shift
from .local_attention import operation as _local_attention
from .network import operation as _network
from .qcfs import operation as _qcfs
from .rate import operation as _rate
from .scan import nir_operation as _scan_nir
from .scan import operation as _scan
from .token_mix import operation as _token_mix
from .wkv import operation as _wkv
from .wkv import varying_operation as _varying_wkv

__all__: list[str] = []
_REGISTERED = (
    _decode, _conv, _gauss, _integer, _shift, _local_attention, _network, _qcfs, _rate, _scan, _scan_nir, _token_mix, _wkv, _varying_wkv,
)  # fmt: skip
