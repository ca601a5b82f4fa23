"""Export of a network as C99: engine, tables, program, test vectors and notes in one folder."""

from collections.abc import Iterator, Sequence
from functools import singledispatch
from pathlib import Path

from ..data import IntegerCochlea
from ..data.speech.integer_base import Ints
from .answering import Answering
from .c_source import model_c, model_h, vectors_h
from .deployed import Deployed
from .export_folder import File, shipped, write_export
from .image_deployed import DeployedImage
from .notes import readme
from .vectors import Vector, vectors


def engine_files(deployed: Deployed) -> tuple[str, ...]:
    """Files of the engine for a network."""
    cochlea = ("dendrix_cochlea.h",) if isinstance(deployed.encoder, IntegerCochlea) else ()
    return "dendrix_decision.h", "dendrix.h", "dendrix.c", *cochlea


def export_c(deployed: Deployed | DeployedImage, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network as C99 without dependencies.

    The folder holds `dendrix.h` and `dendrix_decision.h` (the interface; of image networks `dendrix_image.h`), `dendrix.c` (the engine,
    with `dendrix_cochlea.h` for a cochlea), `model.h` and `model.c` (the tables), `main.c` (a program that reads an input from standard
    input), `Makefile`, `test/` (a self-test with vectors), `README.md` and `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, each as 16-bit samples, as values of frames one after another, or as the bytes of an image,
            int64 [N].
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    write_export(folder, c_files(deployed, vectors(deployed, clips)))


@singledispatch
def c_files(deployed: Answering, found: Sequence[Vector]) -> Iterator[File]:
    """Names and contents of the files."""
    raise NotImplementedError(f"{type(deployed).__name__} has no such export. Register its files.")


@c_files.register
def _files(deployed: Deployed, found: Sequence[Vector]) -> Iterator[File]:
    for name in (*engine_files(deployed), "main.c", "Makefile", "LICENSE", "test/selftest.c"):
        yield name, shipped(f"c/{name}")
    yield "model.h", model_h(deployed)
    yield "model.c", model_c(deployed)
    yield "test/vectors.h", vectors_h(deployed, found)
    yield "README.md", readme(deployed)
