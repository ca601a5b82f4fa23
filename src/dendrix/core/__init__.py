"""Time, state and kernels: what every neuron, layer and model stands on. Imports torch only."""

from .evidence import accumulate as accumulate
from .expect import expect as expect
from .expect import expect_finite as expect_finite
from .expect import expect_one_of as expect_one_of
from .expect import expect_valid as expect_valid
from .kernels import KERNELS as KERNELS
from .kernels import Kernel as Kernel
from .kernels import chosen_kernels as chosen_kernels
from .kernels import find_kernel as find_kernel
from .kernels import kernel as kernel
from .kernels import record_choice as record_choice
from .kernels import use_kernels as use_kernels
from .scan import Rule as Rule
from .scan import scan as scan
from .state import State as State
from .state import cat as cat
from .state import detach as detach
from .state import map_state as map_state
from .state import rows as rows
from .state import select as select
from .stateful import Stateful as Stateful
from .surrogate import ATan as ATan
from .surrogate import Boxcar as Boxcar
from .surrogate import Sigmoid as Sigmoid
from .surrogate import Surrogate as Surrogate
from .surrogate import Triangle as Triangle
