"""Export of a network as a library for Arduino and PlatformIO."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..data.speech.integer_base import Ints
from .c_export import engine_files
from .c_source import model_c, model_h
from .costs import sizes
from .deployed import Deployed
from .export_folder import File, shipped, write_export
from .notes import arduino_readme, library_properties
from .vectors import Vector, vectors, vectors_json


def export_arduino(deployed: Deployed, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a library: `src/` with engine and tables, `library.properties`, `library.json`, an example sketch, and notes.

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
    for name in engine_files(deployed):
        yield f"src/{name}", shipped(f"c/{name}")
    yield "src/model.h", model_h(deployed)
    yield "src/model.c", model_c(deployed)
    yield "src/dendrix_network.h", shipped("c/arduino/dendrix_network.h")
    sketch = "listen.ino" if deployed.encoder is not None else "frames.ino"
    yield "examples/listen/listen.ino", shipped(f"c/arduino/{sketch}")
    yield "extras/vectors.json", vectors_json(found)
    yield "library.properties", library_properties()
    yield "library.json", json.dumps(_PLATFORMIO, indent=2) + "\n"
    yield "README.md", arduino_readme(deployed, sizes(deployed))
    yield "LICENSE", shipped("c/LICENSE")


_PLATFORMIO = {
    "name": "dendrix_network",
    "version": "1.0.0",
    "description": "A spiking network in whole numbers",
    "license": "Apache-2.0",
    "frameworks": "*",
    "platforms": "*",
}
