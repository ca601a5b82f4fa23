"""The command `train`: options around a recipe, the run folder, event files, and one sentence on the result."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..run_folder.record import RunRecord, caveat, is_text
from ..run_folder.state import run_folder
from .distributed.processes import expect_all_alive, first_process
from .loop import Watcher, train_recipe
from .tensorboard import EventFiles


@dataclass(frozen=True)
class TrainRun:
    """The options of `dendrix train NAME`: the fields of its recipe, and where the result goes."""

    recipe: Annotated[Any, tyro.conf.arg(name="")]
    """Any `Recipe`; the command line reads the type of its fields from the recipe itself."""
    out: Path | None = None
    """Folder of the run, which must not exist; by default runs/NAME-SEED."""
    resume: bool = False
    """Go on with the unfinished run in the folder, after its last complete epoch; where there is none, start."""
    tensorboard: bool = False
    """Also write the metrics as event files for TensorBoard: `tensorboard --logdir runs`."""
    report: bool = True
    """At the end write report.html into the folder, if matplotlib is there; `dendrix report` makes it again."""
    json: bool = False
    """Print the record of the run as JSON, and no progress bar."""


def train_run(run: TrainRun, name: str) -> tuple[RunRecord, Path]:
    """Train, and return the record and the folder."""
    target = run.out or Path("runs") / f"{name.replace(':', '-')}-{run.recipe.seed}"
    with run_folder(target, run.resume, writes=first_process()) as folder, expect_all_alive(), _watched(run, folder) as watch:
        return train_recipe(run.recipe, folder, name=name, quiet=run.json, resume=run.resume, watch=watch), folder


@contextmanager
def _watched(run: TrainRun, folder: Path) -> Iterator[Watcher | None]:
    """What writes event files into the folder of a run, if the user wants them."""
    if not run.tensorboard:
        yield None
        return
    with closing(EventFiles(folder)) as events:
        yield events.write


def summary(record: RunRecord) -> str:
    """One sentence on how a training went."""
    recipe, best = record["recipe"], record["progress"] or {}
    if is_text(recipe):
        return f"Best validation loss {best['best_loss']:.4f} nats per token, epoch {best['best_epoch'] + 1} ({best['stopped']})."
    if best["best_accuracy"] is None:
        return f"Trained for {best['epoch']} epochs; nothing was held out to validate on."
    said = f"Best validation accuracy {best['best_accuracy']:.1%}, epoch {best['best_epoch'] + 1} ({best['stopped']})."
    return f"{said} {caveat(recipe)}".rstrip()
