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
    """Write a file atomically: readers see the old or the new content, never a part, even after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        error.filename = str(path)  # the error of a full disk has no file name, and other errors have that of the temporary file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def expect_writable(path: Path) -> None:
    """Check that a file can be written, before a long computation of its content.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: its folder does not exist or is not writable, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: expected a file in a folder that exists, but {path.parent} does not. Create it first.")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file to write, but it is a folder. Name a file in it.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: expected a writable folder, but {path.parent} is not writable. Choose another.")


def write_json(path: Path, value: Any) -> None:
    """Write a value atomically as indented JSON. NaN and infinity, which JSON does not have, raise a ValueError."""
    write_atomic(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that contains an object.

    Raises:
        OSError: the file does not exist or is not readable.
        InputError: it does not contain a JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, but it cannot be read ({error}). Copy the file again.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(value).__name__}. Is this the right file?")
    return value


def flattened(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten nested JSON to one level, with the names joined by dots."""
    if isinstance(value, dict):
        inner = (flattened(part, f"{name}.{key}" if name else str(key)) for key, part in value.items())
        return {key: part for parts in inner for key, part in parts.items()}
    return {name: value}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder for this process. The lock is released when the process ends, also after a crash, and leaves no file.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    if sys.platform == "win32":  # no locks on folders
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"{folder}: expected a folder that no other process writes to, but one does. Wait until it ends."
            ) from error
        except OSError:  # some network file systems do not support locks on folders
            pass
        yield
    finally:
        os.close(handle)
