"""Training of the caller's own network and data."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from ..checks import SEEDS, expect_count, expect_flag, expect_path
from ..core.foreign import foreign
from ..core.trust import class_path
from ..data import Dataset, ImageDataset, ImageFiles, Splits
from ..data.arrays import as_splits, held_out, read_arrays
from ..errors import InputError, InputTypeError
from ..models import Decision
from ..models.description import describe
from ..run_folder.checkpoint import WEIGHTS
from ..run_folder.record import RunRecord
from ..run_folder.state import run_folder
from .checked import expect_trainable
from .distributed.processes import expect_all_alive, first_process
from .image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe
from .loop import train_recipe
from .recipe import DataSource, Recipe, Source, load_splits
from .sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe


@dataclass(frozen=True)
class ArrayData(DataSource):
    """Arrays in an `.npz` file: x and y, and optionally lengths, labels and dt_ms."""

    name = "arrays"

    root: Path | None = None
    """Training file."""
    valid: Path | float = 0.1
    """Validation file, or the share of the training data to hold out."""
    test: Path | None = None
    """Test file; by default the validation data."""
    split_seed: int = 0
    """Seed of the choice of held-out data."""

    def load(self) -> Splits[Any]:
        """Load the three splits.

        Raises:
            OSError, InputError: see `read_arrays`.
        """
        if self.root is None:
            raise InputError("root: expected the path of an .npz, got none. Give --data.root FILE.npz.")
        train = read_arrays(self.root)
        valid: Any = None if isinstance(self.valid, float) else read_arrays(self.valid, labels=train.labels)
        if isinstance(self.valid, float):
            train, valid = held_out(train, self.valid, self.split_seed)
        return Splits(train, valid, valid if self.test is None else read_arrays(self.test, labels=train.labels))


@dataclass(frozen=True)
class MemoryData(DataSource):
    """Data that the caller passed in memory. They cannot be restored from a run record."""

    name = "memory"

    items: int = 0
    """Number of training items."""
    splits: Splits[Any] | None = field(default=None, repr=False, compare=False)

    def load(self) -> Splits[Any]:
        """Return the three splits.

        Raises:
            InputError: the source was restored from a run record.
        """
        if self.splits is None:
            raise InputError(
                "data: expected a source that can be read again, but this run was trained on arrays in memory. Give --data FILE.npz."
            )
        return self.splits

    def to_dict(self) -> dict[str, Any]:
        """Return the number of items; the record holds the fingerprint of the data."""
        return {"name": self.name, "items": self.items}


@dataclass(frozen=True)
class GivenNetwork:
    """An existing network in place of a configuration."""

    network: nn.Module

    def build(self) -> nn.Module:
        """Return a copy: a failed training, and hooks set by the training, leave the caller's network unchanged.

        Raises:
            InputError: the network cannot be copied.
        """
        with foreign("network: expected a module that copy.deepcopy copies", "Keep open files and computed tensors out of its attributes."):
            return copy.deepcopy(self.network)

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the network, without weights."""
        return {"network": class_path(type(self.network)), "described": describe(self.network)}


