"""Hyperparameter sweep over the fields of a recipe with Optuna: resumable, distributed over workers, pruned by validation."""

import contextlib
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..checks import SEEDS, expect_count, suggestion
from ..core.files import expect_folder, making, write_json
from ..errors import DivergedError, InputError, MissingExtraError
from ..run_folder.record import is_text
from ..run_folder.state import run_folder
from .loop import train_recipe
from .recipe import recipe_to_dict

R = TypeVar("R")

RESULTS = "sweep.json"
DATABASE = "sweep.db"
_HEARTBEAT_S = 20
"""Interval of a worker's heartbeat. After twice this time without one, another worker takes over its trial."""
_RETRIES = 5
_SPECIAL: dict[Any, Any] = {"true": True, "false": False, "none": None}
"""Values of words, for fields that are not strings."""


@dataclass(frozen=True)
class Range:
    """Values of one field: a choice, or an interval.

    Args:
        choices: values to choose from; empty for an interval.
        low, high: bounds, both included; whole numbers for a field of whole numbers.
        log: draw uniformly on a logarithmic scale.
    """

    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def draw(self, trial: Any, name: str) -> Any:
        """Draw the value of this field for a trial of Optuna."""
        if self.choices:
            return trial.suggest_categorical(name, list(self.choices))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


def read_space(entries: tuple[str, ...]) -> dict[str, Range]:
    """Parse a space, such as `optim.lr=1e-4..1e-1:log`, `model.dropout=0..0.5` and `budget.batch-size=16,32,64`.

    Raises:
        InputError: an entry is neither an interval nor a list of choices, or names a field again.
    """
    space: dict[str, Range] = {}
    for entry in entries:
        name, found, values = entry.partition("=")
        name = name.replace("-", "_")
        if not found or not name or not values:
            raise InputError(f"space: expected FIELD=LOW..HIGH, FIELD=LOW..HIGH:log or FIELD=A,B,C, got '{entry}'. See --help.")
        if name in space:
            raise InputError(f"space: expected each field once, got {name} twice. Leave one out.")
        space[name] = _range(entry, values)
    if not space:
        raise InputError("space: expected at least one field, got none. Give --space optim.lr=1e-4..1e-1:log.")
    return space


def with_fields(recipe: R, values: Mapping[str, Any]) -> R:
    """Return the recipe with these fields changed, each named by its path, such as `optim.lr`.

    Raises:
        InputError: a field does not exist or does not accept its value.
    """
    for path, value in values.items():
        recipe = _with_field(recipe, path, path.split("."), value)
    return recipe


def expect_space(recipe: Any, space: Mapping[str, Range]) -> None:
    """Check that the recipe has these fields, and takes every choice and both ends of every interval.

    Raises:
        InputError: see `with_fields`.
    """
    for field, values in space.items():
        for value in values.choices or (values.low, values.high):
            with_fields(recipe, {field: value})


