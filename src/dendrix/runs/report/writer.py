"""The report of a run: one HTML page with its figures inside, which says how the training went and how good the network is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ...core.files import write_atomic
from ...data import Dataset
from ...layers.delay.base import delay_layers
from ...pretrained import find_run
from ...run_folder.checkpoint import Checkpoint, expect_run, load_checkpoint, read_checkpoint
from ...run_folder.record import METRICS, caveat, is_text, read_lines, read_record
from ..opened import Opened, open_run
from .figures import draw_accuracy_over_time, draw_confusion, draw_health, draw_training
from .network_figures import draw_activity, draw_delays
from .page import flattened, heading, page, paragraph, picture, table
from .text import text_parts

REPORT = "report.html"
_CONFUSED = 5
"""So many pairs of classes are named."""


def write_report(run: Path, out: Path | None = None, root: Path | None = None) -> Path:
    """Write the report of a run, whole or not at all; returns where it is.

    What the run or its data do not give is left out: a page without validation data says so, and has the rest.

    Args:
        run: the folder, or the name of a network that comes with dendrix.
        out: the page; by default report.html in the folder.
        root: the data folder, if it has moved.
    Raises:
        OSError: the run is not there, or the page cannot be written.
        ValueError: a file of the run is damaged.
        ImportError: matplotlib is missing.
    """
    folder = find_run(run)
    expect_run(folder)
    record = read_record(folder)
    lines = read_lines(folder / METRICS) if (folder / METRICS).exists() else []
    parts = list(text_parts(record, lines) if is_text(record["recipe"]) else _parts(folder, record, lines, root))
    path = folder / REPORT if out is None else out
    write_atomic(path, page(f"Run of {record.get('name') or folder.name}", parts).encode())
    return path


def _parts(folder: Path, record: dict[str, Any], lines: list[dict[str, Any]], root: Path | None) -> Iterator[str]:
    checkpoint = load_checkpoint(folder)
    yield from _summary(record)
    yield from _training(record, lines)
    yield from _validation(folder, root)
    yield from _delays(folder, record)
    yield from _settings(record, checkpoint)


def _summary(record: dict[str, Any]) -> Iterator[str]:
    """The result in a sentence, and what the training warned of."""
    said = []
    if progress := record.get("progress"):
        trained = f" of {progress['epoch']} trained" if "epoch" in progress else ""
        said.append(f"Best validation accuracy {progress['best_accuracy']:.1%}, after epoch {progress['best_epoch'] + 1}{trained}.")
        said.append(caveat(record["recipe"]))
        said.append(f"The training ended: {progress['stopped']}." if progress["stopped"] else "The training is not over.")
    if "parameters" in record:
        said.append(f"{record['parameters']:,} trained parameters.")
    if "seconds" in record:
        said.append(f"It took {record['seconds'] / 60:.1f} minutes.")
    yield paragraph(" ".join(said))
    yield from (paragraph(warning, "warning") for warning in record.get("warnings", []))


def _training(record: dict[str, Any], lines: list[dict[str, Any]]) -> Iterator[str]:
    if lines:
        best = (record.get("progress") or {}).get("best_epoch")
        yield heading("Training")
        yield picture(draw_training(lines, best), "Loss and accuracy by epoch, in training and validation")
        if any("rate" in shares for shares in lines[-1].get("health", {}).values()):
            yield picture(draw_health(lines), "Firing rates and silent neurons by epoch")


def _validation(folder: Path, root: Path | None) -> Iterator[str]:
    yield heading("Validation")
    try:
        opened = open_run(folder, "valid", root)
    except (OSError, ValueError) as error:
        yield paragraph(f"The validation data could not be read, so figures of them are left out. {error}", "warning")
        return
    scores = opened.score()
    count = sum(map(sum, scores.confusion))
    yield paragraph(f"Accuracy {scores.accuracy:.1%} of {count} validation items, loss {scores.loss:.3f}. The test data are untouched.")
    if isinstance(opened.data, Dataset):
        over_time = draw_accuracy_over_time({"validation": scores.accuracy_over_time}, opened.data.dt_ms)
        yield picture(over_time, "Accuracy by the time of the decision")
    yield picture(draw_confusion(opened.checkpoint.labels, scores.confusion), "Confusion matrix")
    if often := _most_confused(opened.checkpoint.labels, scores.confusion):
        yield paragraph(f"Most often taken for another: {', '.join(often)}.")
    yield from _one_clip(opened)


def _most_confused(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[str]:
    """The pairs of classes that were confused most often."""
    counts = {(i, j): count for i, row in enumerate(confusion) for j, count in enumerate(row) if count and i != j}
    worst = sorted(counts, key=lambda pair: -counts[pair])[:_CONFUSED]
    return [f"“{labels[i]}” for “{labels[j]}” ({counts[i, j]} of {sum(confusion[i])})" for i, j in worst]


def _one_clip(opened: Opened) -> Iterator[str]:
    """The first validation item on its way through the network."""
    checkpoint, data, _ = opened
    if isinstance(data, Dataset):
        x, y = data[0]
        activity = draw_activity(checkpoint, x, f"Input: a validation clip of “{data.labels[y]}”", data.dt_ms)
        yield heading("One clip through the network")
        yield picture(activity, "Input, spikes and decision over time")


def _delays(folder: Path, record: dict[str, Any]) -> Iterator[str]:
    """Where the delays were and where training moved them; their start is drawn again from the seed, if the record has it."""
    model: Any = read_checkpoint(folder).model
    if not any(layer.taps > 1 for layer in delay_layers(model)):
        return
    yield heading("Delays")
    seed = record["recipe"].get("seed")
    if seed is None:
        yield picture(draw_delays(model), "Histogram of the delays of each layer after training")
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        before = type(model)(model.config)
    yield picture(draw_delays(model, before), "Histogram of the delays of each layer before and after training")


def _settings(record: dict[str, Any], checkpoint: Checkpoint) -> Iterator[str]:
    facts = {"sha256 of the data": record.get("data_sha256", "not recorded"), "classes": ", ".join(checkpoint.labels)}
    yield heading("Settings")
    yield table({**facts, **flattened(record.get("recipe", {}))})
    yield heading("Environment")
    yield table(flattened({"environment": record.get("environment", {}), "kernels": record.get("kernels", {})}))
