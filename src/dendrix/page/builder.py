"""The folder of the page: static files, engines and the integer networks of its rooms."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..deploy import IntegerImageNetwork
from ..deploy.export_folder import File, shipped_bytes, write_export
from ..errors import InputError, InputTypeError
from ..models import Converted
from ..pretrained import find_run
from ..run_folder.checkpoint import holds_language_model, load_checkpoint
from ..run_folder.record import expect_new
from ..runs.teaching import BACKBONE
from .hearing import hear_files
from .seeing import see_files
from .teaching import teach_files
from .writing import write_files

ABOUT = "page.json"
"""What the page knows about its files: version, networks, and the size and CRC-32 of each file."""

_WEB = Path(__file__).parent / "web"
_ENGINES = {
    "engines/dendrix.mjs": "web/dendrix.mjs",
    "engines/dendrix.wasm": "web/dendrix.wasm",
    "engines/dendrix_image.wasm": "web/dendrix_image.wasm",
    "engines/dendrix_image_simd.wasm": "web/dendrix_image_simd.wasm",
    "engines/dendrix_text.mjs": "web/text/dendrix_text.mjs",
    "engines/words.mjs": "web/words/words.mjs",
    "engines/words.wasm": "web/words/words.wasm",
    "LICENSE": "c/LICENSE",
}
"""Files of `dendrix.deploy` by their names on the page."""


@dataclass(frozen=True)
class Networks:
    """Networks of the page: shipped ones by name, or run folders."""

    hear: str | Path = "fsdd"
    """A delay network of sound."""
    see: str | Path = "cifar10"
    """A converted image network."""
    teach: str | Path = "commands"
    """A delay network of sound with a backbone."""
    write: str | Path = "novels"
    """A SpikeGPT of bytes."""

    def to_dict(self) -> dict[str, str]:
        """Return the names as JSON values; of a folder its last part."""
        return {name: Path(value).name for name, value in vars(self).items()}


def build_page(folder: str | Path, networks: Networks = Networks()) -> dict[str, Any]:
    """Write the page into a new folder, which any static web server can serve.

    Args:
        folder: a new folder.
        networks: the networks of the rooms.
    Returns:
        the content of `page.json`: version, networks, and bytes and CRC-32 of each file.
    Raises:
        FileExistsError: the folder exists.
        InputError, InputTypeError: a network has no integer form, or is of another kind than its room takes.
    """
    expect_new(Path(folder))
    files = dict(_files(networks))
    about = {
        "version": metadata.version("dendrix"),
        "networks": networks.to_dict(),
        "files": {name: _entry(files[name]) for name in sorted(files)},
    }
    files[ABOUT] = json.dumps(about).encode()
    write_export(folder, files.items())
    return about


def networks_with(run: str | Path | None) -> Networks:
    """Return the shipped networks, one of which a run replaces.

    Args:
        run: a run or the name of a shipped network; None for the shipped ones alone.
    Raises:
        OSError: the run is missing or not readable.
        InputTypeError: no room takes a network of its kind.
    """
    if run is None:
        return Networks()
    folder = find_run(run)
    if holds_language_model(folder):
        return Networks(write=folder)
    model = load_checkpoint(folder).model
    if isinstance(model, Converted | IntegerImageNetwork):
        return Networks(see=folder)
    if load_checkpoint(folder).encoder is not None:
        return Networks(hear=folder, teach=folder) if (folder / BACKBONE).exists() else Networks(hear=folder)
    raise InputTypeError(
        f"{folder}: expected a converted image network, a network of sound or a SpikeGPT, got {type(model).__name__}, which no room of the "
        "page takes."
    )


def written_page(folder: str | Path, networks: Networks) -> dict[str, Any]:
    """Return the content of `page.json` of a folder; it is written if it does not exist.

    Args:
        folder: a new folder, or one that `build_page` wrote with this version and the shipped networks, if these are wanted.
        networks: networks of the rooms.
    Raises:
        InputError: the folder holds something else.
        InputError, InputTypeError: see `build_page`.
    """
    place = Path(folder)
    if not place.exists():
        return build_page(place, networks)
    try:
        about: dict[str, Any] = json.loads((place / ABOUT).read_text())
        same = networks == Networks() and about["networks"] == networks.to_dict() and about["version"] == metadata.version("dendrix")
        same = same and all(_entry((place / name).read_bytes()) == entry for name, entry in about["files"].items())
        same = same and all(about["files"].get(name) == _entry(content) for name, content in _static())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        same = False
    if same:
        return about
    raise InputError(f"{place}: expected a new folder, or this page as this version of dendrix writes it. Remove it, or name another.")


def _static() -> Iterator[tuple[str, bytes]]:
    """Files that are the same for all networks."""
    for path in sorted(_WEB.rglob("*")):
        if path.is_file():
            yield path.relative_to(_WEB).as_posix(), path.read_bytes()
    for name, source in _ENGINES.items():
        yield name, shipped_bytes(source)


def _files(networks: Networks) -> Iterator[tuple[str, bytes]]:
    yield from _static()
    for name, content in _models(networks):
        yield f"models/{name}", content.encode() if isinstance(content, str) else content


def _models(networks: Networks) -> Iterator[File]:
    yield from hear_files(networks.hear)
    yield from see_files(networks.see)
    yield from teach_files(networks.teach)
    yield from write_files(networks.write)


def _entry(content: bytes) -> dict[str, int]:
    return {"bytes": len(content), "crc32": zlib.crc32(content)}
