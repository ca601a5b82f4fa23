"""Tools for numba kernels: a thread pool, specialised copies of loops, scalar functions."""
