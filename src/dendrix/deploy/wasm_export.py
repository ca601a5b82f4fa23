"""Export of a network for WebAssembly: engine, tables, an ES module with types, test vectors and notes in one folder."""

from collections.abc import Iterator, Sequence
from functools import singledispatch
from pathlib import Path

from ..data.speech.integer_base import Ints
from .answering import Answering
from .deployed import Deployed
from .export_folder import File, shipped, shipped_bytes, write_export
from .image import image
from .image_deployed import DeployedImage
from .notes import web_readme
from .vectors import Vector, vectors, vectors_json

FILES = ("dendrix.mjs", "dendrix.d.mts", "selftest.mjs")


def export_wasm(deployed: Deployed | DeployedImage, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network for browsers and node.

    The folder holds `dendrix.wasm` (the engine, without imports; of image networks `dendrix_image.wasm` and, for SIMD,
    `dendrix_image_simd.wasm`), `network.bin` (the tables), `dendrix.mjs` with its types, `selftest.mjs`
    with `vectors.json`, `README.md` and `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, as in `export_c`.
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    write_export(folder, wasm_files(deployed, vectors(deployed, clips)))


@singledispatch
def wasm_files(deployed: Answering, found: Sequence[Vector]) -> Iterator[File]:
    """Names and contents of the files."""
    raise NotImplementedError(f"{type(deployed).__name__} has no such export. Register its files.")


@wasm_files.register
def _files(deployed: Deployed, found: Sequence[Vector]) -> Iterator[File]:
    yield "dendrix.wasm", engine()
    yield "network.bin", image(deployed)
    yield "vectors.json", vectors_json(found)
    for name in FILES:
        yield name, shipped(f"web/{name}")
    yield "LICENSE", shipped("c/LICENSE")
    yield "README.md", web_readme(deployed)


def engine(name: str = "dendrix.wasm") -> bytes:
    """An engine, compiled for WebAssembly."""
    return shipped_bytes(f"web/{name}")
