"""What the commands `train`, `evaluate` and `info` do; the command line only parses and prints."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from ..core.files import read_json
from ..core.kernels import known_kernels
from ..data import Dataset, ImageDataset, image_batches, loader
from ..data.fsdd import fsdd_recordings
from ..exits import Record
from ..exits.network import record
from ..io import Checkpoint, load_checkpoint
from ..models import DendriticNet
from ..pretrained import find_run
from .continual import ContinualRecipe, PermutedTasks, fit_continual, load_split, recipe_from_dict
from .data import DigitsData, source_from_dict
from .image_recipe import ImageRecipe
from .loop import fit
from .metrics import Scores, score, score_images
from .processes import expect_all_alive, first_process
from .recipe import Recipe
from .record import RUN, environment, new_folder
from .run import run_folder

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class TrainRun:
    """The options of `dendrix train NAME`: the fields of its recipe, and where the result goes."""

    recipe: Annotated[Recipe | ImageRecipe | ContinualRecipe, tyro.conf.arg(name="")]
    out: Path | None = None
    """Folder of the run, which must not exist; by default runs/NAME-SEED."""
    resume: bool = False
    """Go on with the unfinished run in the folder, after its last complete epoch; where there is none, start."""
    json: bool = False
    """Print the record of the run as JSON, and no progress bar."""


def train_run(run: TrainRun, name: str) -> tuple[dict[str, Any], Path]:
    """Train, and return the record and the folder."""
    target = run.out or Path("runs") / f"{name.replace(':', '-')}-{run.recipe.seed}"
    if isinstance(run.recipe, ContinualRecipe):
        if run.resume:
            raise ValueError(f"resume: expected a recipe whose runs can be resumed, got {name}. Start it again without --resume.")
        with new_folder(target) as folder:
            return fit_continual(run.recipe, folder, name=name, quiet=run.json), target
    with run_folder(target, run.resume, writes=first_process()) as folder, expect_all_alive():
        return fit(run.recipe, folder, name=name, quiet=run.json, resume=run.resume), target


def summary(record: dict[str, Any]) -> str:
    """One sentence on how a training went."""
    if best := record.get("progress"):
        return f"Best validation accuracy {best['best_accuracy']:.1%}, epoch {best['best_epoch'] + 1} ({best['stopped']})."
    tasks, accuracy = record["recipe"]["model"]["tasks"], record["valid_accuracy"]
    return f"Learned {tasks} tasks one after another" + ("." if accuracy is None else f"; validation accuracy over all {accuracy:.1%}.")


def evaluate_run(folder: Path, split: Literal["test", "valid"], root: Path | None = None) -> Scores:
    """Score the network of a run folder on a split of the data it was trained on; delays are integers.

    Args:
        folder: the run.
        split: "test" or "valid".
        root: the data folder, if it has moved.
    """
    checkpoint, data, batches = _open_run(folder, split, root)
    if isinstance(data, ImageDataset):
        return score_images(checkpoint.model, batches)
    return score(checkpoint.model, batches, checkpoint.decision)


def record_run(folder: Path, split: Split, root: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Record:
    """What the network of a run folder, with integer delays, answers after every step of a split: for fitting exit rules.

    Args:
        folder: the run.
        split: "train", "valid" or "test", all in their own order and unchanged.
        root: the data folder, if it has moved.
        progress: called with the number of inputs so far and of all.
    """
    checkpoint, data, batches = _open_run(folder, split, root)
    if isinstance(data, ImageDataset):
        raise ValueError(f"{folder}: expected a network that answers over time, got one that answers at once. Convert it to spikes first.")
    seen = None if progress is None else lambda done: progress(done, len(data))
    return record(checkpoint.model, batches, checkpoint.decision.how, data.dt_ms, seen)


def _open_run(folder: Path, split: Split, root: Path | None) -> tuple[Checkpoint, Dataset | ImageDataset | PermutedTasks, Iterable[Any]]:
    """The network of a run folder, a split of the data it was trained on, and the batches of that split."""
    folder = find_run(folder)
    checkpoint = load_checkpoint(folder)
    try:
        saved = read_json(folder / RUN)["recipe"]
        if isinstance(checkpoint.model, DendriticNet):
            recipe = recipe_from_dict(saved)
            tasks = load_split(recipe if root is None else replace(recipe, root=root), split)
            return checkpoint, tasks, tasks.batches()
        source = source_from_dict(saved["data"])
    except KeyError as error:
        raise ValueError(f"{folder / RUN}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except TypeError as error:
        raise ValueError(f"{folder / RUN}: expected the recipe of the run, but {error}. Was it edited by hand?") from error
    if root is not None:
        if isinstance(source, DigitsData):
            raise ValueError(f"root: expected none, as these data are in no folder, got {root}. Leave it out.")
        source = replace(source, root=root)
    data: Dataset | ImageDataset = getattr(source.load(), split)
    if isinstance(data, ImageDataset):
        return checkpoint, data, image_batches(data)
    return checkpoint, data, loader(data, 64, tail_steps=checkpoint.decision.tail_steps(data.dt_ms))


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
