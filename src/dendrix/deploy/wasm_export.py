"""Export of a network for WebAssembly: engine, tables, an ES module with types, test vectors and notes in one folder."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ..data.speech.integer_mel import Ints
from ..run_folder.record import new_folder
from .deployed import Deployed
from .image import image
from .notes import web_readme
from .vectors import vectors, vectors_json

FILES = ("dendrix.mjs", "dendrix.d.mts", "selftest.mjs")
_WEB = resources.files(__package__) / "web"


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
    found = vectors(deployed, clips)
    with new_folder(Path(folder)) as work:
        (work / "dendrix.wasm").write_bytes(engine())
        (work / "network.bin").write_bytes(image(deployed))
        (work / "vectors.json").write_text(vectors_json(found))
        for name in FILES:
            (work / name).write_text((_WEB / name).read_text())
        (work / "LICENSE").write_text((resources.files(__package__) / "c" / "LICENSE").read_text())
        (work / "README.md").write_text(web_readme(deployed))


def engine() -> bytes:
    """The engine, compiled for WebAssembly."""
    return (_WEB / "dendrix.wasm").read_bytes()
