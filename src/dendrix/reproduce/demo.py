"""Demo: a small network on digits without, with random and with learned delays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.files import expect_folder, write_atomic
from ..plot import accuracy_over_time, save_figure
from ..recipes.digits_delays import none, random, recipe
from ..run_folder.checkpoint import load_checkpoint
from ..run_folder.record import METRICS, read_lines
from ..runs.evaluation import evaluate_run
from ..runs.report.figures import draw_learning_curves
from ..runs.report.network_figures import draw_activity, draw_delays
from ..runs.report.page import page, paragraph, picture_file, table
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
    save_figure(accuracy_over_time(over_time, test.dt_ms).figure, out / "accuracy_over_time.png")
    save_figure(draw_delays(best.model), out / "delays.png")
    save_figure(draw_activity(best, x, title, test.dt_ms), out / "raster.png")
    _write_page(out, rows)
    return rows


def _write_page(out: Path, rows: Sequence[Row]) -> None:
    """Write one HTML page that explains the figures, with the figures in it."""
    parts = [
        paragraph(_SUMMARY),
        table({row.title: f"{row.accuracy:.1%} of the test images, {row.parameters:,} parameters" for row in rows}),
    ]
    for name, sentence in _SENTENCES.items():
        parts += [paragraph(sentence), picture_file(out / f"{name}.png", sentence)]
    parts.append(paragraph("Next: dendrix list shows what else can be trained; dendrix report RUN makes such a page for every run."))
    write_atomic(out / "index.html", page("Learned delays on handwritten digits", parts).encode())


_SUMMARY = (
    "Three spiking networks of the same size read handwritten digits row by row: one without delays, one with random delays that stay "
    "fixed, and one that learns its delays."
)
_SENTENCES = {
    "learning": "Delays let a neuron compare rows that arrive at different times; learned delays help most.",
    "accuracy_over_time": "A decision can be read after every step. The network without delays decides earlier, the others better.",
    "delays": "The learned delays of each layer. Long ones are common: early rows wait for late ones.",
    "raster": "One digit in the network: pixels become spikes, few hidden neurons fire, and the decision is clear before the end.",
}
"""What each figure shows, by file name."""


def _free(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that does not exist, so that the demo can be repeated."""
    numbered = (folder if n == 1 else folder.with_name(f"{folder.name}-{n}") for n in range(1, 10_000))
    return next(name for name in numbered if not name.exists())
