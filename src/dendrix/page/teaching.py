"""Files of the room Teach: the integer network with its whitening and background, and recordings to teach."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..deploy.export_folder import File
from ..deploy.words import DeployedWords
from ..deploy.words_image import words_image
from ..pretrained import find_run
from ..pretrained.catalogue import is_shipped, titles
from ..runs.teaching import open_coder
from ..runs.words_deployment import deployed_words
from ..teach import Vocabulary
from ..teach.vocabulary import VERSION, digest
from .hearing import SHIPPED, recordings

_SAMPLES = {"fsdd": 30}
"""Recordings of a network, if not ten: of the digits there are three of each, which can be taught."""


def teach_files(run: str | Path) -> Iterator[File]:
    """Yield the files of the room: the description, and tables and recordings of each network.

    Args:
        run: a network of sound with a backbone: its run, or the name of a shipped one, which brings the other shipped one with it.
    Raises:
        InputError: it has no backbone.
    """
    names = [str(run), *(name for name in reversed(SHIPPED) if is_shipped(find_run(run)) and name != str(run))]
    about = []
    for number, name in enumerate(names):
        folder, file = find_run(name), "teach" if not number else f"teach-{name}"
        made, identity = taught_network(name)
        encoder = made.deployed.encoder
        assert encoder is not None
        sounds = recordings(folder, encoder.rate, _SAMPLES.get(folder.name, 10))
        facts: dict[str, Any] = {
            "network": folder.name,
            "title": titles().get(folder.name, "") if is_shipped(folder) else "",
            "version": VERSION,
            "backbone": identity,
            "tables": f"models/{file}.bin",
            "recordings": f"models/{file}-samples.bin",
            "samples": [{"name": key, "length": len(sound)} for key, sound in sounds.items()],
        }
        about.append(facts)
        yield f"{file}.bin", words_image(made)
        yield f"{file}-samples.bin", b"".join(sound.astype("<i2").tobytes() for sound in sounds.values())
    yield "teach.json", json.dumps({"networks": about})


def taught_network(run: str | Path) -> tuple[DeployedWords, str]:
    """An empty vocabulary in whole numbers, and the identity of its backbone."""
    coder = open_coder(run)
    return deployed_words(Vocabulary(coder.backbone, str(run)), run, coder.detector), digest(coder.backbone)
