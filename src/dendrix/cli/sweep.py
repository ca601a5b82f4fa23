"""`dendrix sweep`: hyperparameter sweep over a recipe, compared by validation."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError, InputTypeError, MisuseError
from .output import print_json, trust_option

Name = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RECIPE")]
_SHOWN = 10


def sweep(
    recipe: Name,
    space: tuple[str, ...],
    trials: int = 20,
    storage: str | None = None,
    out: Path | None = None,
    name: str | None = None,
    jobs: int = 1,
    prune: bool = True,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Train a recipe with many settings: `dendrix sweep fsdd-delays --space optim.lr=1e-3..1e-1:log model.dropout=0..0.5 --trials 30`.

    Repeat the command to continue the sweep. Run it with the same --storage on other machines to share the work.

    Args:
        recipe: name from `dendrix list`, or your own file.
        space: fields of the recipe and their values: an interval LOW..HIGH, LOW..HIGH:log on a logarithmic scale, choices A,B,C,
            or one value, which fixes the field.
        trials: total number of trials to complete.
        storage: database URL of Optuna, for workers on several machines; by default a file in the folder.
        out: folder for the runs, the table and the figure; by default sweeps/RECIPE.
        name: name of the study in the storage; by default that of the recipe.
        jobs: number of workers on this machine; several have one thread each.
        prune: stop a trial whose validation is worse than the median of the other trials at the same epoch; --no-prune turns it off.
        seed: seed of the drawn settings.
        json: print JSON.
    """
    from ..recipes import find_recipe

    if jobs < 1:
        raise MisuseError(f"--jobs: expected at least 1, got {jobs}. Choose a larger number.")
    try:
        chosen = find_recipe(recipe)()
    except (InputError, InputTypeError) as error:
        raise MisuseError(str(error)) from error
    from ..plot import save_figure
    from ..train.sweep import expect_space, read_space
    from ..train.sweep import sweep as run

    read = read_space(space)
    title = name or Path(recipe).stem
    folder = out or Path("sweeps") / title.replace(":", "-")
    expect_space(chosen, read)  # before any worker starts
    with _workers(jobs - 1, recipe, space, trials, storage, folder, title, prune, seed):
        watch = (lambda line: None) if json else _print_trial
        lines = run(chosen, read, folder, trials=trials, storage=storage, name=title, prune=prune, seed=seed, watch=watch)
    if all(line["value"] is None for line in lines):
        raise InputError(f"{folder}: expected at least one trial with a result, but all {len(lines)} diverged. Lower the learning rates.")
    try:
        from ..runs.report.sweep_figure import draw_sweep

        save_figure(draw_sweep(lines, list(read)), folder / "sweep.png")
    except ImportError as error:  # a missing figure does not make the sweep fail
        print(f"dendrix: no figure was made. {error}", file=sys.stderr)
    if json:
        print_json(lines)
        return
    table = Table("trial", "validation", "epochs", "ended", *read)
    for line in lines[:_SHOWN]:
        shown = "" if line["value"] is None else f"{line['value']:.4f}"
        table.add_row(str(line["number"]), shown, str(line["epochs"]), line["state"], *(_short(line[field]) for field in read))
    Console().print(table)
    best = folder / "runs" / str(lines[0]["number"])
    print(f"{len(lines)} trials are in {folder}. The best: dendrix evaluate {best} --split valid{trust_option(recipe)}")


class _workers:  # noqa: N801 - used like a function that returns a context
    """Context of further worker processes of the same sweep; they end with this process."""

    def __init__(self, count: int, recipe: str, space: tuple[str, ...], trials: int, storage: str | None, *rest: Any):
        folder, name, prune, seed = rest
        options = ["--trials", str(trials), "--out", str(folder), "--name", name, "--json"]
        options += [] if storage is None else ["--storage", storage]
        options += [] if prune else ["--no-prune"]
        base = [sys.executable, "-m", "dendrix", "sweep", recipe, "--space", *space, *options]
        self.commands = [[*base, "--seed", str(seed + 1 + i)] for i in range(count)]
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> None:
        alone = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=alone) for command in self.commands]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for process in self.processes:
            if kind is not None:
                process.terminate()
            process.wait()


def _print_trial(line: dict[str, Any]) -> None:
    value = "no result" if line["value"] is None else f"{line['value']:.4f}"
    print(f"trial {line['number']}: {value} after {line['epochs']} epochs, {line['state']}", flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
