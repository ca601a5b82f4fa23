"""A study: cells that train and resume, the outcome of each, results over all, a page and checks that can fail."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch

from ..core import expect_count
from ..core.files import read_json, write_atomic, write_json
from ..errors import DendrixError, InputError
from ..train.command import TrainRun, train_run
from ..train.image.recipe import ImageRecipe
from ..train.sentence.recipe import SentenceRecipe
from ..train.sequence.recipe import SequenceRecipe
from ..train.text.recipe import TextRecipe
from .claim import Checked

RUNS, OUTCOME = "runs", "outcome.json"
_INTERRUPTED = 130

Recipe = SequenceRecipe | ImageRecipe | TextRecipe | SentenceRecipe
Results = dict[str, Any]
"""Plain JSON values."""


@dataclass(frozen=True)
class Cell:
    """An independent unit of a study, usually one training and the scores of its best network.

    Args:
        name: folder of the cell below `runs`. It holds the run and `outcome.json`.
        key: identifies the outcome for `Study.results`.
        score: computes the outcome, JSON values, from the cell and its folder; a function of a module, so that a process can import it.
            None for a cell that only other cells need.
        recipe: what is trained; None trains nothing.
        recipe_name: its name, for the record of the run.
        needs: names of cells that must be complete before this one starts.
    """

    name: str
    key: tuple[Any, ...]
    score: "Callable[[Cell, Path], Mapping[str, Any]] | None"
    recipe: Recipe | None = None
    recipe_name: str = ""
    needs: tuple[str, ...] = ()

    def run(self, out: Path) -> None:
        """Train and write the outcome. An unfinished training continues after its last complete epoch; a complete cell stays as it is.

        Args:
            out: folder of the study.
        """
        folder = out / RUNS / self.name
        if self.recipe is not None:
            train_run(TrainRun(self.recipe, folder, resume=True, json=True), self.recipe_name)
        if self.score is not None and not (folder / OUTCOME).exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / OUTCOME, self.score(self, folder))


@dataclass(frozen=True)
class Study:
    """Trainings of this project and what is concluded from them.

    Args:
        results_file: name of the file of results, JSON.
        page_file: name of the page, Markdown.
        cells: all cells of the study in a folder, those that are compared with each other side by side, needed ones first.
        results: from the outcomes that exist, by key of the cell, to the results.
        page: from the results to the page.
        check: from the results to checks.
        draw: writes the figures of the results into the folder, if there are any.
    """

    results_file: str
    page_file: str
    cells: Callable[[Path], Sequence[Cell]]
    results: Callable[[Mapping[Any, Any]], Results]
    page: Callable[[Results], str]
    check: Callable[[Results], list[Checked]]
    draw: Callable[[Results, Path], None] | None = None

    def reproduce(self, out: Path, epochs: int | None = None, jobs: int = 1) -> list[Checked]:
        """Run all cells that are not complete, and write results, page and figures.

        Args:
            out: folder of the study.
            epochs: number of epochs of each training instead of that of its recipe: a trial, in which nothing is checked.
            jobs: number of cells that run at a time, each in a process with one thread; 1 runs them in this process.
        Raises:
            DendrixError: with several jobs, some cells failed; all others that could run are complete.
        """
        if jobs < 1:
            raise InputError(f"jobs: expected a number of at least 1, got {jobs}.")
        if epochs is not None:
            expect_count(epochs, "[1, inf)", "epochs")
        full = list(self.cells(out))
        cells = full if epochs is None else [_with_epochs(cell, epochs) for cell in full]
        if jobs > 1:
            _run_at_a_time(cells, out, jobs)
        else:
            for count, cell in enumerate(cells, 1):
                cell.run(out)
                _tell(cell.name, count, len(cells))
        if cells == full:
            return self.report(out)
        checked = self.report(out, f"*Trial: {epochs} epochs of each training. These are not the results of the full study.*\n\n")
        return [one if one.passed is None else replace(one, verdict=f"trial of {epochs} epochs", passed=None) for one in checked]

    def report(self, out: Path, note: str = "") -> list[Checked]:
        """Write results, page and figures from the outcomes that exist, and check the results.

        Args:
            out: folder of the study.
            note: first lines of the page.
        """
        paths = {cell.key: out / RUNS / cell.name / OUTCOME for cell in self.cells(out)}
        found = self.results({key: read_json(path) for key, path in paths.items() if path.exists()})
        write_json(out / self.results_file, found)
        write_atomic(out / self.page_file, (note + self.page(found)).encode())
        if self.draw is not None:
            self.draw(found, out)
        return self.check(found)


def _with_epochs(cell: Cell, epochs: int) -> Cell:
    recipe: Any = cell.recipe
    if recipe is None:
        return cell
    changes = {"steps": epochs * recipe.budget.every} if isinstance(recipe, TextRecipe) else {"epochs": epochs}
    return replace(cell, recipe=replace(recipe, budget=replace(recipe.budget, **changes)))


def _run_at_a_time(cells: Sequence[Cell], out: Path, jobs: int) -> None:
    """Run each cell in a process of its own. A cell that fails or is killed stops no other, except those that need it."""
    complete = {cell.name: cell for cell in cells if (out / RUNS / cell.name / OUTCOME).exists()}
    for count, cell in enumerate(complete.values(), 1):
        cell.run(out)  # a check of its folder, for which a process would be slow to start
        _tell(cell.name, count, len(cells))
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may deadlock
    waiting, failed = {cell.name: cell for cell in cells if cell.name not in complete}, list[str]()
    running: dict[str, SpawnProcess] = {}
    try:
        while waiting or running:
            missing = {*waiting, *running, *failed}
            ready = [cell for cell in waiting.values() if not missing & set(cell.needs)]
            for cell in ready[: jobs - len(running)]:
                running[cell.name] = context.Process(target=_run_alone, args=(waiting.pop(cell.name), out))
                running[cell.name].start()
            if not running:
                break  # the cells that wait need one that failed
            wait([process.sentinel for process in running.values()])
            for name in [name for name, process in running.items() if not process.is_alive()]:
                if running.pop(name).exitcode:
                    failed.append(name)
                else:
                    _tell(name, len(cells) - len(waiting) - len(running) - len(failed), len(cells))
    finally:
        for process in running.values():
            process.terminate()
    if failed:
        lost = [*failed, *waiting]
        raise DendrixError(f"{len(lost)} of {len(cells)} cells are not complete: {', '.join(lost)}. Repeat the command to continue them.")


def _tell(name: str, count: int, total: int) -> None:
    print(f"{name}: complete, {count} of {total}", file=sys.stderr)


def _run_alone(cell: Cell, out: Path) -> None:
    """The work of a process that has one cell and ends with its parent."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, which a training handles
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        cell.run(out)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as error:
        sys.exit(f"{cell.name}: {' '.join(str(error).split())}")


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
