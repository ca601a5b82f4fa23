"""Export of taught words as C99 and for WebAssembly: engine, tables, test vectors and notes in one folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..data.speech.integer_base import Ints
from .c_source import model_c, model_h
from .export_folder import File, shipped, shipped_bytes, write_export
from .words import DeployedWords
from .words_c_source import words_c, words_h, words_vectors_h
from .words_image import words_image
from .words_notes import words_readme, words_web_readme
from .words_vectors import WordsVectors, words_vectors, words_vectors_json


def export_words_c(made: DeployedWords, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write taught words as C99 without dependencies.

    The folder holds the engine (`dendrix.c`, `dendrix_words.c` and their headers), the tables of the network (`model.c`) and of the words
    (`words.c`), `main.c` (a program that reads a stream from standard input), `Makefile`, `test/` (a self-test with vectors), `README.md`
    and `LICENSE`.

    Args:
        made: the words and their network.
        folder: a new folder.
        clips: clips of the test vectors as 16-bit samples, int64 [N].
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or one is too long or not of 16 bits.
    """
    write_export(folder, _c_files(made, words_vectors(made, clips)))


def export_words_wasm(made: DeployedWords, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write taught words for browsers and node.

    The folder holds `words.wasm` (the engine, without imports), `words.bin` (the tables), `words.mjs` with its types, `selftest.mjs` with
    `vectors.json`, `README.md` and `LICENSE`.

    Args:
        made, folder, clips: as in `export_words_c`.
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or one is too long or not of 16 bits.
    """
    write_export(folder, _wasm_files(made, words_vectors(made, clips)))


def _c_files(made: DeployedWords, vectors: WordsVectors) -> Iterator[File]:
    for name in ("dendrix_decision.h", "dendrix.h", "dendrix.c", "LICENSE"):
        yield name, shipped(f"c/{name}")
    for name in ("dendrix_words.h", "dendrix_words.c", "main.c", "Makefile"):
        yield name, shipped(f"c/words/{name}")
    yield "test/selftest.c", shipped("c/words/selftest.c")
    yield "model.h", model_h(made.deployed, spikes=True)
    yield "model.c", model_c(made.deployed, spikes=True)
    yield "words.h", words_h(made)
    yield "words.c", words_c(made)
    yield "test/vectors.h", words_vectors_h(made, vectors)
    yield "README.md", words_readme(made)


def _wasm_files(made: DeployedWords, vectors: WordsVectors) -> Iterator[File]:
    for name in ("words.wasm", "words.mjs", "words.d.mts", "selftest.mjs"):
        yield name, shipped_bytes(f"web/words/{name}")
    yield "words.bin", words_image(made)
    yield "vectors.json", words_vectors_json(made, vectors)
    yield "LICENSE", shipped("c/LICENSE")
    yield "README.md", words_web_readme(made)
