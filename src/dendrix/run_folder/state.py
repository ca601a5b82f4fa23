"""State of a training run on disk, consistent after a kill, a full disk or an interrupted save at any time."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import safetensors
import safetensors.torch
from torch import Tensor

from ..core import chosen_kernels
from ..core.files import direct, expect_folder, identity, locked, making, write_atomic, write_json
from ..errors import InputError
from .checkpoint import WEIGHTS
from .record import METRICS, RUN, RunRecord, read_record, write_lines

_STATE = "resume-{:05}.safetensors"
_STATES = "resume-*.safetensors"
_OPEN = (None, "interrupted")
_BRIEF = 70
"""Longest value in an error message, in characters."""


Chooses = Literal["accuracy", "loss", "last"]
"""Choice of the network to keep: highest validation accuracy (ties by loss), lowest validation loss, or the last one."""


class TrainingLength(Protocol):
    """Length of a training, in epochs of the record."""

    @property
    def epochs(self) -> int:
        """Largest number of epochs."""

    def last_epoch(self, best: int) -> float:
        """Return the last epoch to train, counted from 0, if none is better than epoch `best`."""


@dataclass
class Progress:
    """Progress of a training run after its last complete epoch."""

    epoch: int = 0
    """Number of complete epochs."""
    step: int = 0
    best_epoch: int = -1
    best_accuracy: float | None = None
    """Best validation accuracy; None without validation data."""
    best_loss: float | None = None
    stopped: str | None = None
    """Reason why the training ended; None while it runs."""

    def improve(self, accuracy: float | None, loss: float | None, chooses: Chooses = "accuracy") -> bool:
        """Count an epoch and return whether its network is the best so far. A score of None was not measured."""
        if chooses == "last" or self.best_accuracy is None or self.best_loss is None or accuracy is None or loss is None:
            better = True
        elif chooses == "loss":
            better = loss < self.best_loss
        else:
            better = (accuracy, -loss) > (self.best_accuracy, -self.best_loss)
        if better:
            self.best_epoch, self.best_accuracy, self.best_loss = self.epoch, accuracy, loss
        self.epoch += 1
        return better

    def over(self, budget: TrainingLength) -> str | None:
        """Return the reason to stop now, or None. It depends on the progress alone, so a resumed run stops at the same epoch."""
        last = self.epoch - 1
        if self.epoch == budget.epochs:
            return "finished"
        return "no better validation" if last > self.best_epoch and last >= budget.last_epoch(self.best_epoch) else None


@dataclass
class Run:
    """A training run and its folder.

    After every epoch the folder holds the best network, the metrics, `run.json`, and a state file for resuming. A new state file is
    written completely before the second-last one is removed, and all other files can be written again from it, so a complete epoch is
    never lost. The state files are removed at the end of the training.
    """

    folder: Path
    about: dict[str, Any]
    """Fields of `run.json` that are known at the start: name, recipe, data and environment."""
    writes: bool = True
    """Whether this process writes; only one of several does."""
    progress: Progress = field(default_factory=Progress)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    warnings: dict[str, str] = field(default_factory=dict)
    kernels: dict[str, str] = field(default_factory=dict)
    unprinted: list[str] = field(default_factory=list)
    """Warnings from resuming that have not been printed yet."""
    started: float = field(default_factory=time.perf_counter)
    """Start of the training on the clock of this process, as if it had never been interrupted."""

    def __post_init__(self) -> None:
        self._identity = identity(self.folder)

    def expect_folder(self) -> None:
        """Check that the folder was not renamed or removed, because everything trained after that would be lost.

        Raises:
            FileNotFoundError: the folder does not exist, or another one has its name.
        """
        if self.writes and identity(self.folder) != self._identity:
            raise FileNotFoundError(
                f"{self.folder}: expected the folder of this training, but it was renamed or removed. Give it back this name, and train "
                "again with --resume to go on."
            )

    @property
    def seconds(self) -> float:
        """Total duration of the training, in s."""
        return time.perf_counter() - self.started

    def warn(self, warnings: dict[str, str]) -> list[str]:
        """Record new warnings, each once for the whole run, and return them after those from resuming."""
        new = {key: f"Epoch {self.progress.epoch + 1}: {sentence}" for key, sentence in warnings.items() if key not in self.warnings}
        self.warnings |= new
        pending, self.unprinted = [*self.unprinted, *new.values()], []
        return pending

    def record(self) -> RunRecord:
        """Return the content of `run.json`."""
        self.kernels |= chosen_kernels()
        known: dict[str, Any] = {
            **self.about,
            "progress": asdict(self.progress) if self.progress.epoch else None,
            "warnings": list(self.warnings.values()),
            "seconds": self.seconds,
            "kernels": self.kernels,
        }
        return cast(RunRecord, known)

    def write(self) -> RunRecord:
        """Write the record and the metrics."""
        record = self.record()
        self.expect_folder()
        if self.writes:
            write_lines(self.folder / METRICS, self.metrics)
            write_json(self.folder / RUN, record)
        return record

    def save(self, tensors: dict[str, Tensor]) -> None:
        """Write a state file for resuming, the record and the metrics."""
        self.expect_folder()
        if self.writes:
            facts = {
                "progress": asdict(self.progress),
                "metrics": self.metrics,
                "warnings": self.warnings,
                "kernels": self.kernels | chosen_kernels(),
                "seconds": self.seconds,
                "environment": self.about["environment"],
            }
            path = self.folder / _STATE.format(self.progress.epoch)
            write_atomic(path, safetensors.torch.save(_apart(tensors), {"facts": json.dumps(facts, allow_nan=False)}))
            for older in states(self.folder)[2:]:
                older.unlink()
        self.write()

    def finish(self, why: str) -> RunRecord:
        """Write the reason why the training ended and return the record. An interrupted run keeps its state files."""
        self.progress.stopped = why
        record = self.write()
        if self.writes and why not in _OPEN:
            for state in states(self.folder):
                state.unlink()
        return record

    def complete(self) -> RunRecord | None:
        """Return the record if the folder already holds this run and it is complete, else None.

        Raises:
            InputError: the folder holds another run, or its record or weights are damaged.
            FileExistsError: the folder holds other files.
        """
        if not (self.folder / RUN).exists():
            if any(not path.name.startswith(".") for path in self.folder.glob("*")):
                raise FileExistsError(f"{self.folder}: expected an unfinished run, but it has no {RUN}. Choose another folder.")
            return None
        saved = read_record(self.folder)
        for part in ("recipe", "data_sha256"):
            if place := _difference(saved.get(part), json.loads(json.dumps(self.about[part])), part):
                raise InputError(f"{self.folder}: expected to resume the same run, but {place}. Start it in another folder.")
        progress = saved.get("progress")
        if not progress or progress["stopped"] in _OPEN:
            return None
        _expect_weights(self.folder)
        return saved

    def resume(self) -> dict[str, Tensor] | None:
        """Restore the last complete epoch and return its tensors; None if there is none.

        Raises:
            InputError: all state files are damaged.
        """
        for half in self.folder.glob(".*") if self.writes else ():
            half.unlink()
        damaged = []
        for path in states(self.folder):
            try:
                with safetensors.safe_open(path, "pt") as file:
                    facts = json.loads(file.metadata()["facts"])
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                    progress, kept = Progress(**facts["progress"]), [facts[name] for name in ("metrics", "warnings", "kernels")]
                    before, place = facts["environment"], time.perf_counter() - facts["seconds"]
            except (safetensors.SafetensorError, ValueError, TypeError, KeyError, RecursionError):
                damaged.append(path.name)
                continue
            self.progress, self.started = progress, place
            self.metrics, self.warnings, self.kernels = kept
            news = {f"damaged {name}": f"{name} is damaged, resumed from {path.name} instead." for name in damaged}
            if before != self.about["environment"]:
                news[f"environment after {path.name}"] = f"resumed in another environment, before it was {before}."
            self.unprinted = self.warn(news)
            return tensors
        if damaged:
            names = f"{' and '.join(damaged)} {'are' if len(damaged) > 1 else 'is'}"
            raise InputError(f"{self.folder}: expected a state to resume from, but {names} damaged. Start in another folder.")
        return None


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors that share memory with an earlier one, such as a tied head, because the file format refuses them."""
    places, found = set[int](), dict[str, Tensor]()
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in places else tensor
        places.add(place)
    return found


