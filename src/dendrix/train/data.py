"""The data of a recipe: a frozen description that loads the splits, and that a run record can bring back."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ..core import expect_one_of
from ..data import Cochlea, Encoder, LogMel, PublishedCochlea, Splits, commands, digits, encoder_from_dict, encoder_to_dict, fsdd


@dataclass(frozen=True)
class DigitsData:
    """The handwritten digits of scikit-learn, sent row by row as spikes."""

    row_steps: int = 8
    """The window of one row, in steps; a brighter pixel fires earlier in it."""
    dt_ms: float = 1.0
    """The time step, in ms."""

    def load(self) -> Splits:
        """The three splits, encoded."""
        return digits(self.row_steps, self.dt_ms)


@dataclass(frozen=True)
class FsddData:
    """The Free Spoken Digit Dataset."""

    encoder: Cochlea | LogMel | PublishedCochlea = field(default_factory=Cochlea)
    """What the network hears with."""
    root: Path | None = None
    """The folder of wav files or of fsdd.npz; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits:
        """The three splits, encoded."""
        return fsdd(self.encoder, self.root)


@dataclass(frozen=True)
class CommandsData:
    """The Arabic Speech Commands, splits without a common speaker."""

    encoder: Cochlea | LogMel | PublishedCochlea = field(default_factory=Cochlea)
    """What the network hears with."""
    words: Literal[40, 20] = 40
    """All words, or the digits and ten commands that the usual keyword tasks have too."""
    root: Path | None = None
    """The file arabic_commands40.npz or its folder; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits:
        """The three splits, encoded."""
        return commands(self.encoder, self.root, words=self.words)


DataSource = DigitsData | FsddData | CommandsData
SOURCES: dict[str, type[DataSource]] = {"digits": DigitsData, "fsdd": FsddData, "commands": CommandsData}


def source_to_dict(source: DataSource) -> dict[str, Any]:
    """The description as plain JSON values, with its name under "name"."""
    saved: dict[str, Any] = {"name": next(name for name, kind in SOURCES.items() if type(source) is kind)}
    for part in fields(source):
        value = getattr(source, part.name)
        saved[part.name] = encoder_to_dict(value) if isinstance(value, Encoder) else str(value) if isinstance(value, Path) else value
    return saved


def source_from_dict(saved: dict[str, Any]) -> DataSource:
    """The description that `source_to_dict` stored."""
    values = dict(saved)
    kind = SOURCES[expect_one_of(values.pop("name", ""), SOURCES, "data")]
    for key, restore in (("encoder", encoder_from_dict), ("root", Path)):
        if values.get(key):
            values[key] = restore(values[key])
    return kind(**values)
