"""Texts in tar archives, whose sizes are checked before memory is taken."""

import tarfile
from collections.abc import Collection
from pathlib import Path

from ...core.limits import expect_within
from ...errors import InputError

_BLOCK = 1 << 20


def read_texts(path: Path, what: str, names: Collection[str] | None = None) -> dict[str, bytes]:
    """Read the files of an archive, by name.

    Args:
        path: archive, compressed or not.
        what: what is expected, for the error message.
        names: files to read, all of which must be there; None reads all.
    Raises:
        OSError: the archive does not exist or cannot be opened.
        InputError: it is no archive, damaged, lacks a file, or holds more than the limit of `text_bytes`.
    """
    path.open("rb").close()  # a missing file or missing permission raises the specific OSError
    try:
        found: dict[str, bytes] = {}
        size = 0
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile() or (names is not None and member.name not in names):
                    continue
                size += member.size
                expect_within(size, "text_bytes", str(path))
                file = archive.extractfile(member)
                found[member.name] = b"" if file is None else file.read()
                if len(found[member.name]) < member.size:
                    raise EOFError(f"{member.name} is truncated")
            while archive.fileobj is not None and archive.fileobj.read(_BLOCK):  # to its checksum, which comes last
                pass
    except InputError:
        raise
    except Exception as error:  # a damaged archive raises errors of any kind, from lzma to struct
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: expected {what}, but it cannot be read ({reason}). Copy it again.") from error
    if missing := [name for name in names or () if name not in found]:
        raise InputError(f"{path}: expected {what}, but {missing[0]} is missing. Copy it again.")
    return dict(sorted(found.items()))
