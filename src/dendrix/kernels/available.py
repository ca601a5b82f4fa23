"""Availability of numba and Triton, found without importing them."""

import importlib.util

HAS_NUMBA = importlib.util.find_spec("numba") is not None
HAS_TRITON = importlib.util.find_spec("triton") is not None
