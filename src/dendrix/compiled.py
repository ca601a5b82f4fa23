"""Just-in-time compilation of loops over numpy arrays with numba."""

import contextlib
import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

_log = logging.getLogger("dendrix")
_listeners: list[Callable[[str], object]] = []


@contextlib.contextmanager
def watched_compilation(listener: Callable[[str], object]) -> Iterator[None]:
    """Call `listener` with the name of each loop that is compiled because the cache on disk does not have it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@functools.cache
def compiled(loop: Callable[..., Any], reorder: bool = True) -> Callable[..., Any]:
    """Compile a loop to machine code that releases the interpreter lock. numba is imported on the first call, which takes 0.4 s.

    Args:
        loop: module-level function of numpy arrays; called uncompiled, it gives the same result slowly.
        reorder: allow the compiler to reorder sums for speed; False rounds in the written order, as plain Python does.
    Returns:
        the compiled function; the same one for the same arguments.
    """
    fastmath = {"reassoc", "contract", "arcp", "nsz"} if reorder else False
    machine: Callable[..., Any] = cached_jit(loop, fastmath)
    return machine


def cached_jit(loop: Callable[..., Any], fastmath: Any, inlined: bool = False) -> Any:
    """Compile a loop with numba in nopython mode, without the interpreter lock, and with a cache on disk if possible.

    A part of other loops (`inlined`) is compiled into them and does not count references to the arrays that it is given, which takes
    as long as adding hundreds of numbers; it must not make arrays, slices included.

    The cache needs a writable home or package folder, which containers may lack; a disk may also be full, or the cache damaged. In these
    cases, the loop is compiled for this process only, with one warning.
    """
    import numba

    options: dict[str, Any] = dict(
        nogil=True, error_model="numpy", fastmath=fastmath, **({"forceinline": True, "_nrt": False} if inlined else {})
    )
    try:
        dispatcher = numba.njit(cache=True, **options)(loop)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        _say_once()
        return numba.njit(**options)(loop)
    cache = dispatcher._cache
    cache.load_overload = functools.partial(_loaded, loop.__name__, cache.load_overload)
    cache.save_overload = functools.partial(_or_nothing, cache.save_overload)
    return dispatcher


def _loaded(name: str, load: Callable[..., Any], *arguments: Any) -> Any:
    found = _or_nothing(load, *arguments)
    if found is None:
        _log.info("Compiling %s for this machine.", name)
        for listener in _listeners:
            listener(name)
    return found


def cache_folder() -> str | None:
    """Return the folder in which compiled loops are kept, or None if there is no writable one."""
    import numba

    try:
        dispatcher: Any = numba.njit(cache=True)(_nothing)
        return str(dispatcher._cache.cache_path)
    except RuntimeError:
        return None


def _nothing() -> None:
    """A loop to find the cache for."""


def _or_nothing(work: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except Exception:  # unpickling a damaged cache may raise anything
        _say_once()
        return None


@functools.cache
def _say_once() -> None:
    warnings.warn(
        "Compiled kernels cannot be kept on disk, so each process compiles its own. Set NUMBA_CACHE_DIR to a writable folder.",
        stacklevel=3,
    )
