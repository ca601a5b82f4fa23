"""Time, state and kernels: what every neuron, layer and model stands on. Imports torch only."""

from ..checks import SEEDS, expect_count, expect_fields, expect_in, expect_one_of
from .dispatch import KERNELS, Kernel, chosen_kernels, find_kernel, kernel, record_choice, too_small, use_kernels
from .evidence import ACCUMULATIONS, Evidence, accumulate, accumulate_step
from .expect import expect, expect_finite, expect_floating, expect_state, expect_valid
from .scan import StepFn, scan, zero_invalid
from .state import State, cat, detach, leaves, map_state, rows, select
from .stateful import Stateful
from .surrogate import ATan, Boxcar, Sigmoid, Surrogate, Triangle

__all__ = [
    "ACCUMULATIONS",
    "KERNELS",
    "SEEDS",
    "ATan",
    "Boxcar",
    "Evidence",
    "Kernel",
    "Sigmoid",
    "State",
    "Stateful",
    "StepFn",
    "Surrogate",
    "Triangle",
    "accumulate",
    "accumulate_step",
    "cat",
    "chosen_kernels",
    "detach",
    "expect",
    "expect_count",
    "expect_fields",
    "expect_finite",
    "expect_floating",
    "expect_in",
    "expect_one_of",
    "expect_state",
    "expect_valid",
    "find_kernel",
    "kernel",
    "leaves",
    "map_state",
    "record_choice",
    "rows",
    "scan",
    "select",
    "too_small",
    "use_kernels",
    "zero_invalid",
]
