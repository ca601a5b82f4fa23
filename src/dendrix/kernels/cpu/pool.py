"""A few threads of our own for loops that release the GIL. numba's `prange` would bring an OpenMP that dies in forked workers."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch

_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    global _pool
    _pool = None


# The threads of the parent do not exist in a forked child (a DataLoader's worker).
os.register_at_fork(after_in_child=_forget)


def in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call `work(first, last)` on even parts of range(count), one per torch thread, and wait for all."""
    global _pool
    threads = min(torch.get_num_threads(), count)
    bounds = [count * i // threads for i in range(threads + 1)]
    if threads == 1:
        return work(0, count)
    if _pool is None or _pool._max_workers < threads - 1:
        _pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="dendrix")
    others = [_pool.submit(work, *part) for part in pairwise(bounds[1:])]
    work(*bounds[:2])
    for other in others:
        other.result()
    return None
