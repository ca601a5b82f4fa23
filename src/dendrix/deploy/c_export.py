"""Export of a network as C99: engine, tables, program, test vectors and notes in one folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..data.speech.integer_mel import Ints
from .c_source import model_c, model_h, vectors_h
from .deployed import Deployed
from .export_folder import File, shipped, write_export
from .notes import readme
from .vectors import Vector, vectors

ENGINE = ("dendrix_decision.h", "dendrix.h", "dendrix.c")


def export_c(deployed: Deployed, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network as C99 without dependencies.

    The folder holds `dendrix.h` and `dendrix_decision.h` (the interface), `dendrix.c` (the engine), `model.h` and `model.c` (the tables),
    `main.c` (a program that reads 16-bit values from standard input), `Makefile`, `test/` (a self-test with vectors), `README.md` and
    `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, each as 16-bit samples or as values of frames one after another, int64 [N].
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    write_export(folder, c_files(deployed, vectors(deployed, clips)))


def c_files(deployed: Deployed, found: Sequence[Vector]) -> Iterator[File]:
    """Names and contents of the files."""
    for name in (*ENGINE, "main.c", "Makefile", "LICENSE", "test/selftest.c"):
        yield name, shipped(f"c/{name}")
    yield "model.h", model_h(deployed)
    yield "model.c", model_c(deployed)
    yield "test/vectors.h", vectors_h(deployed, found)
    yield "README.md", readme(deployed)
