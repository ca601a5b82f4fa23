"""The demo: the same small network on digits without, with random and with learned delays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..io import load
from ..train import Recipe
from ..train.command import TrainRun, evaluate_run, train_run
from ..train.figures import save_accuracy_over_time, save_delays, save_learning_curves, save_raster
from ..train.record import METRICS, read_lines
from .digits_delays import none, random, recipe

VARIANTS: dict[str, Callable[[], Recipe]] = {"no delays": none, "fixed random delays": random, "learned delays": recipe}


@dataclass(frozen=True)
class Row:
    """One network of the comparison."""

    title: str
    accuracy: float
    """On the test split."""
    parameters: int
    seconds: float


def compare(out: Path, epochs: int | None = None) -> list[Row]:
    """Train every variant, score it on the test split and save the figures.

    Args:
        out: folder for the figures; the runs go into its subfolder `runs`.
        epochs: instead of those of the recipe.
    """
    rows, curves, over_time = [], {}, {}
    for title, variant in VARIANTS.items():
        chosen = variant()
        if epochs is not None:
            chosen = replace(chosen, budget=replace(chosen.budget, epochs=epochs))
        record, folder = train_run(TrainRun(chosen, _free(out / "runs" / title.replace(" ", "-"))), title)
        scores = evaluate_run(folder, "test")
        rows.append(Row(title, scores.accuracy, record["parameters"], record["seconds"]))
        curves[title] = [line["valid_accuracy"] for line in read_lines(folder / METRICS)]
        over_time[title] = scores.accuracy_over_time
    best, test = load(folder), recipe().data.load().test
    dt_ms = test.dt_ms
    save_learning_curves(out / "learning.png", curves)
    save_accuracy_over_time(out / "accuracy_over_time.png", over_time, dt_ms)
    save_delays(out / "delays.png", best)
    save_raster(out / "raster.png", best, test.x[0], f"A handwritten {test.labels[test.y[0]]} in the network with learned delays", dt_ms)
    return rows


def _free(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that is not there: the demo can be run again."""
    numbered = (folder if n == 1 else folder.with_name(f"{folder.name}-{n}") for n in range(1, 10_000))
    return next(name for name in numbered if not name.exists())
