"""A run folder with its data: what evaluation, records and reports begin with."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor

from ..data import Dataset, ImageBatch, ImageDataset, ImageFiles, image_batches, loader
from ..data.text.token_sentences import TokenSentences, sentence_batches
from ..errors import InputError
from ..models import Converted, DendriticNet
from ..pretrained import find_run
from ..run_folder.checkpoint import Checkpoint, load_checkpoint
from ..run_folder.record import RUN, read_record
from ..train.continual.learner import PermutedTasks, load_split, recipe_from_dict
from ..train.metrics import Scores, score, score_images
from ..train.sequence.data import AnySource, DigitsData, source_from_dict

Split = Literal["train", "valid", "test"]
_IMAGES_AT_ONCE = 64
"""Of a converted network, whose steps lie in memory side by side."""


class Opened(NamedTuple):
    """A trained network and a split of the data it was trained on."""

    checkpoint: Checkpoint
    data: Dataset | ImageDataset | ImageFiles | TokenSentences | PermutedTasks
    batches: Iterable[Any]

    def score(self) -> Scores:
        """How good the network is on these data; delays are integers."""
        if answers_at_once(self.checkpoint, self.data):
            return score_images(self.checkpoint.model, self.batches)
        return score(self.checkpoint.model, self.batches, self.checkpoint.decision)


def answers_at_once(checkpoint: Checkpoint, data: object) -> bool:
    """Whether the network answers images in one step, and not over time."""
    return isinstance(data, ImageDataset | ImageFiles) and not isinstance(checkpoint.model, Converted)


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
    if isinstance(checkpoint.model, DendriticNet):
        with _expect_recipe(folder):
            recipe = recipe_from_dict(read_record(folder)["recipe"])
        tasks = load_split(recipe if root is None else replace(recipe, root=root), split)
        return Opened(checkpoint, tasks, tasks.batches())
    data: Dataset | ImageDataset | ImageFiles | TokenSentences = getattr(data_of(folder, root).load(), split)
    if isinstance(data, TokenSentences):
        return Opened(checkpoint, data, sentence_batches(data))
    if isinstance(data, Dataset):
        return Opened(checkpoint, data, loader(data, 64, tail_steps=checkpoint.decision.tail_steps(data.dt_ms)))
    if isinstance(checkpoint.model, Converted):
        return Opened(checkpoint, data, _over_time(checkpoint.model, image_batches(data, _IMAGES_AT_ONCE)))
    return Opened(checkpoint, data, image_batches(data))


def data_of(folder: Path, root: Path | None = None) -> AnySource:
    """The description of the data that a run was trained on.

    Args:
        folder: the run.
        root: the data folder, if it has moved.
    Raises:
        OSError: the record of the run is not there, or may not be read.
        ValueError: it is damaged, or these data are in no folder.
    """
    with _expect_recipe(folder):
        source = source_from_dict(read_record(folder)["recipe"]["data"])
    if root is None:
        return source
    if isinstance(source, DigitsData):
        raise InputError(f"root: expected none, as these data are in no folder, got {root}. Leave it out.")
    return replace(source, root=root)


@contextlib.contextmanager
def _expect_recipe(folder: Path) -> Iterator[None]:
    """Say so if the record of a run does not hold a recipe."""
    try:
        yield
    except KeyError as error:
        raise InputError(f"{folder / RUN}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except TypeError as error:
        raise InputError(
            f"{folder / RUN}: expected the recipe of the run, got one with fields missing, or that this version does not know. "
            "Was it edited by hand?"
        ) from error


def _over_time(model: Converted, batches: Iterable[ImageBatch]) -> Iterator[tuple[Tensor, None, Tensor]]:
    """Images as the currents of every step, all of them valid."""
    for x, y in batches:
        yield model.encode(x), None, y
