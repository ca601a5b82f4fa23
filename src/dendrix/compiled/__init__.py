"""Just-in-time compilation of loops over numpy arrays with numba."""

import contextlib
import functools
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["cache_folder", "cached_jit", "compiled", "watched_compilation"]

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


def cached_jit(loop: Callable[..., Any], fastmath: Any, inlined: bool = False, borrows: bool = False) -> Any:
    """Compile a loop with numba in nopython mode, without the interpreter lock, and with a cache on disk if possible.

    A part of other loops may leave the references to arrays to its caller (`borrows`): to count one takes as long as adding hundreds of
    numbers. It must not make arrays other than slices. It may also be compiled into its callers in any case (`inlined`), and then
    borrows and makes no slices either.

    The cache needs a writable home, which containers may lack; a disk may also be full, or the cache damaged. In these cases, the loop is
    compiled for this process only, with one warning.

    Raises:
        KernelError: parts of numba's compiler that are used here are missing in this version.
    """
    import numba

    try:
        from .pipeline import Part, Whole
        from .store import Store
    except (AttributeError, ImportError) as error:  # names inside of numba, which other versions may not have
        from ..errors import KernelError

        raise KernelError(
            f"numba: expected version 0.61 to 0.68, with whose compiler loops are built, got {numba.__version__} ({error}). Install it."
        ) from error

    options: dict[str, Any] = dict(
        nogil=True,
        error_model="numpy",
        fastmath=fastmath,
        no_cfunc_wrapper=True,
        **({"forceinline": True} if inlined else {}),
        **({"_nrt": False} if inlined or borrows else {}),
    )
    njit: Any = numba.njit
    dispatcher = njit(pipeline_class=Whole, **options)(loop)
    if dispatcher is loop:  # NUMBA_DISABLE_JIT is set
        return loop
    dispatcher._cache = Store(dispatcher, _tell, _say_once)
    part = njit(pipeline_class=Part, no_cpython_wrapper=True, **options)(loop)
    dispatcher.get_call_template, dispatcher.get_overload = part.get_call_template, part.get_overload  # for other compiled loops
    return dispatcher


def _tell(name: str) -> None:
    _log.info("Compiling %s for this machine.", name)
    for listener in _listeners:
        listener(name)


def cache_folder() -> str | None:
    """Return the folder in which compiled loops are kept, or None if it cannot be written."""
    from .store import kernel_folder

    try:
        folder = kernel_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return str(folder)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None


@functools.cache
def _say_once() -> None:
    warnings.warn(
        "Compiled kernels cannot be kept on disk, so each process compiles its own. Set DENDRIX_CACHE to a writable folder.",
        stacklevel=3,
    )
