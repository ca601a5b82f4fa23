"""Atomic file writes, JSON files, and exclusive locks on folders."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader, or a crash, sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names no file, and the temporary one is nobody's business
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value atomically as indented JSON. NaN and infinity raise ValueError: they are no JSON."""
    write_atomic(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: there is no such file or it may not be read.
        ValueError: it is no JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, but it cannot be read ({error}). Copy the file again.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(value).__name__}. Is this the right file?")
    return value


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for this process. The lock ends with the process, however that ends, and leaves no file.

    Raises:
        BlockingIOError: another process has it.
    """
    if sys.platform == "win32":  # has no locks on folders
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"{folder}: expected a folder that nobody writes, but another process does. Wait until it ends."
            ) from error
        except OSError:  # network file systems may have no locks on folders either
            pass
        yield
    finally:
        os.close(handle)
