"""Error messages of commands, and the handling of SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Terminated(KeyboardInterrupt):
    """Termination by SIGTERM, from a scheduler or `kill`; handled like Ctrl-C."""


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise `Terminated` in the command, instead of ending the process at once."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread can set signal handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> None:
    raise Terminated


def sentence(error: Exception) -> str:
    """Return the message of an error on one line, with a readable form of the errors of the operating system."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""  # a full disk names no file
        return f"{where}{error.strerror}. Check the path, its permissions and the space on the disk."
    return " ".join(str(error).split()) or f"{type(error).__name__}. Run again with --debug to see where."
