"""Reproductions of published results (`papers`) and the studies of this project (`studies`): `dendrix reproduce NAME`."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from .claim import Checked, Claim

__all__ = ["REPRODUCTIONS", "Checked", "Claim", "reproduce"]


def _found() -> Iterator[tuple[str, str, str]]:
    """Name, module and summary of every file of `papers` and `studies` that defines `reproduce`, without importing it."""
    for path in sorted(Path(__file__).parent.glob("*/*.py"), key=lambda path: path.stem):
        source = path.read_text()
        if re.search(r"^(def )?reproduce\b", source, re.MULTILINE):
            summary = (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]
            yield path.stem.replace("_", "-"), f".{path.parent.name}.{path.stem}", summary


REPRODUCTIONS = {name: summary for name, _, summary in _found()}
"""Summary of each reproduction, by name."""


def reproduce(name: str, out: Path, epochs: int | None = None, jobs: int = 1) -> list[Checked]:
    """Reproduce a result: write figures, runs and a page into a folder, and check each claim.

    Args:
        name: a key of `REPRODUCTIONS`.
        out: the folder, created if missing. Trainings that are already in it continue.
        epochs: number of epochs of each training instead of the full number: a trial, in which nothing is checked.
        jobs: number of trainings that run at a time, each in a process with one thread; 1 trains in this process.
    Raises:
        InputError: `epochs` or `jobs` is given where nothing is trained.
    """
    from ..core.files import expect_folder  # loads torch

    expect_folder(out)
    modules = {name: module for name, module, _ in _found()}
    checked: list[Checked] = import_module(modules[name], __name__).reproduce(out, epochs, jobs)
    return checked
