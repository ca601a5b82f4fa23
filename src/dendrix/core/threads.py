"""Threads for loops that release the GIL: torch's own where they can be used, else a pool.

torch's OpenMP threads keep a core busy for a while after each operation, in case another one follows. Threads beside them would wait for
that core, so the loops run in the same team. `prange` of numba is not used because its OpenMP crashes in forked workers.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import get_ident
from typing import Any

import torch

_PARTS = 4
"""Parts per thread. Threads take the next free part, because another process may take a core for a while."""

_pool: ThreadPoolExecutor | None = None
_forked = False
_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _forget() -> None:
    global _pool, _forked
    _pool, _forked = None, True


# The threads of the parent, OpenMP's included, do not exist in a forked child (a DataLoader's worker).
os.register_at_fork(after_in_child=_forget)


def in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call `work(first, last)` on parts of range(count), in as many threads as torch uses, and wait until all is done."""
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        return work(0, count)
    parts = min(count, threads * _PARTS)
    bounds = [count * i // parts for i in range(parts + 1)]
    left = iter(list(pairwise(bounds)))  # the next of a list's iterator is atomic
    team = None if _forked else _team()
    return _in_pool(work, left, threads) if team is None else _in_team(team, work, left, threads)


@cache
def _team() -> Any:
    """The function that runs a callback in the OpenMP threads that torch is linked to; None if its OpenMP is not GNU's or compatible."""
    try:
        run = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")).GOMP_parallel
    except (OSError, AttributeError):
        return None
    run.argtypes, run.restype = [_Callback, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return run


def _in_team(team: Any, work: Callable[[int, int], None], left: Iterator[tuple[int, int]], threads: int) -> None:
    errors: list[BaseException] = []
    caller, ended = get_ident(), False

    def run(_: int | None) -> None:
        nonlocal ended
        try:
            _take(work, left)
        except BaseException as error:  # nothing may leave a callback, an interrupt by the user included
            errors.append(error)
        if get_ident() == caller:
            ended = True  # no call behind it, because Python handles signals there

    team(_Callback(run), None, threads, 0)
    if errors:
        raise errors[0]
    if not ended:  # a signal came outside of `try`, where ctypes drops the exception of its handler
        raise KeyboardInterrupt


def _in_pool(work: Callable[[int, int], None], left: Iterator[tuple[int, int]], threads: int) -> None:
    global _pool
    if _pool is None or _pool._max_workers < threads - 1:
        _pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="dendrix")
    others = [_pool.submit(_take, work, left) for _ in range(threads - 1)]
    _take(work, left)
    for other in others:
        if not other.cancel():  # a thread that has not started has nothing left to do
            other.result()


def _take(work: Callable[[int, int], None], left: Iterator[tuple[int, int]]) -> None:
    for first, last in left:
        work(first, last)
