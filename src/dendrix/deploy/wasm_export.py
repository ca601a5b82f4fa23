"""Export of a network for WebAssembly: engine, tables, an ES module with types, test vectors and notes in one folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..data.speech.integer_mel import Ints
from .deployed import Deployed
from .export_folder import File, shipped, shipped_bytes, write_export
from .image import image
from .notes import web_readme
from .vectors import Vector, vectors, vectors_json

FILES = ("dendrix.mjs", "dendrix.d.mts", "selftest.mjs")


def export_wasm(deployed: Deployed, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network for browsers and node.

    The folder holds `dendrix.wasm` (the engine, without imports), `network.bin` (the tables), `dendrix.mjs` with its types, `selftest.mjs`
    with `vectors.json`, `README.md` and `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, as in `export_c`.
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    write_export(folder, _files(deployed, vectors(deployed, clips)))


def _files(deployed: Deployed, found: Sequence[Vector]) -> Iterator[File]:
    yield "dendrix.wasm", engine()
    yield "network.bin", image(deployed)
    yield "vectors.json", vectors_json(found)
    for name in FILES:
        yield name, shipped(f"web/{name}")
    yield "LICENSE", shipped("c/LICENSE")
    yield "README.md", web_readme(deployed)


def engine() -> bytes:
    """The engine, compiled for WebAssembly."""
    return shipped_bytes("web/dendrix.wasm")
