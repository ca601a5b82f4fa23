"""Export of a network as a library for Arduino and PlatformIO."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..data.speech.integer_mel import Ints
from ..run_folder.record import new_folder
from .c_export import ENGINE, template
from .c_source import model_c, model_h
from .costs import sizes
from .deployed import Deployed
from .notes import arduino_readme, library_properties
from .vectors import vectors, vectors_json


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
    found = vectors(deployed, clips)
    with new_folder(Path(folder)) as work:
        example = work / "examples" / "listen"
        for made in (work / "src", example, work / "extras"):
            made.mkdir(parents=True)
        for name in ENGINE:
            (work / "src" / name).write_text(template(name))
        (work / "src" / "model.h").write_text(model_h(deployed))
        (work / "src" / "model.c").write_text(model_c(deployed))
        (work / "src" / "dendrix_network.h").write_text(template("arduino/dendrix_network.h"))
        sketch = "arduino/listen.ino" if deployed.encoder is not None else "arduino/frames.ino"
        (example / "listen.ino").write_text(template(sketch))
        (work / "extras" / "vectors.json").write_text(vectors_json(found))
        (work / "library.properties").write_text(library_properties())
        (work / "library.json").write_text(json.dumps(_PLATFORMIO, indent=2) + "\n")
        (work / "README.md").write_text(arduino_readme(deployed, sizes(deployed)))
        (work / "LICENSE").write_text(template("LICENSE"))


_PLATFORMIO = {
    "name": "dendrix_network",
    "version": "1.0.0",
    "description": "A spiking network in whole numbers",
    "license": "Apache-2.0",
    "frameworks": "*",
    "platforms": "*",
}
