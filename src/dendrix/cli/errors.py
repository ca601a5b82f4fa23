"""Error messages of commands, and the handling of SIGTERM."""

import contextlib
import re
import signal
import sys
import threading
from collections.abc import Iterator
from io import BufferedIOBase
from typing import cast

from ..errors import InputError

_NO_MEMORY = re.compile("can't allocate memory|out of memory|not enough memory", re.IGNORECASE)
"""Messages of torch for a lack of memory, as a RuntimeError."""

_MOMENT = 0.01
"""Seconds until a lost interruption is repeated."""

_EXTRAS = {"tokenizers": "lm", "transformers": "lm"}
"""Extras of packages that some modules import at the top of the file, because they derive classes from them."""


class Terminated(KeyboardInterrupt):
    """Termination by SIGTERM, from a scheduler or `kill`; handled like Ctrl-C."""


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise `Terminated` in the command, instead of ending the process at once.

    An interruption that arrives in a callback of the garbage collector is repeated, because Python ignores what such callbacks raise.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread can set signal handlers
        yield
        return
    before, hook = signal.signal(signal.SIGTERM, _terminate), sys.unraisablehook

    def repeat(lost: "sys.UnraisableHookArgs") -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = signal.SIGTERM if isinstance(lost.exc_value, Terminated) else signal.SIGINT
            threading.Timer(_MOMENT, signal.raise_signal, [number]).start()
        else:
            hook(lost)

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> None:
    raise Terminated


def sentence(error: Exception) -> str:
    """Return the message of an error on one line, with a readable form of the errors of the operating system."""
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        return f"{error.name} is not installed: pip install dendrix[{_EXTRAS[error.name]}]."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""  # a full disk names no file
        return f"{where}{error.strerror}. Check the path, its permissions and the space on the disk."
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error))):
        asked = re.search(r"allocate (\d+ bytes|[\d.]+ [KMGTP]iB)", str(error))
        return f"The memory does not suffice{f' for {asked[1]}' if asked else ''}. Choose smaller sizes, or fewer steps or inputs."
    return " ".join(str(error).split()) or f"{type(error).__name__}. Run again with --debug to see where."


def expect_output() -> None:
    """Check that standard output is open: without it, results are lost or written to the first file that is opened."""
    if sys.stdout is None:
        raise InputError("Standard output: expected an open one, but it is closed. Redirect it, to /dev/null if it does not matter.")


def standard_input() -> BufferedIOBase:
    """Return the binary stream of standard input.

    Raises:
        InputError: it is closed.
    """
    if sys.stdin is None:
        raise InputError("Standard input: expected an open one to read from, but it is closed. Redirect it, or name a file.")
    return cast(BufferedIOBase, sys.stdin.buffer)
