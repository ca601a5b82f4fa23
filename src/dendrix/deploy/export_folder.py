"""Folder of an export: files of this package as they are shipped, and a new folder that appears when all of it is written."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from ..run_folder.record import new_folder

File = tuple[str, str | bytes]
"""Name with folders, and content."""


def write_export(folder: str | Path, files: Iterable[File]) -> None:
    """Write files into a new folder, which appears with all of them or not at all.

    Args:
        folder: a new folder.
        files: names, such as "test/vectors.h", and contents.
    Raises:
        FileExistsError: the folder exists.
    """
    with new_folder(Path(folder)) as work:
        for name, content in files:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(content.encode() if isinstance(content, str) else content)


def shipped(name: str) -> str:
    """Text of a file of this package, such as "c/dendrix.c"."""
    return shipped_bytes(name).decode()


def shipped_bytes(name: str) -> bytes:
    """Content of a file of this package, such as "web/dendrix.wasm"."""
    return resources.files(__package__).joinpath(*name.split("/")).read_bytes()
