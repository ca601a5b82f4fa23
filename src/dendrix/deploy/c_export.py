"""Export of a network as C99: engine, tables, program, test vectors and notes in one folder."""

from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from ..errors import InputError
from ..run_folder.record import new_folder
from .c_source import model_c, model_h, vectors_h
from .deployed import Deployed
from .frontend import Ints
from .notes import readme

ENGINE = ("dendrix.h", "dendrix.c")
_TEMPLATES = resources.files(__package__) / "c"


def export_c(deployed: Deployed, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network as C99 without dependencies.

    The folder holds `dendrix.h` (the interface), `dendrix.c` (the engine), `model.h` and `model.c` (the tables), `main.c` (a program that
    reads 16-bit values from standard input), `Makefile`, `test/` (a self-test with vectors), `README.md` and `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, each as 16-bit samples or as values of frames one after another, int64 [N].
    Raises:
        FileExistsError: the folder is already there.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    expect_clips(clips)
    with new_folder(Path(folder)) as work:
        (work / "test").mkdir()
        for name, text in c_files(deployed, clips):
            (work / name).write_text(text)


def c_files(deployed: Deployed, clips: Sequence[Ints]) -> Iterator[tuple[str, str]]:
    """Names and contents of the files."""
    for name in (*ENGINE, "main.c", "Makefile", "LICENSE", "test/selftest.c"):
        yield name, template(name)
    yield "model.h", model_h(deployed)
    yield "model.c", model_c(deployed)
    yield "test/vectors.h", vectors_h(deployed, clips)
    yield "README.md", readme(deployed)


def template(name: str) -> str:
    """A file of the engine as it is shipped."""
    return _TEMPLATES.joinpath(*name.split("/")).read_text()


def expect_clips(clips: Sequence[Ints]) -> None:
    """Check the inputs of test vectors."""
    if not len(clips):
        raise InputError("clips: expected at least one input for the test vectors, got none. Pass some of the validation data.")
    for clip in clips:
        if not len(clip) or clip.min() < -32768 or clip.max() > 32767:
            raise InputError("clips: expected 16-bit numbers, at least one per clip, got others. Quantise them first.")
