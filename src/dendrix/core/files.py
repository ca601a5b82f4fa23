"""Atomic file writes, JSON files, and exclusive locks on folders."""

import contextlib
import errno
import io
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..errors import InputError
from .limits import expect_within


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see the old or the new content, never a part, even after a crash.

    A symbolic link is followed, and its target is replaced and keeps its permissions. Devices, pipes and other special files are written
    to directly.

    Raises:
        OSError: the file cannot be written; existing content is unchanged.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file to write, but it is a folder. Name a file in it.")
    try:
        if _is_stream(path):
            with path.open("ab") as stream:
                stream.write(content)
        else:
            _replace(_followed(path), content)
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk has no file name, and other errors have that of the temporary file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_stream(path: Path) -> bool:
    """Return whether a path is not a regular file, or stands for an open file of the process, such as /dev/stdout."""
    special = path.exists() and not path.is_file()
    return special or os.path.realpath(path.parent).startswith(("/dev", "/proc"))


def _followed(path: Path) -> Path:
    """Return the target of a symbolic link; other paths become absolute."""
    found = Path(os.path.realpath(path))
    if found.is_symlink():  # a cycle of links cannot be resolved
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return found


def _replace(path: Path, content: bytes) -> None:
    permissions = path.stat().st_mode & 0o777 if path.exists() else None
    if permissions is not None and not _may(path, os.W_OK):  # renaming ignores the permissions of the target
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    temporary = path.with_name(f".{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            if permissions is not None:
                temporary.chmod(permissions)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def expect_writable(path: Path) -> None:
    """Check that a file can be written, before a long computation of its content.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: its folder does not exist or is not writable, it is a folder itself, or it
            is not writable.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file to write, but it is a folder. Name a file in it.")
    if path.exists() and not _may(path, os.W_OK):
        raise PermissionError(f"{path}: expected a writable file, but it is not writable. Choose another.")
    if _is_stream(path) and path.exists():
        return
    folder = _followed(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: expected a file in a folder that exists, but {folder} does not exist. Create it first.")
    if not _may(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: expected a writable folder, but {path.parent} is not writable. Choose another.")


def expect_folder(path: Path) -> None:
    """Check that a folder can be made, or files be written in it, before the work that it is for.

    Raises:
        NotADirectoryError, PermissionError: something else has its name or that of a folder above, or it is not writable.
    """
    place = path.resolve()
    there = next(folder for folder in (place, *place.parents) if folder.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{path}: expected a folder to write to, but {there} is a file. Choose another.")
    if not _may(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: expected a writable folder, but {there} is not writable. Choose another.")


def _may(path: Path, mode: int) -> bool:
    """Return whether this process may access a path under its effective user, which is the one that writes."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def seekable(path: Path) -> IO[bytes]:
    """Open a file for reading; the content of a pipe or a device, such as `<(command)` gives, is read into memory first.

    Raises:
        OSError: it does not exist or cannot be opened.
        InputError: a pipe or device gives more than the limit.
    """
    file = path.open("rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    with file:
        blocks, size = [], 0
        while block := file.read(1 << 20):
            blocks.append(block)
            size += len(block)
            expect_within(size, "pipe_bytes", str(path))
        return io.BytesIO(b"".join(blocks))


def read_bytes(path: Path) -> bytes:
    """The content of a file, or of a pipe or a device up to the limit. Errors as in `seekable`."""
    with seekable(path) as file:
        return file.read()


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
        value = json.loads(read_bytes(path), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, but it cannot be read ({error}). Copy the file again.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(value).__name__}. Is this the right file?")
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs of a JSON text, as `object_pairs_hook` gives them.

    Raises:
        InputError: a name comes twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise InputError(f"'{next(name for name in names if names.count(name) > 1)}' occurs twice")
    return found


def flattened(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten nested JSON to one level, with the names joined by dots."""
    if isinstance(value, dict):
        inner = (flattened(part, f"{name}.{key}" if name else str(key)) for key, part in value.items())
        return {key: part for parts in inner for key, part in parts.items()}
    return {name: value}


def direct(path: Path) -> Path:
    """Resolve ".." in a path, because the folders before it need not exist."""
    return Path(os.path.realpath(path)) if ".." in path.parts else path


@contextlib.contextmanager
def making(folder: Path) -> Iterator[None]:
    """Create a folder with its parents. After an error, created folders that are still empty are removed."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in made:
            with contextlib.suppress(OSError):  # not empty, or already removed
                place.rmdir()
        raise


def identity(folder: Path) -> tuple[int, int] | None:
    """Return device and inode of a folder, which differ if another folder takes its name; None if it does not exist."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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