def sweep(
    recipe: Any,
    space: Mapping[str, Range],
    folder: Path,
    *,
    trials: int,
    storage: str | None = None,
    name: str = "sweep",
    prune: bool = True,
    seed: int = 0,
    watch: Callable[[dict[str, Any]], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Train a recipe with many settings, alone or together with other workers; return all trials, the best first.

    Each trial has its own run folder, `folder/runs/NUMBER`. A restarted worker continues its trial, and the trial of a worker that died is
    taken over by another one, which resumes its run if the folder is shared. A trial that diverges has no result; the sweep continues.

    Args:
        recipe: recipe to vary.
        space: values of the fields to vary, by path.
        folder: folder of the runs and the results; workers on several machines share it or have one each.
        trials: total number of trials to complete, including pruned ones.
        storage: database URL of Optuna, such as `mysql://...`, for workers on several machines; by default a file in the folder.
        name: name of the study in the storage.
        prune: stop a trial whose validation is worse than the median of the other trials at the same epoch.
        seed: seed of the sampler; give each worker its own, so that they draw different settings.
        watch: called with each trial that ends.
    Raises:
        InputError: a field is unknown or does not accept a value, the storage cannot be reached, or it has a study of this name over
            another space.
        MissingExtraError: optuna is missing.
    """
    expect_folder(folder)
    optuna = _optuna()
    expect_count(trials, "[1, inf)", "trials")
    expect_count(seed, SEEDS, "seed")
    expect_space(recipe, space)
    with _nothing_without_a_run(folder):
        return _sweep(optuna, recipe, space, folder, trials, storage, name, prune, seed, watch)


@contextlib.contextmanager
def _nothing_without_a_run(folder: Path) -> Iterator[None]:
    """Create the folder. If a sweep that began here fails before its first run has a result, nothing is left of it."""
    database = folder / DATABASE
    began_here = not database.exists()
    with making(folder):
        try:
            yield
        except BaseException:
            if began_here and not any((folder / "runs").glob("*")):
                database.unlink(missing_ok=True)
            raise


def _sweep(
    optuna: Any,
    recipe: Any,
    space: Mapping[str, Range],
    folder: Path,
    trials: int,
    storage: str | None,
    name: str,
    prune: bool,
    seed: int,
    watch: Callable[[dict[str, Any]], None],
) -> list[dict[str, Any]]:
    by_loss = is_text(recipe_to_dict(recipe))
    storage = f"sqlite:///{folder.resolve() / DATABASE}" if storage is None else storage
    study = _study(optuna, storage, name, by_loss, prune, seed)
    _expect_same(study, space, name)

    def objective(trial: Any) -> float:
        drawn = {field: values.draw(trial, field) for field, values in space.items()}
        try:
            return _train(optuna, trial, with_fields(recipe, drawn), folder, by_loss)
        except KeyboardInterrupt:  # a resumed sweep begins with the same settings
            with _quiet():
                optuna.storages.RetryHeartbeatStaleTrialCallback()(study, study.get_trials(deepcopy=False)[trial.number])
            raise

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    if len(study.get_trials(deepcopy=False, states=states)) < trials:
        most = optuna.study.MaxTrialsCallback(trials, states=states)
        study.optimize(objective, callbacks=[most, lambda _, trial: watch(_line(trial))])
    lines = [_line(trial) for trial in study.get_trials(deepcopy=False, states=states)]
    lines.sort(key=lambda line: (line["value"] is None, (line["value"] or 0) * (1 if by_loss else -1)))
    write_json(folder / RESULTS, {"name": name, "measure": "validation loss" if by_loss else "validation accuracy", "trials": lines})
    return lines


def _train(optuna: Any, trial: Any, recipe: Any, folder: Path, by_loss: bool) -> float:
    """Train one trial and return its best validation result."""
    with _quiet():
        known = trial.study.get_trials(deepcopy=False)[trial.number]
        first = optuna.storages.RetryHeartbeatStaleTrialCallback.retried_trial_number(known)
    number = trial.number if first is None else first

    def watch(lines: list[dict[str, Any]]) -> None:
        value = lines[-1].get("valid_loss" if by_loss else "valid_accuracy")
        if value is not None:
            trial.report(value, len(lines))
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        with run_folder(folder / "runs" / str(number), resume=True) as place:
            record = train_recipe(recipe, place, name=f"trial {number}", quiet=True, resume=True, watch=watch)
    except DivergedError as error:
        raise optuna.TrialPruned(str(error)) from error
    best = record["progress"] or {}
    value: float | None = best["best_loss" if by_loss else "best_accuracy"]
    if value is None:
        raise InputError("data: expected validation data to compare trials, got none. Hold some out.")
    return value


def _expect_same(study: Any, space: Mapping[str, Range], name: str) -> None:
    """Refuse to continue a study with another space, whose results would not be comparable."""
    wanted = json.loads(json.dumps({field: asdict(values) for field, values in space.items()}))  # tuples are lists there
    known = study.user_attrs.get("space")
    if known is None:
        study.set_user_attr("space", wanted)
    elif known != wanted:
        raise InputError(
            f"space: expected that of the existing sweep '{name}', over {', '.join(known)}, got another. Repeat it, or choose "
            "another folder or name."
        )


def _study(optuna: Any, storage: str, name: str, by_loss: bool, prune: bool, seed: int) -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a warning would have the traceback of a trial that is refused
    if storage == "sqlite://" or ":memory:" in storage:
        raise InputError(f"storage: expected a database that outlives this process, got {storage}. Leave it out, or name a file.")
    try:
        with _quiet():
            retry = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES)
            database = optuna.storages.RDBStorage(
                storage, heartbeat_interval=_HEARTBEAT_S, grace_period=2 * _HEARTBEAT_S, heartbeat_stale_trial_callback=retry
            )
        return optuna.create_study(
            storage=database,
            study_name=name,
            direction="minimize" if by_loss else "maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
    except Exception as error:  # drivers of databases raise errors of their own kinds
        reason = str(error).split("\n")[0].rstrip(".")
        raise InputError(
            f"storage: expected a database that can be reached, got {storage}: {reason}. Check the URL, the server and the space on "
            "the disk."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Optuna's warnings about experimental features."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental")
        yield


def _line(trial: Any) -> dict[str, Any]:
    """Return a trial as plain JSON values."""
    value = trial.value if trial.value is not None and math.isfinite(trial.value) else None
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": value,
        "epochs": len(trial.intermediate_values),
        **trial.params,
    }


def _range(entry: str, values: str) -> Range:
    if ".." not in values:
        return Range(choices=tuple(_number(value) for value in values.split(",")))
    interval, _, scale = values.partition(":")
    low, high = (_number(value) for value in interval.split("..", 1))
    if isinstance(low, str) or isinstance(high, str) or not low < high or scale not in ("", "log") or (scale and low <= 0):
        raise InputError(
            f"space: expected an interval such as 1e-4..1e-1:log, low before high, got '{entry}'. A logarithm needs low above 0."
        )
    return Range(low=low, high=high, log=scale == "log")


def _number(word: str) -> Any:
    """Return the number that a word spells, or else the word."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


def _with_field(value: Any, path: str, names: list[str], new: Any) -> Any:
    known = [part.name for part in fields(value)] if is_dataclass(value) else []
    if names[0] not in known:
        raise InputError(f"{path}: expected a field of the recipe, got '{names[0]}'.{suggestion(names[0], known)}")
    inner = getattr(value, names[0])
    if len(names) > 1:
        return replace(value, **{names[0]: _with_field(inner, path, names[1:], new)})
    if isinstance(inner, float) and isinstance(new, int):
        new = float(new)
    elif not isinstance(inner, str):
        new = _SPECIAL.get(new, new)
    if inner is not None and new is not None and type(new) is not type(inner):
        raise InputError(f"{path}: expected a value like {inner!r}, got {new!r}. Choose values of its kind.")
    return replace(value, **{names[0]: new})


def _optuna() -> Any:
    try:
        import optuna
    except Exception as missing:
        raise MissingExtraError.of("Sweeps need", "optuna", "sweep", missing) from missing
    return optuna