def fit(
    network: nn.Module,
    data: Any,
    validation: Any = 0.1,
    *,
    folder: str | Path,
    test: Any = None,
    labels: Sequence[str] | None = None,
    dt_ms: float = 1.0,
    columns: tuple[str, str] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    decision: Decision | None = None,
    early: float = 0.0,
    optim: SequenceOptim | ImageOptim | None = None,
    budget: Budget | ImageBudget | None = None,
    augment: SequenceAugment | ImageAugment | None = None,
    seed: int = 0,
    name: str = "",
    resume: bool = False,
    quiet: bool = False,
) -> RunRecord:
    """Train a network on your data. The folder becomes a run that can be resumed, evaluated, converted and reported like those of recipes.

    Args:
        network: a `Stateful`, or any module from inputs [B, T, ...] to outputs [B, T, K] or [B, K], or from images [B, C, H, W], from 0 to
            1, to outputs [B, K]. Early exits need outputs after every step, so they do not work with a module that returns [B, K]. A copy
            is trained; afterwards the network has the weights of the best epoch.
        data: (x, y) or (x, y, lengths), a torch data set, a Hugging Face data set, `dendrix.data.Splits`, or a `Source`; see
            `dendrix.data.as_dataset`. Sequences are [T, C], images [C, H, W].
        validation: data of the same kind, or the share of the training data to hold out, stratified by class. Not used with `Splits` or
            a `Source`, which have their own.
        folder: folder of the run, which must not exist unless it is resumed.
        test: test data; by default the validation data.
        labels: names of the classes.
        dt_ms: length of a time step, in ms.
        columns: names of the columns of inputs and classes in a Hugging Face data set.
        epochs, batch_size, lr: the most common settings of `budget` and `optim`.
        decision: how outputs become a decision; by default the mean over time.
        early: share of the loss that is computed from the decision after every step.
        optim, budget, augment: all other settings: `SequenceOptim`, `Budget` and `SequenceAugment`, or `ImageOptim`, `ImageBudget` and
            `ImageAugment`. Their defaults are those of the recipes, but without augmentation.
        seed: seed of the held-out data, the data order, dropout and augmentation. The initial weights are those of the network.
        name: name of the run in its record; by default that of the folder.
        resume: continue the unfinished run in the folder, or start if there is none.
        quiet: show no progress bar, and write warnings only into the record.
    Returns:
        the content of `run.json`.
    Raises:
        InputTypeError, InputError: the network or the data have an unsupported type or do not fit together, or settings contradict each
            other.
        FileExistsError: the folder exists.
        DivergedError: the loss, its gradient or a neuron's state is no longer finite.
    """
    expect_trainable(network)
    target = expect_path(folder, "folder")
    if decision is not None and not isinstance(decision, Decision):
        raise InputTypeError(f"decision: expected a dendrix.models.Decision, got {decision!r}. Pass Decision('mean') or another.")
    for flag, value in (("resume", resume), ("quiet", quiet)):
        expect_flag(value, flag)
    expect_count(seed, SEEDS, "seed")
    source = _source(data, validation, test, seed, labels=labels, dt_ms=dt_ms, columns=columns)
    splits = load_splits(source)
    common: dict[str, Any] = {"data": source, "model": GivenNetwork(network), "seed": seed}
    settings = _Settings(optim, budget, augment, lr, {"epochs": epochs, "batch_size": batch_size})
    recipe: Recipe
    if isinstance(splits.train, ImageDataset | ImageFiles):
        if decision is not None or early:
            raise InputError("decision: expected none for images, which have one output per class, got one. Leave decision and early out.")
        recipe = ImageRecipe(**common, **settings.of(ImageOptim(), ImageBudget(), ImageAugment(shift=0, flip=False)))
    elif isinstance(splits.train, Dataset):
        chosen = settings.of(SequenceOptim(), Budget(), SequenceAugment())
        recipe = SequenceRecipe(**common, **chosen, decision=decision or Decision(), early=early)
    else:
        raise InputTypeError(f"data: expected sequences or images, got {type(splits.train).__name__}. Train text by its recipes.")
    with run_folder(target, resume, writes=first_process()) as place, expect_all_alive():
        record = train_recipe(recipe, place, name=name or target.name, quiet=quiet, resume=resume)
    network.load_state_dict(safetensors.torch.load((target / WEIGHTS).read_bytes()))
    return record


@dataclass(frozen=True)
class _Settings:
    """Settings of the caller, with the shortcuts for the most common ones."""

    optim: Any
    budget: Any
    augment: Any
    lr: float | None
    counts: dict[str, int | None]

    def of(self, optim: Any, budget: Any, augment: Any) -> dict[str, Any]:
        """Return the settings of a recipe, given the defaults for its kind of data."""
        chosen = {}
        for name, default in (("optim", optim), ("budget", budget), ("augment", augment)):
            given = getattr(self, name)
            if given is not None and type(given) is not type(default):
                raise InputTypeError(f"{name}: expected {type(default).__name__} for these data, got {type(given).__name__}.")
            chosen[name] = default if given is None else given
        if self.lr is not None:
            chosen["optim"] = replace(chosen["optim"], lr=self.lr)
        changes = {name: value for name, value in self.counts.items() if value is not None}
        return {**chosen, "budget": replace(chosen["budget"], **changes)}


def _source(data: Any, validation: Any, test: Any, seed: int, **options: Any) -> Source:
    """Return the source of the splits."""
    if isinstance(data, Source) and not isinstance(data, type):
        return data
    if isinstance(data, str | Path):
        valid = validation if isinstance(validation, float) else expect_path(validation, "validation")
        return ArrayData(expect_path(data, "data"), valid, None if test is None else expect_path(test, "test"), seed)
    splits = data if isinstance(data, Splits) else as_splits(data, validation, test, seed=seed, **options)
    return MemoryData(len(splits.train), splits)
