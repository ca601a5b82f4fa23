"""Thread pool for loops that release the GIL. `prange` of numba is not used because its OpenMP crashes in forked workers."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch

_PARTS = 4
"""Parts per thread. Threads take the next free part: torch's own threads may occupy a core for a while after an operation."""

_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    global _pool
    _pool = None


# The threads of the parent do not exist in a forked child (a DataLoader's worker).
os.register_at_fork(after_in_child=_forget)


def in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call `work(first, last)` on parts of range(count), in as many threads as torch uses, and wait until all is done."""
    global _pool
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        return work(0, count)
    if _pool is None or _pool._max_workers < threads - 1:
        _pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="dendrix")
    parts = min(count, threads * _PARTS)
    bounds = [count * i // parts for i in range(parts + 1)]
    left = iter(list(pairwise(bounds)))  # the next of a list's iterator is atomic
    others = [_pool.submit(_take, work, left) for _ in range(threads - 1)]
    _take(work, left)
    for other in others:
        if not other.cancel():  # a thread that has not started has nothing left to do
            other.result()
    return None


def _take(work: Callable[[int, int], None], left: Iterator[tuple[int, int]]) -> None:
    for first, last in left:
        work(first, last)
