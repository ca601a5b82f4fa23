"""The training loop."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import DivergedError, MissingExtraError
from ..progress import progress as progress_bar
from ..run_folder.record import RunRecord, environment
from ..run_folder.state import Run, states
from .distributed.processes import join
from .health import warnings
from .recipe import Recipe, load_splits, recipe_to_dict

Watcher = Callable[[list[dict[str, Any]]], None]
"""Called with the metrics of all epochs so far, after each."""


def train_recipe(
    recipe: Recipe,
    folder: Path,
    *,
    name: str = "",
    quiet: bool = False,
    resume: bool = False,
    watch: Watcher | None = None,
) -> RunRecord:
    """Train a recipe and write the best network by validation, the metrics of every epoch and `run.json` into a folder.

    Validation runs with integer delays, as a network with delays is deployed. The test split is not used. Ctrl-C ends the training
    and keeps the best network so far, if there is one. Under `torchrun` all processes train one network, and the first one writes.

    Args:
        recipe: what to train.
        folder: an existing, empty folder.
        name: name of the recipe in the record.
        quiet: show no progress, and write warnings only into the record. Otherwise there is a bar on a terminal, and elsewhere one line
            per epoch, on standard error.
        resume: continue after the last complete epoch of an unfinished run in the folder, if there is one. On the CPU of the same machine
            the result equals that of an uninterrupted run bit for bit. A complete run is left unchanged.
        watch: called with the metrics after every epoch, in the process that writes.
    Returns:
        the content of `run.json`.
    Raises:
        DivergedError: the loss, its gradient or a neuron's state became infinite or not a number.
        InputError: the data do not fit the network or are not finite, or the folder has a run of another recipe or other data.
        KeyboardInterrupt: Ctrl-C. Complete epochs are kept, and the run can be resumed.
        MissingExtraError: accelerate is missing.
    """
    accelerate = _accelerate()
    accelerator = join(accelerate)
    accelerate.utils.set_seed(recipe.seed, device_specific=True)
    described = recipe_to_dict(recipe)
    splits = load_splits(recipe.data)
    learner = recipe.learner(splits, accelerator)
    about: dict[str, Any] = {"name": name, "recipe": described, "data_sha256": splits.fingerprint()}
    parameters = sum(p.numel() for p in learner.network.parameters() if p.requires_grad)
    about |= {"parameters": parameters, "environment": environment(accelerator.device)}
    run = Run(folder, about, writes=accelerator.is_main_process)
    if resume:
        if complete := run.complete():
            return complete
        if saved := run.resume():
            learner.restore(saved)
    run.write()
    progress = run.progress
    hidden = quiet or not run.writes
    whole, done, unit = learner.span(recipe.budget, progress)
    with (
        progress_bar(name or "training", whole, done=done, unit=unit, hidden=hidden) as bar,
        _naming_what_is_kept(run),
    ):
        learner.advance, learner.before_step = bar.advance, run.expect_folder
        while (stopped := progress.over(recipe.budget)) is None:
            line = {"epoch": progress.epoch, **learner.train(progress), **learner.validate(progress.step), "seconds": run.seconds}
            run.metrics.append(line)
            found = warnings(line["health"], learner.remedy) if learner.settled(progress) else {}
            for sentence in run.warn(found) + learner.notes(line):
                if not hidden:
                    bar.say(sentence)
            if progress.improve(line.get("valid_accuracy"), line.get("valid_loss"), learner.chooses) and run.writes:
                learner.save(folder)
            run.save(learner.tensors())
            if watch is not None and run.writes:
                watch(run.metrics)
            bar.at(learner.span(recipe.budget, progress)[1])
            bar.report(learner.shown(line, progress))
    return run.finish(stopped)


@contextlib.contextmanager
def _naming_what_is_kept(run: Run) -> Iterator[None]:
    """Add the place of the best network to the message of an interruption or a divergence, and report a folder that was renamed."""
    progress = run.progress
    try:
        yield
    except FileNotFoundError:
        run.expect_folder()
        raise
    except KeyboardInterrupt as stop:
        if not states(run.folder):
            raise
        run.finish("interrupted")
        kept = f"the best network so far, of epoch {progress.best_epoch + 1}, is in {run.folder}. Continue with --resume."
        raise type(stop)(f"interrupted in epoch {progress.epoch + 1}; {kept}") from stop
    except DivergedError as error:
        if progress.best_epoch < 0:
            raise
        raise DivergedError(f"{error} The best network so far, of epoch {progress.best_epoch + 1}, is in {run.folder}.") from error


def _accelerate() -> Any:
    try:
        import accelerate
        import accelerate.utils
    except Exception as missing:
        raise MissingExtraError.of("Training needs", None, "train", missing) from missing
    return accelerate
