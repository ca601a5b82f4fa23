"""Reader of untrusted HDF5 files: plain nested dicts, nothing outside the file, and no more memory than allowed.

h5py follows external links and external storage into other files, and a hard link can make a group its own descendant. All of these are
refused before anything is allocated.
"""

from pathlib import Path
from typing import Any

from ..errors import InputError
from .packages import require

MAX_BYTES = 2**30
"""Most bytes that the arrays of a file may declare."""
_MAX_DEPTH = 8
_MAX_OBJECTS = 10_000
_KINDS = "biufOSU"


def read_tree(path: str | Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a file as nested dicts of numpy arrays, numbers and strings.

    Args:
        path: the file.
        max_bytes: most bytes that its arrays may declare, in total.
    Raises:
        OSError: the file is missing or not readable.
        InputError: it is no HDF5, damaged, too large, or refers to something outside itself.
        MissingExtraError: h5py is not installed.
    """
    h5py = require("h5py")
    path = Path(path)
    path.open("rb").close()  # a missing file is an OSError with its name, where h5py has a long story
    try:
        with h5py.File(path, "r") as file:
            walk = _Walk(h5py, str(path), max_bytes)
            walk.measure(file, "", 0)
            tree: dict[str, Any] = _values(h5py, file)
            return tree
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected an HDF5 file, but it cannot be read ({reason}). Copy the file again.") from error


class _Walk:
    """Measures all objects of a file, and refuses those that are not plain groups and arrays."""

    def __init__(self, h5py: Any, path: str, max_bytes: int):
        self.h5py, self.path, self.max_bytes = h5py, path, max_bytes
        self.bytes, self.seen = 0, set[Any]()

    def measure(self, group: Any, place: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self._refused(place, f"at most {_MAX_DEPTH} nested groups", "more")
        self._count(group, place)
        for name in group:
            inner = f"{place}/{name}"
            if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                raise self._refused(inner, "data in the file itself", "a link")
            found = group[name]
            if isinstance(found, self.h5py.Group):
                self.measure(found, inner, depth + 1)
            elif isinstance(found, self.h5py.Dataset):
                self._array(found, inner)
            else:
                raise self._refused(inner, "a group or an array", type(found).__name__)

    def _array(self, array: Any, place: str) -> None:
        self._count(array, place)
        if array.external or array.is_virtual:
            raise self._refused(place, "data in the file itself", "an array that is stored in another file")
        if array.dtype.kind not in _KINDS or (array.dtype.kind == "O" and self.h5py.check_string_dtype(array.dtype) is None):
            raise self._refused(place, "numbers or strings", f"dtype {array.dtype}")
        self.bytes += array.size * array.dtype.itemsize if array.shape is not None else 0
        if self.bytes > self.max_bytes:
            raise self._refused(place, f"at most {self.max_bytes:,} bytes in all arrays together", f"{self.bytes:,} up to here")

    def _count(self, found: Any, place: str) -> None:
        address = self.h5py.h5o.get_info(found.id).addr
        if address in self.seen:
            raise self._refused(place, "every object once", "a second link to the same one")
        self.seen.add(address)
        if len(self.seen) > _MAX_OBJECTS:
            raise self._refused(place, f"at most {_MAX_OBJECTS:,} objects", "more")

    def _refused(self, place: str, wanted: str, came: str) -> InputError:
        return InputError(f"{self.path}, {place or '/'}: expected {wanted}, got {came}. Use a file from a source that you trust.")


def _values(h5py: Any, group: Any) -> dict[str, Any]:
    """The content of a group, strings decoded."""
    found: dict[str, Any] = {}
    for name, part in group.items():
        if isinstance(part, h5py.Group):
            found[name] = _values(h5py, part)
        elif h5py.check_string_dtype(part.dtype) is not None:
            text = part.asstr()[()]
            found[name] = text if isinstance(text, str) else text.tolist()
        else:
            value = part[()]
            found[name] = value.item() if value.ndim == 0 else value
    return found
