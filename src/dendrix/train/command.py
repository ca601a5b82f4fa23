"""The command `train`: its options, the run folder, event files, and a summary of the result."""

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
from .memory import keep_freed_memory
from .tensorboard import EventFiles


@dataclass(frozen=True)
class TrainRun:
    """The options of `dendrix train NAME`: the fields of its recipe, and where the result goes."""

    recipe: Annotated[Any, tyro.conf.arg(name="")]
    """Recipe to train; the command line makes an option of each of its fields."""
    out: Path | None = None
    """Folder of the run, which must not exist; by default runs/NAME-SEED."""
    resume: bool = False
    """Continue the unfinished run in the folder after its last complete epoch, or start if there is none."""
    tensorboard: bool = False
    """Also write the metrics as event files for TensorBoard: `tensorboard --logdir runs`."""
    report: bool = True
    """Report at the end, report.html in the folder, if matplotlib is installed; --no-report turns it off."""
    json: bool = False
    """Print the record of the run as JSON, without a progress bar."""


def train_run(run: TrainRun, name: str) -> tuple[RunRecord, Path]:
    """Train a recipe; return the record and the folder of the run."""
    keep_freed_memory()
    target = run.out or Path("runs") / f"{name.replace(':', '-')}-{run.recipe.seed}"
    with run_folder(target, run.resume, writes=first_process()) as folder, expect_all_alive(), _watched(run, folder) as watch:
        return train_recipe(run.recipe, folder, name=name, quiet=run.json, resume=run.resume, watch=watch), folder


@contextmanager
def _watched(run: TrainRun, folder: Path) -> Iterator[Watcher | None]:
    """Yield the function that writes event files into the folder of a run, or None if none are requested."""
    if not run.tensorboard:
        yield None
        return
    with closing(EventFiles(folder)) as events:
        yield events.write


def summary(record: RunRecord) -> str:
    """Return one sentence on the result of a training."""
    recipe, best = record["recipe"], record["progress"] or {}
    if is_text(recipe):
        return f"Best validation loss {best['best_loss']:.4f} nats per token, epoch {best['best_epoch'] + 1} ({best['stopped']})."
    if best["best_accuracy"] is None:
        return f"Trained for {best['epoch']} epochs without validation data."
    said = f"Best validation accuracy {best['best_accuracy']:.1%}, epoch {best['best_epoch'] + 1} ({best['stopped']})."
    return f"{said} {caveat(recipe)}".rstrip()
