"""Compiled loops on disk, one file per loop and argument types, named by the digest of all that it depends on.

There is no index: processes that write at the same time write the same file, each under a temporary name first. Two clones of the
repository, and two machines of one type that share a home, use the same files; a loop that changes, another version of numba or another
type of CPU have files of their own.
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import compiler, registry, serialize

from ..folders import cache_folder
from .digest import digest

_numba: Any = numba.config
_rebuild: Any = compiler.CompileResult._rebuild
_dumps: Any = serialize.dumps

_UNUSED_DAYS = 90
"""A file that no process has loaded for so long is deleted, as that of an older version is."""
_CHECK = 32
"""Length of the SHA-256 at the beginning of a file."""


def kernel_folder() -> Path:
    """Return the folder of compiled loops: the one that NUMBA_CACHE_DIR names, or `kernels` in the cache folder of dendrix."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen).expanduser() if chosen else cache_folder() / "kernels"


class Store:
    """The cache of one dispatcher, in the place of numba's own.

    Args:
        dispatcher: dispatcher of the loop.
        missed: called with the name of the loop if it has to be compiled.
        failed: called if a compiled loop cannot be written.
    """

    def __init__(self, dispatcher: Any, missed: Callable[[str], object], failed: Callable[[], object]):
        self._dispatcher, self._missed, self._failed = dispatcher, missed, failed

    @property
    def cache_path(self) -> str:
        """Folder of the files."""
        return str(kernel_folder())

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the compiled loop for these argument types, or None. A damaged file counts as none, and is replaced."""
        target.refresh()
        name = self._name(signature)
        try:
            path = kernel_folder() / name
            content = path.read_bytes()
            if hashlib.sha256(content[_CHECK:]).digest() == content[:_CHECK]:
                found = _rebuild(target, *serialize.loads(content[_CHECK:]))
                with suppress(OSError):
                    os.utime(path)
                return found
        except Exception:  # unpickling the file of another program may raise anything
            pass
        self._missed(self._dispatcher.py_func.__name__)
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Write a compiled loop."""
        if compiled.library.has_dynamic_globals:  # it holds addresses of this process
            return
        content = _dumps(compiled._reduce())
        try:
            _write(kernel_folder() / self._name(signature), hashlib.sha256(content).digest() + content)
        except (OSError, RuntimeError):  # RuntimeError: the user has no home
            self._failed()

    def flush(self) -> None:
        """Forget nothing: a loop that is compiled again replaces its file."""

    def _name(self, signature: Any) -> str:
        function = self._dispatcher.py_func
        fields = [getattr(kind, "fields", None) for kind in signature]  # of named tuples
        name = digest(self._dispatcher, _machine(), repr(signature), fields)
        return f"{function.__name__[:40]}-{name[:32]}.nbc"


@cache
def _machine() -> tuple[Any, ...]:
    """What machine code depends on, besides the loop."""
    flags = int(_numba.OPT), _numba.LOOP_VECTORIZE, _numba.SLP_VECTORIZE, _numba.BOUNDSCHECK, _numba.DEBUGINFO_DEFAULT
    versions = sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, np.__version__
    own = Path(__file__).with_name("pipeline.py").read_bytes()
    return (*registry.cpu_target.target_context.codegen().magic_tuple(), *versions, *flags, own)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _delete_old(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@cache
def _delete_old(folder: Path) -> None:
    before = time.time() - _UNUSED_DAYS * 86400
    for path in [*folder.glob("*.nbc"), *folder.glob(".*.tmp")]:
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
