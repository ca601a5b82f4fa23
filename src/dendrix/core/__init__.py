"""State, time, kernel dispatch and argument checks, used by all neurons, layers and models. Requires only torch."""

from ..checks import (
    SEEDS,
    expect_count,
    expect_counts,
    expect_each,
    expect_fields,
    expect_flag,
    expect_function,
    expect_in,
    expect_instance,
    expect_one_of,
)
from .described import Described
from .dispatch import KERNELS, Kernel, chosen_kernels, find_kernel, kernel, record_choice, too_small, unrecorded, use_kernels
from .evidence import ACCUMULATIONS, Evidence, accumulate, accumulate_step
from .scanning import StepFn, scan, zero_invalid
from .shapes import (
    expect,
    expect_dtype,
    expect_finite,
    expect_floating,
    expect_module,
    expect_state,
    expect_valid,
    expect_weights,
    weights_trouble,
)
from .state import State, cat, detach, leaves, map_state, rows, select
from .stateful import Stateful
from .surrogate import ATan, Boxcar, Sigmoid, Surrogate, Triangle

__all__ = [
    "ACCUMULATIONS",
    "KERNELS",
    "SEEDS",
    "ATan",
    "Boxcar",
    "Described",
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
    "expect_counts",
    "expect_dtype",
    "expect_each",
    "expect_fields",
    "expect_finite",
    "expect_flag",
    "expect_floating",
    "expect_function",
    "expect_in",
    "expect_instance",
    "expect_module",
    "expect_one_of",
    "expect_state",
    "expect_valid",
    "expect_weights",
    "find_kernel",
    "kernel",
    "leaves",
    "map_state",
    "record_choice",
    "rows",
    "scan",
    "select",
    "too_small",
    "unrecorded",
    "use_kernels",
    "weights_trouble",
    "zero_invalid",
]
