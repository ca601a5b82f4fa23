"""Report of a language model: curves, firing rates, and samples during the training."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from ...core.files import flattened
from ...plot import COLOURS, dress, new_figure
from ...run_folder.record import RunRecord
from .figures import draw_health
from .page import heading, paragraph, picture, table


def text_parts(record: RunRecord, lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the parts of the page, as HTML.

    Args:
        record: content of `run.json`.
        lines: the metrics of each epoch.
    """
    yield paragraph(" ".join(_summary(record, lines)))
    yield from (paragraph(warning, "warning") for warning in record.get("warnings") or [])
    if lines:
        yield heading("Training")
        yield picture(draw_text_training(lines), "Loss and bits per byte by step, in training and validation")
        if layers := list(lines[-1].get("health") or {}):
            yield picture(draw_health(lines, layers), "Firing rates and silent neurons by epoch")
        yield from _samples(lines)
    yield heading("Settings")
    yield table({"sha256 of the data": record.get("data_sha256", "not recorded"), **flattened(record["recipe"])})
    yield heading("Environment")
    yield table(flattened({"environment": record.get("environment", {}), "kernels": record.get("kernels", {})}))


def draw_text_training(lines: Sequence[dict[str, Any]]) -> Any:
    """Draw training and validation loss, and validation bits per byte, by step. Returns a matplotlib figure.

    Args:
        lines: the metrics of each epoch.
    """
    figure = new_figure(9.6, 3.6)
    steps = [line["step"] for line in lines]
    shown = (
        ("Loss", "cross-entropy, nats per token", {"training": "loss", "validation": "valid_loss"}),
        ("Validation text", "bits per byte", {"validation": "valid_bits_per_byte"}),
    )
    for axis, (title, label, keys) in zip(figure.subplots(1, 2), shown, strict=True):
        dress(axis, title, "step", label)
        for colour, (name, key) in zip(cycle(COLOURS[1:] if len(keys) > 1 else COLOURS[2:]), keys.items(), strict=False):
            axis.plot(steps, [line[key] for line in lines], ".-" if len(lines) < 5 else "-", color=colour, label=name, linewidth=2)
        axis.legend(frameon=False)
    return figure


def _summary(record: RunRecord, lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    progress = record.get("progress")
    if progress and progress["best_epoch"] < len(lines):
        best = lines[progress["best_epoch"]]
        yield f"Best on the validation text: {best['valid_bits_per_byte']:.4f} bits per byte, after {best['step']:,} steps."
        yield f"The training ended: {progress['stopped']}." if progress["stopped"] else "The training is not over."
    if "parameters" in record:
        yield f"{record['parameters']:,} trained parameters."
    if "seconds" in record:
        yield f"It took {record['seconds'] / 60:.1f} minutes."


def _samples(lines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the samples after the first, the middle and the last epoch."""
    samples = {f"after {line['step']:,} steps": line["sample"] for line in lines if "sample" in line}
    if samples:
        names = list(samples)
        chosen = dict.fromkeys((names[0], names[len(names) // 2], names[-1]))
        yield heading("Samples")
        yield paragraph("Continuations of the beginning of the validation text, sampled at a temperature of 0.8.")
        yield table({name: samples[name] for name in chosen})
