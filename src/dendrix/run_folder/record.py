"""The folder of a run: it appears under its name when it is complete, and says what it came from."""

import contextlib
import json
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict, cast

import torch

from ..core.files import making, read_json, write_atomic
from ..errors import InputError
from .migration import migrated_recipe

RUN, METRICS = "run.json", "metrics.jsonl"
_PROGRESS = ("best_epoch", "best_accuracy", "stopped")
_PACKAGES = ("dendrix", "torch", "numpy", "numba", "safetensors", "accelerate")


class RunRecord(TypedDict, total=False):
    """What `run.json` holds. A field that an earlier version did not write is missing."""

    name: str
    recipe: dict[str, Any]
    data_sha256: str
    """Of the training and validation data."""
    parameters: int
    environment: dict[str, Any]
    progress: dict[str, Any] | None
    """Epochs, steps, the best scores, and why the training stopped."""
    warnings: list[str]
    seconds: float
    kernels: dict[str, str]
    conversion: dict[str, Any]
    """Of a converted network: how it was converted, the audit, and the comparison with the original."""


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, renamed to `target` at the end; if an error comes first, nothing is left of it.

    Raises:
        FileExistsError: something of that name is already there.
    """
    if target.exists():
        raise FileExistsError(f"{target}: expected a name for a new folder, but it is already there. Choose another or remove it.")
    place = Path(os.path.realpath(target))  # a link is followed, and a/../b makes no a
    work = place.with_name(f".{os.getpid()}.{secrets.token_hex(4)}")
    with making(work):
        try:
            yield work
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write a JSON-lines file, whole or not at all."""
    write_atomic(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All lines of a JSON-lines file.

    Raises:
        OSError: there is no such file or it may not be read.
        ValueError: a line is no JSON object.
    """
    lines = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: expected JSON, but it cannot be read ({error}). Copy the file again.") from error
        if not isinstance(values, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, got {type(values).__name__}. Copy the file again.")
        lines.append(values)
    return lines


def read_record(folder: Path) -> RunRecord:
    """What `run.json` of a run says, with the parts that all runs have.

    Raises:
        OSError: there is no such file or it may not be read.
        ValueError: it is damaged, or was edited so that it describes no run.
    """
    path = folder / RUN
    record = read_json(path)
    if "recipe" not in record:
        raise InputError(f"{path}: expected the field 'recipe', which is missing. Was it edited by hand?")
    for name, kind in (("recipe", dict), ("progress", dict | None), ("warnings", list | None)):
        if not isinstance(value := record.get(name), kind):
            raise InputError(f"{path}: expected {name} of another kind, got {value!r}. Was it edited by hand?")
    if (progress := record.get("progress")) and (lost := [name for name in _PROGRESS if name not in progress]):
        raise InputError(f"{path}: expected progress with {', '.join(lost)}, which is missing. Was it edited by hand?")
    return cast(RunRecord, {**record, "recipe": migrated_recipe(record["recipe"])})


def environment(device: torch.device) -> dict[str, Any]:
    """Versions, commit and device: what a run depends on beside its recipe."""
    installed = {package: _version(package) for package in _PACKAGES}
    return {
        "versions": {"python": platform.python_version(), **{name: version for name, version in installed.items() if version}},
        "commit": _commit(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this source tree, marked where files differ from it; None for an installed package."""
    source = Path(__file__).parent
    try:
        for arguments in (["ls-files", "--error-unmatch", __file__], ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]):
            answer = subprocess.run(["git", "-C", str(source), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def caveat(recipe: dict[str, Any]) -> str:
    """What must stand beside every accuracy of a run of this recipe, in a sentence; empty for most."""
    chosen_on_test = recipe.get("data", {}).get("held_out") == "test"
    return "The clips for testing chose the epoch, as published: no estimate for new clips." if chosen_on_test else ""


def is_text(recipe: dict[str, Any]) -> bool:
    """Whether a recipe of a record is one for a language model."""
    return bool(recipe.get("data", {}).get("name") == "text")
