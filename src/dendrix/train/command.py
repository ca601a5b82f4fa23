"""What the commands `train`, `evaluate` and `info` do; the command line only parses and prints."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from ..core.dispatch import known_kernels
from ..data import ImageDataset, ImageFiles
from ..data.speech.fsdd import fsdd_recordings
from ..errors import InputError
from ..exits import ExitRecord
from ..exits.recorder import record_outputs
from ..run_folder.record import METRICS, caveat, environment, is_text, new_folder, read_lines
from ..run_folder.state import run_folder
from ..runs.opened import Split, answers_at_once, open_run
from ..runs.viewing import EVIDENCE
from .continual.learner import ContinualRecipe, fit_continual
from .distributed.processes import expect_all_alive, first_process
from .image.recipe import ImageRecipe
from .loop import Watcher, fit
from .metrics import Scores
from .sentence.recipe import SentenceRecipe
from .sequence.recipe import SequenceRecipe
from .tensorboard import EventFiles
from .text.recipe import TextRecipe


@dataclass(frozen=True)
class TrainRun:
    """The options of `dendrix train NAME`: the fields of its recipe, and where the result goes."""

    recipe: Annotated[SequenceRecipe | ImageRecipe | TextRecipe | SentenceRecipe | ContinualRecipe, tyro.conf.arg(name="")]
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


def train_run(run: TrainRun, name: str) -> tuple[dict[str, Any], Path]:
    """Train, and return the record and the folder."""
    target = run.out or Path("runs") / f"{name.replace(':', '-')}-{run.recipe.seed}"
    if isinstance(run.recipe, ContinualRecipe):
        if run.resume:
            raise InputError(f"resume: expected a recipe whose runs can be resumed, got {name}. Start it again without --resume.")
        with new_folder(target) as folder, _watched(run, folder) as watch:
            record = fit_continual(run.recipe, folder, name=name, quiet=run.json)
            if watch is not None:
                watch(read_lines(folder / METRICS))
            return record, target
    with run_folder(target, run.resume, writes=first_process()) as folder, expect_all_alive(), _watched(run, folder) as watch:
        return fit(run.recipe, folder, name=name, quiet=run.json, resume=run.resume, watch=watch), target


@contextmanager
def _watched(run: TrainRun, folder: Path) -> Iterator[Watcher | None]:
    """What writes event files into the folder of a run, if the user wants them."""
    if not run.tensorboard:
        yield None
        return
    with closing(EventFiles(folder)) as events:
        yield events.write


def summary(record: dict[str, Any]) -> str:
    """One sentence on how a training went."""
    if (best := record.get("progress")) and is_text(record["recipe"]):
        return f"Best validation loss {best['best_loss']:.4f} nats per token, epoch {best['best_epoch'] + 1} ({best['stopped']})."
    if best:
        said = f"Best validation accuracy {best['best_accuracy']:.1%}, epoch {best['best_epoch'] + 1} ({best['stopped']})."
        return f"{said} {caveat(record['recipe'])}".rstrip()
    tasks, accuracy = record["recipe"]["model"]["tasks"], record["valid_accuracy"]
    return f"Learned {tasks} tasks one after another" + ("." if accuracy is None else f"; validation accuracy over all {accuracy:.1%}.")


def evaluate_run(folder: Path, split: Literal["test", "valid"], root: Path | None = None) -> Scores:
    """Score the network of a run folder on a split of the data it was trained on; delays are integers.

    Args:
        folder: the run.
        split: "test" or "valid".
        root: the data folder, if it has moved.
    """
    return open_run(folder, split, root).score()


def record_run(folder: Path, split: Split, root: Path | None = None, progress: Callable[[int, int], None] | None = None) -> ExitRecord:
    """What the network of a run folder, with integer delays, answers after every step of a split: for fitting exit rules.

    Args:
        folder: the run.
        split: "train", "valid" or "test", all in their own order and unchanged.
        root: the data folder, if it has moved.
        progress: called with the number of inputs so far and of all.
    """
    checkpoint, data, batches = open_run(folder, split, root)
    if answers_at_once(checkpoint, data):
        raise InputError(
            f"{folder}: expected a network that answers over time, got one that answers at once. "
            f"Convert it first: dendrix convert {folder}."
        )
    seen = None if progress is None else lambda done: progress(done, len(data))
    if isinstance(data, ImageDataset | ImageFiles):
        return record_outputs(checkpoint.model, batches, EVIDENCE, progress=seen)
    return record_outputs(checkpoint.model, batches, checkpoint.decision.accumulation, data.dt_ms, seen)


def describe() -> dict[str, Any]:
    """Versions, device, kernels and data of this installation."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {**environment(device), "kernels": known_kernels(), "data": _data_found()}


def _data_found() -> str:
    root = os.environ.get("DENDRIX_DATA")
    if root is None:
        return "DENDRIX_DATA is not set; digits come with scikit-learn, fsdd needs a folder"
    try:
        clips = fsdd_recordings(root)
    except (OSError, ValueError) as error:
        return str(error)
    return f"{root}: {len(clips.waves)} clips of fsdd"
