"""Cells of a study that job processes can import."""

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dendrix.errors import InputError
from dendrix.recipes import find_recipe
from dendrix.reproduce.claim import Checked, compare
from dendrix.reproduce.study import OUTCOME, Cell, Study
from dendrix.runs.evaluation import evaluate_run


def note(cell: Cell, folder: Path) -> dict[str, Any]:
    """The process of a cell, and whether the cells that it needs were complete."""
    done = all((folder.parent / name / OUTCOME).exists() for name in cell.needs)
    return {"process": os.getpid(), "threads": torch.get_num_threads(), "after_needed": done}


def die_once(cell: Cell, folder: Path) -> dict[str, Any]:
    """The first process is killed; the second returns an outcome."""
    marker = folder / "marker"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return note(cell, folder)


def fail(cell: Cell, _: Path) -> dict[str, Any]:
    raise InputError(f"{cell.name}: expected to fail.")


def accuracy(_: Cell, folder: Path) -> dict[str, float]:
    return {"accuracy": evaluate_run(folder, "test").accuracy}


class Told(Cell):
    """A cell that leaves a file named by each process that runs it."""

    def run(self, out: Path) -> None:
        super().run(out)
        (out / f"{self.name} by {os.getpid()}").touch()


def checks(found: Mapping[str, Any]) -> list[Checked]:
    return [compare("here", name, name, one.get("accuracy", 0.0), 2.0, 0.5) for name, one in found.items()]


def study(*cells: Cell) -> Study:
    return Study("results.json", "page.md", lambda _: cells, lambda known: {key[0]: one for key, one in known.items()}, str, checks)


def training(seed: int) -> Cell:
    """A small network on digits, two epochs."""
    recipe: Any = find_recipe("digits-delays")()
    recipe = replace(recipe, model=replace(recipe.model, hidden=(4,)), budget=replace(recipe.budget, epochs=2), seed=seed)
    return Cell(f"digits-{seed}", (f"digits-{seed}",), accuracy, recipe, "digits-delays")
