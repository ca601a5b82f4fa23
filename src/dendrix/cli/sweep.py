"""`dendrix sweep`: train a recipe with many settings, compared by validation."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import InputError, InputTypeError, MisuseError
from .output import print_json

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

    The same command again goes on with the sweep. On other machines, the same command with the same --storage helps.

    Args:
        recipe: a name that `dendrix list` shows, or a file of yours.
        space: fields of the recipe and their values: an interval LOW..HIGH, LOW..HIGH:log on a logarithmic scale, or a choice A,B,C.
        trials: how many to complete in all.
        storage: a database URL of Optuna for workers on several machines; by default a file in the folder.
        out: folder of the runs, the table and the figure; by default sweeps/RECIPE.
        name: of the study in the storage; by default that of the recipe.
        jobs: workers on this machine, one thread each if there are several.
        prune: stop a trial early that is worse than the median of the others at the same epoch.
        seed: of the settings that are drawn.
        json: print JSON.
    """
    from ..recipes import find_recipe

    if jobs < 1:
        raise MisuseError(f"--jobs: expected at least 1, got {jobs}.")
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
        told = (lambda line: None) if json else _tell
        lines = run(chosen, read, folder, trials=trials, storage=storage, name=title, prune=prune, seed=seed, told=told)
    if all(line["value"] is None for line in lines):
        raise InputError(f"{folder}: expected at least one trial with a result, but all {len(lines)} diverged. Lower the learning rates.")
    try:
        from ..runs.report.sweep_figure import draw_sweep

        save_figure(draw_sweep(lines, list(read)), folder / "sweep.png")
    except ImportError as error:  # the table is complete without a figure
        print(f"dendrix: no figure was made. {error}", file=sys.stderr)
    if json:
        print_json(lines)
        return
    table = Table("trial", "validation", "epochs", "ended", *read)
    for line in lines[:_SHOWN]:
        shown = "" if line["value"] is None else f"{line['value']:.4f}"
        table.add_row(str(line["number"]), shown, str(line["epochs"]), line["state"], *(_short(line[field]) for field in read))
    Console().print(table)
    print(f"{len(lines)} trials are in {folder}. The best: dendrix evaluate {folder / 'runs' / str(lines[0]['number'])} --split valid")


class _workers:  # noqa: N801 - reads as a context
    """More processes that run the same sweep, ended with this one."""

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


def _tell(line: dict[str, Any]) -> None:
    value = "no result" if line["value"] is None else f"{line['value']:.4f}"
    print(f"trial {line['number']}: {value} after {line['epochs']} epochs, {line['state']}", flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
