"""Report of a run: one HTML page with inline figures of the training and of the network's accuracy."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ...core.files import flattened, write_atomic
from ...core.trust import Trust
from ...data import Dataset
from ...energy import load_hardware, verdict
from ...layers.delay.base import delay_layers
from ...plot import accuracy_over_time, energy_terms
from ...pretrained import find_run
from ...run_folder.checkpoint import Checkpoint, expect_run, load_checkpoint, read_checkpoint
from ...run_folder.record import METRICS, RunRecord, caveat, is_text, read_lines, read_record
from ..energy import meter
from ..opened import OpenedRun, open_run
from .figures import draw_confusion, draw_health, draw_training
from .network_figures import draw_activity, draw_delays
from .page import heading, page, paragraph, picture, table
from .text import text_parts

REPORT = "report.html"
_HARDWARE, _METERED = "45nm", 16
"""Hardware model of the energy estimate, and number of inputs that it is measured on."""
_CONFUSED = 5
"""Number of pairs of confused classes that are listed."""


def write_report(
    run: str | Path, out: Path | None = None, *, data: str | Path | None = None, root: Path | None = None, trust: Trust = None
) -> Path:
    """Write the report of a run atomically; return its path.

    Sections whose data are missing are left out; a page without validation data says so.

    Args:
        run: folder of the run, or the name of a shipped network.
        out: path of the page; by default report.html in the folder.
        data: your own data for the validation figures, instead of the validation split, as in `open_run`.
        root: folder of the data, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
    Raises:
        OSError: the run is missing, or the page cannot be written.
        InputError: a file of the run is damaged.
        MissingExtraError: matplotlib is missing.
    """
    folder = find_run(run)
    expect_run(folder)
    record = read_record(folder)
    lines = read_lines(folder / METRICS) if (folder / METRICS).exists() else []
    where = {"data": data, "root": root, "trust": trust}
    parts = list(text_parts(record, lines) if is_text(record["recipe"]) else _parts(folder, record, lines, where))
    path = folder / REPORT if out is None else out
    write_atomic(path, page(f"Run of {record.get('name') or folder.name}", parts).encode())
    return path


def _parts(folder: Path, record: RunRecord, lines: list[dict[str, Any]], where: dict[str, Any]) -> Iterator[str]:
    checkpoint = load_checkpoint(folder, trust=where["trust"])
    yield from _summary(record)
    yield from _training(record, lines)
    yield from _validation(folder, where)
    yield from _delays(folder, record, where["trust"])
    yield from _settings(record, checkpoint)


def _summary(record: RunRecord) -> Iterator[str]:
    """Yield the result in a sentence, and the warnings of the training."""
    said = []
    if progress := record.get("progress"):
        trained = f" of {progress['epoch']} trained" if "epoch" in progress else ""
        best = progress["best_accuracy"]
        accuracy = "No validation" if best is None else f"Best validation accuracy {best:.1%}"
        said.append(f"{accuracy}, after epoch {progress['best_epoch'] + 1}{trained}.")
        said.append(caveat(record["recipe"]))
        said.append(f"The training ended: {progress['stopped']}." if progress["stopped"] else "The training is not over.")
    if "parameters" in record:
        said.append(f"{record['parameters']:,} trained parameters.")
    if "seconds" in record:
        said.append(f"It took {record['seconds'] / 60:.1f} minutes.")
    yield paragraph(" ".join(said))
    yield from (paragraph(warning, "warning") for warning in record.get("warnings", []))


def _training(record: RunRecord, lines: list[dict[str, Any]]) -> Iterator[str]:
    if lines:
        best = (record.get("progress") or {}).get("best_epoch")
        yield heading("Training")
        yield picture(draw_training(lines, best), "Loss and accuracy by epoch, in training and validation")
        if any("rate" in shares for shares in lines[-1].get("health", {}).values()):
            yield picture(draw_health(lines), "Firing rates and silent neurons by epoch")


def _validation(folder: Path, where: dict[str, Any]) -> Iterator[str]:
    yield heading("Validation")
    try:
        opened = open_run(folder, "valid", **where)
    except (OSError, ValueError) as error:
        yield paragraph(f"The validation data could not be read, so their figures are left out. {error}", "warning")
        return
    scores = opened.score()
    count = sum(map(sum, scores.confusion))
    yield paragraph(f"Accuracy {scores.accuracy:.1%} of {count} validation items, loss {scores.loss:.3f}. The test data were not used.")
    if isinstance(opened.data, Dataset) and opened.answers_over_time:
        over_time = accuracy_over_time({"validation": scores.accuracy_over_time}, opened.data.dt_ms).figure
        yield picture(over_time, "Accuracy by the time of the decision")
    yield picture(draw_confusion(opened.checkpoint.labels, scores.confusion), "Confusion matrix")
    if often := _most_confused(opened.checkpoint.labels, scores.confusion):
        yield paragraph(f"Most frequent confusions: {', '.join(often)}.")
    yield from _one_clip(opened)
    yield from _energy(opened)


def _most_confused(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[str]:
    """Return the pairs of classes that were confused most often."""
    counts = {(i, j): count for i, row in enumerate(confusion) for j, count in enumerate(row) if count and i != j}
    worst = sorted(counts, key=lambda pair: -counts[pair])[:_CONFUSED]
    return [f"“{labels[i]}” for “{labels[j]}” ({counts[i, j]} of {sum(confusion[i])})" for i, j in worst]


def _one_clip(opened: OpenedRun) -> Iterator[str]:
    """Yield the activity of the network for the first validation item."""
    checkpoint, data = opened.checkpoint, opened.data
    if isinstance(data, Dataset) and opened.answers_over_time:
        x, y = data[0]
        activity = draw_activity(checkpoint, x, f"Input: a validation item of class “{data.labels[y]}”", data.dt_ms)
        yield heading("One input through the network")
        yield picture(activity, "Input, spikes and decision over time")


def _energy(opened: OpenedRun) -> Iterator[str]:
    """Yield the energy of a spiking network beside its twin, on the validation data."""
    metered = meter(opened, _METERED)
    if not metered.report.states:
        return
    compared = metered.compare(load_hardware(_HARDWARE))
    bars = {"this network": compared.spiking, **({} if compared.twin is None else {"dense twin": compared.twin})}
    shown = {name: {term: energy.middle for term, energy in one.terms.items()} for name, one in bars.items()}
    yield heading("Energy, estimated")
    yield picture(energy_terms(shown, metered.unit, title=f"Energy by term, {_HARDWARE}").figure, "Energy by term, beside the dense twin")
    said = f"{verdict(compared)} Mean over {metered.report.inputs} validation items. {compared.spiking.hardware.source}."
    yield paragraph(f"{said} Not contained: {', '.join(compared.spiking.left_out)}.")


def _delays(folder: Path, record: RunRecord, trust: Trust) -> Iterator[str]:
    """Yield the delays before and after the training; initial delays are drawn again from the seed, if the run records it."""
    model: Any = read_checkpoint(folder, trust=trust).model
    if not any(layer.taps > 1 for layer in delay_layers(model)):
        return
    yield heading("Delays")
    seed = record["recipe"].get("seed")
    config = getattr(model, "config", None)
    if seed is None or config is None:
        yield picture(draw_delays(model), "Histogram of the delays of each layer after training")
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        before = config.build()
    yield picture(draw_delays(model, before), "Histogram of the delays of each layer before and after training")


def _settings(record: RunRecord, checkpoint: Checkpoint) -> Iterator[str]:
    facts = {"sha256 of the data": record.get("data_sha256", "not recorded"), "classes": ", ".join(checkpoint.labels)}
    yield heading("Settings")
    yield table({**facts, **flattened(record.get("recipe", {}))})
    yield heading("Environment")
    yield table(flattened({"environment": record.get("environment", {}), "kernels": record.get("kernels", {})}))
