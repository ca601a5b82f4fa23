"""Demo: a small network on digits without, with random and with learned delays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.files import expect_folder
from ..plot import save_figure
from ..recipes.digits_delays import none, random, recipe
from ..run_folder.checkpoint import load_checkpoint
from ..run_folder.record import METRICS, read_lines
from ..runs.evaluation import evaluate_run
from ..runs.report.figures import draw_accuracy_over_time, draw_learning_curves
from ..runs.report.network_figures import draw_activity, draw_delays
from ..train.command import TrainRun, train_run
from ..train.sequence.recipe import SequenceRecipe

VARIANTS: dict[str, Callable[[], SequenceRecipe]] = {"no delays": none, "fixed random delays": random, "learned delays": recipe}


@dataclass(frozen=True)
class Row:
    """Result of one network."""

    title: str
    accuracy: float
    """Accuracy on the test split."""
    parameters: int
    seconds: float


def compare(out: Path, epochs: int | None = None) -> list[Row]:
    """Train every variant, score it on the test split and save the figures.

    Args:
        out: folder for the figures; the runs are in its subfolder `runs`.
        epochs: number of epochs instead of that of the recipe.
    """
    expect_folder(out)
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
    best, test = load_checkpoint(folder), recipe().data.load().test
    x, y = test[0]
    title = f"Input: a handwritten {test.labels[y]}, row by row"
    save_figure(draw_learning_curves(curves), out / "learning.png")
    save_figure(draw_accuracy_over_time(over_time, test.dt_ms), out / "accuracy_over_time.png")
    save_figure(draw_delays(best.model), out / "delays.png")
    save_figure(draw_activity(best, x, title, test.dt_ms), out / "raster.png")
    return rows


def _free(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that does not exist, so that the demo can be repeated."""
    numbered = (folder if n == 1 else folder.with_name(f"{folder.name}-{n}") for n in range(1, 10_000))
    return next(name for name in numbered if not name.exists())