def states(folder: Path) -> list[Path]:
    """Return the state files of an unfinished run, the newest first."""
    return sorted(folder.glob(_STATES), reverse=True)


@contextlib.contextmanager
def run_folder(target: Path, resume: bool = False, writes: bool = True) -> Iterator[Path]:
    """Create and lock the folder of a run; a new folder is removed after an error before the first complete epoch.

    Args:
        target: the folder.
        resume: whether it may exist.
        writes: whether this process creates and removes it.
    Raises:
        FileExistsError: the folder exists and `resume` is False.
        BlockingIOError: another process trains in the folder.
    """
    if writes and target.exists() and not resume:
        hint = "Continue it with --resume, or choose another name." if states(target) else "Choose another name or remove it."
        raise FileExistsError(f"{target}: expected the name of a new folder, but it exists. {hint}")
    if writes:
        expect_folder(target)
    target = direct(target)
    place = Path(os.path.realpath(target))  # follows links
    with contextlib.ExitStack() as stack:
        if writes:
            stack.enter_context(making(place))
            stack.enter_context(locked(place))
            stack.enter_context(_removed_after_an_error(place))
        yield target


@contextlib.contextmanager
def _removed_after_an_error(folder: Path) -> Iterator[None]:
    """Remove a folder that was empty, after an error before it holds a state for resuming, unless it has been replaced by another."""
    was_there, itself = any(folder.iterdir()), identity(folder)
    try:
        yield
    except BaseException:
        if not was_there and identity(folder) == itself and not states(folder):
            shutil.rmtree(folder)
        raise


def _expect_weights(folder: Path) -> None:
    """Refuse a complete run whose weights are missing or damaged."""
    try:
        with safetensors.safe_open(folder / WEIGHTS, "pt"):
            pass
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"{folder / WEIGHTS}: expected the weights of a complete run, but they are missing or damaged. Copy the run again, or train in "
            "another folder."
        ) from error


def _difference(saved: Any, wanted: Any, name: str) -> str | None:
    """Return the first difference of two JSON values, in words."""
    if isinstance(saved, dict) and isinstance(wanted, dict):
        parts = [_difference(saved.get(key), wanted.get(key), f"{name}.{key}") for key in sorted({*saved, *wanted})]
        return next((part for part in parts if part), None)
    return None if saved == wanted else f"{name} was {_brief(saved)} and is {_brief(wanted)}"


def _brief(value: Any) -> str:
    """Return a JSON value in a few words."""
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    text = json.dumps(value)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 3]}..."
