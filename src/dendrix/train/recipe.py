"""Protocols of training: a recipe describes an experiment, a source loads its data, a configuration builds its network."""

import json
import reprlib
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, cast, runtime_checkable

from torch import nn

from ..core.foreign import foreign, reason
from ..core.trust import class_path
from ..data import Encoder, encoder_from_dict, encoder_to_dict
from ..errors import InputError, InputTypeError
from ..run_folder.state import TrainingLength

if TYPE_CHECKING:
    from .learner import Learner


class AnySplits(Protocol):
    """Training, validation and test data. Choose settings on `valid`; report figures on `test`."""

    @property
    def train(self) -> Any:
        """Training data."""

    @property
    def valid(self) -> Any:
        """Validation data."""

    @property
    def test(self) -> Any:
        """Test data."""

    def fingerprint(self) -> str:
        """Return a digest of the training and validation data."""


@runtime_checkable
class Source(Protocol):
    """Description of data that can be loaded: a frozen dataclass whose fields are options on the command line."""

    def load(self) -> Any:
        """Load the three splits, such as `dendrix.data.Splits`."""

    def to_dict(self) -> dict[str, Any]:
        """The description as plain JSON values, with its name under "name"."""


@runtime_checkable
class NetworkConfig(Protocol):
    """Configuration of a network: a frozen dataclass whose fields are options on the command line."""

    def build(self) -> nn.Module:
        """Build the network with its initial weights."""


class Recipe(Protocol):
    """One experiment: a frozen dataclass."""

    @property
    def seed(self) -> int:
        """Seed of the initial parameters, the data order, dropout and augmentation."""

    @property
    def data(self) -> Source:
        """Source of the data."""

    @property
    def budget(self) -> TrainingLength:
        """Length of the training."""

    def learner(self, splits: Any, accelerator: Any) -> "Learner":
        """Build the learner: the network, its optimiser and its data on the device of this process."""


class DataSource:
    """Base of sources whose fields are plain values, an encoder and paths. A subclass is a frozen dataclass with the method `load`."""

    name: ClassVar[str] = ""
    """Name in run records; a class without one is recorded by its module and class."""

    def to_dict(self) -> dict[str, Any]:
        """The description as plain JSON values, with its name under "name"."""
        values = {part.name: getattr(self, part.name) for part in fields(cast(Any, self))}
        return {"name": self.name or class_path(type(self)), **{name: _plain(value) for name, value in values.items()}}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """Restore a source from the values of `to_dict`, without the name."""
        restored: dict[str, Callable[[Any], object]] = {"encoder": encoder_from_dict, "root": Path}
        return cls(**{name: restored[name](value) if value and name in restored else value for name, value in saved.items()})

    def at(self, root: Path) -> Self:
        """Return the source of the same data in another folder.

        Raises:
            InputError: this source reads no folder.
        """
        if "root" not in {part.name for part in fields(cast(Any, self))}:
            raise InputError(f"root: expected none for data that are not read from a folder, got {root}. Leave it out.")
        return type(self)(**{**vars(self), "root": root})


def load_splits(source: Source) -> AnySplits:
    """The three splits of a source.

    Raises:
        OSError, InputError: they cannot be loaded.
        InputTypeError: what it loads is no splits.
    """
    with foreign("data: expected load() to return the splits", "Mend the source or its data."):
        splits: Any = source.load()
    if not all(hasattr(splits, name) for name in ("train", "valid", "test", "fingerprint")):
        raise InputTypeError(
            f"data: expected load() to return dendrix.data.Splits, got {type(splits).__name__}. Return Splits(train, valid, test)."
        )
    return cast(AnySplits, splits)


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values, for the run record.

    Raises:
        InputTypeError: a part of it says something else of itself.
    """
    found = {part.name: _plain(getattr(recipe, part.name)) for part in fields(cast(Any, recipe))}
    try:
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"recipe: expected fields, and their to_dict(), as plain JSON values, got {reason(error)} Mend it.") from error
    if not isinstance(data := found.get("data"), dict) or "name" not in data:
        raise InputTypeError(f"data: expected to_dict() to return a dict with a name, got {reprlib.repr(data)}. Return {{'name': ...}}.")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Encoder):
        return encoder_to_dict(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
