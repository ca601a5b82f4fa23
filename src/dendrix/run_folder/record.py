"""The record of a run (`run.json`), its metrics, and the creation of its folder."""

import contextlib
import errno
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

from ..core.files import expect_folder, making, read_bytes, read_json, unique, write_atomic
from ..errors import InputError
from .migration import migrated_recipe

RUN, METRICS = "run.json", "metrics.jsonl"
_PROGRESS = ("best_epoch", "best_accuracy", "stopped")
_PACKAGES = ("dendrix", "torch", "numpy", "numba", "safetensors", "accelerate")


class RunRecord(TypedDict, total=False):
    """Content of `run.json`. Fields that an earlier version did not write are missing."""

    name: str
    recipe: dict[str, Any]
    data_sha256: str
    """Digest of the training and validation data."""
    parameters: int
    environment: dict[str, Any]
    progress: dict[str, Any] | None
    """Epochs, steps, best scores, and the reason why the training stopped."""
    warnings: list[str]
    seconds: float
    kernels: dict[str, str]
    conversion: dict[str, Any]
    """Settings, audit and comparison with the original, for a converted network."""


def expect_new(target: Path) -> None:
    """Check that a new folder can be made, before the work that it is for.

    Raises:
        FileExistsError: `target` exists.
        NotADirectoryError, PermissionError: a file has the name of a folder above it, or that folder is not writable.
    """
    if target.exists():
        raise FileExistsError(f"{target}: expected the name of a new folder, but it exists. Choose another name or remove it.")
    expect_folder(target)


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to `target` at the end, or removed after an error.

    Raises:
        OSError: see `expect_new`; or a file cannot be written.
    """
    expect_new(target)
    place = Path(os.path.realpath(target))  # follows links, and does not create a for a/../b
    work = place.with_name(f".{os.getpid()}.{secrets.token_hex(4)}")
    with _told_as(work, target), making(work):
        try:
            yield work
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _told_as(work: Path, target: Path) -> Iterator[None]:
    """Replace the path of a temporary folder in errors by that of the target. The error of a full disk has no path."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(error.errno, error.strerror, str(target)) from error
        file = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
        if file is None or not file.is_relative_to(work):
            raise
        raise OSError(error.errno, error.strerror, str(target / file.relative_to(work))) from error


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write a JSON-lines file atomically."""
    write_atomic(path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines).encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read all lines of a JSON-lines file.

    Raises:
        OSError: the file is missing or not readable.
        InputError: a line is not a JSON object.
    """
    lines = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        try:
            values = json.loads(line, object_pairs_hook=unique)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: expected JSON, but it cannot be read ({error}). Copy the file again.") from error
        if not isinstance(values, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, got {type(values).__name__}. Copy the file again.")
        lines.append(values)
    return lines


def read_record(folder: Path) -> RunRecord:
    """Read `run.json` of a run and check the fields that all runs have.

    Raises:
        OSError: the file is missing or not readable.
        InputError: the file is damaged, or does not describe a run.
    """
    path = folder / RUN
    record = read_json(path)
    if "recipe" not in record:
        raise InputError(f"{path}: expected the field 'recipe', which is missing. Was it edited by hand?")
    for name, kind in (("recipe", dict), ("progress", dict | None), ("warnings", list | None)):
        if not isinstance(value := record.get(name), kind):
            raise InputError(f"{path}: expected another type of {name}, got {value!r}. Was it edited by hand?")
    if (progress := record.get("progress")) and (lost := [name for name in _PROGRESS if name not in progress]):
        raise InputError(f"{path}: expected progress with {', '.join(lost)}, which is missing. Was it edited by hand?")
    return cast(RunRecord, {**record, "recipe": migrated_recipe(record["recipe"])})


def environment(device: torch.device) -> dict[str, Any]:
    """Return versions, commit and device, on which a run depends besides its recipe."""
    installed = {package: _version(package) for package in _PACKAGES}
    return {
        "versions": {"python": platform.python_version(), **{name: version for name, version in installed.items() if version}},
        "commit": commit_of(Path(__file__)),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit_of(file: Path, folder: Path | None = None) -> str | None:
    """Return the commit of the source tree of a file, marked "-dirty" if files differ from it; None if the file is not tracked.

    Args:
        file: a file of the tree.
        folder: the part of the tree whose files count as different; by default all.
    """

    def git(*arguments: str) -> str:
        # Without optional locks nothing is written: a process that is ended while it writes would leave the tree locked.
        command = ["git", "--no-optional-locks", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    where = [] if folder is None else ["--", str(folder)]
    try:
        git("ls-files", "--error-unmatch", str(file))
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--untracked-files=no", *where) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def caveat(recipe: dict[str, Any]) -> str:
    """Return a caveat on every accuracy of a run of this recipe; empty for most recipes."""
    chosen_on_test = recipe.get("data", {}).get("held_out") == "test"
    return "The test clips chose the epoch, as published: no estimate for new clips." if chosen_on_test else ""


def is_text(recipe: dict[str, Any]) -> bool:
    """Return whether a recorded recipe is one for a language model."""
    return bool(recipe.get("data", {}).get("name") == "text")
