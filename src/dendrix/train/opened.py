"""A run folder with its data: what evaluation, records and reports begin with."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..core.files import read_json
from ..data import Dataset, ImageDataset, ImageFiles, image_batches, loader
from ..io import Checkpoint, load_checkpoint
from ..models import DendriticNet
from ..pretrained import find_run
from .continual import PermutedTasks, load_split, recipe_from_dict
from .data import DigitsData, source_from_dict
from .metrics import Scores, score, score_images
from .record import RUN

Split = Literal["train", "valid", "test"]


class Opened(NamedTuple):
    """A trained network and a split of the data it was trained on."""

    checkpoint: Checkpoint
    data: Dataset | ImageDataset | ImageFiles | PermutedTasks
    batches: Iterable[Any]

    def score(self) -> Scores:
        """How good the network is on these data; delays are integers."""
        if isinstance(self.data, ImageDataset | ImageFiles):
            return score_images(self.checkpoint.model, self.batches)
        return score(self.checkpoint.model, self.batches, self.checkpoint.decision)


def open_run(run: Path, split: Split, root: Path | None = None) -> Opened:
    """The network of a run, a split of the data it was trained on, and the batches of that split.

    Args:
        run: the folder, or the name of a network that comes with dendrix.
        split: which part of the data.
        root: the data folder, if it has moved.
    Raises:
        OSError: the run or its data are not there, or may not be read.
        ValueError: a file of the run or the data is damaged.
    """
    folder = find_run(run)
    checkpoint = load_checkpoint(folder)
    try:
        saved = read_json(folder / RUN)["recipe"]
        if isinstance(checkpoint.model, DendriticNet):
            recipe = recipe_from_dict(saved)
            tasks = load_split(recipe if root is None else replace(recipe, root=root), split)
            return Opened(checkpoint, tasks, tasks.batches())
        source = source_from_dict(saved["data"])
    except KeyError as error:
        raise ValueError(f"{folder / RUN}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except TypeError as error:
        raise ValueError(f"{folder / RUN}: expected the recipe of the run, but {error}. Was it edited by hand?") from error
    if root is not None:
        if isinstance(source, DigitsData):
            raise ValueError(f"root: expected none, as these data are in no folder, got {root}. Leave it out.")
        source = replace(source, root=root)
    data: Dataset | ImageDataset | ImageFiles = getattr(source.load(), split)
    if isinstance(data, ImageDataset | ImageFiles):
        return Opened(checkpoint, data, image_batches(data))
    return Opened(checkpoint, data, loader(data, 64, tail_steps=checkpoint.decision.tail_steps(data.dt_ms)))
