"""Tables and figures of a report."""

from itertools import cycle
from pathlib import Path
from textwrap import fill

from rich.console import Group
from rich.table import Table

from ...errors import InputError
from ...plot import COLOURS, new_axis, save_figure
from .comparison import Points
from .reporter import Report, Truth


def tables(report: Report) -> Group:
    """Make tables of the figures of a report and of its rules, to print with rich."""
    figures = Table("figure", "value", "95 % interval", title=f"{report.rule} on {report.count} inputs", title_justify="left")
    low, high = report.mean_steps_interval
    figures.add_row("mean steps", _time(report.mean_steps, report), f"{low:.2f} to {high:.2f}")
    figures.add_row("95th percentile", _time(report.p95_steps, report))
    figures.add_row("steps of the full run", _time(report.full_steps, report))
    figures.add_row("other answer than the full run", f"{report.disagreement:.2%}")
    if report.truth is None:
        return Group(figures, *_notes(report), "No labels: accuracy is unknown.")
    _add_truth(figures, report.truth, report)
    rules = Table("rule, in hindsight", "steps without loss", "accuracy at these mean steps", "AUROC")
    for name, found in report.truth.rules.items():
        accuracy = "too slow" if found.accuracy is None else f"{found.accuracy:.2%}"
        rules.add_row(name, f"{found.steps_without_loss:.2f}", accuracy, _optional(found.auroc))
    return Group(figures, rules, *_breakdowns(report.truth, report), *_notes(report))


def save_report_figure(path: Path, report: Report) -> None:
    """Plot accuracy against mean steps for fixed lengths, the policy by cap, rules in hindsight and the oracle; below, the exit steps.

    Args:
        path: file to write; the suffix chooses the format.
        report: report on a record with labels.
    Raises:
        ImportError: matplotlib is missing.
        ValueError: the report has no labels.
    """
    truth = report.truth
    if truth is None:
        raise InputError("report: expected one of a record with labels, for a figure of accuracy, got none. Record with labels.")
    unit, label = (1.0, "steps") if report.dt_ms is None else (report.dt_ms, "input time, ms")
    figure, axis = new_axis("Accuracy of early exits", f"mean {label}", "accuracy, %")
    figure.set_size_inches(8.0, 5.2)
    grid = figure.add_gridspec(2, 1, height_ratios=(3, 1))
    axis.set_subplotspec(grid[0])
    for name, curve, colour, style in _lines(truth):
        time, right = [unit * steps for steps, _ in curve], [100 * share for _, share in curve]
        # Steps, because there are no thresholds between two points.
        axis.plot(time, right, style, color=colour, label=name, linewidth=2, drawstyle="steps-post")
    axis.plot([unit * report.mean_steps], [100 * truth.accuracy], "o", color=COLOURS[2], markersize=9, label="policy")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    below = figure.add_subplot(grid[1], sharex=axis)
    places = [unit * (step + 1) for step in range(len(report.histogram))]
    below.bar(places, [100 * share for share in report.histogram], width=0.8 * unit, color=COLOURS[2])
    below.set_xlabel(label)
    below.set_ylabel("exits, %")
    below.spines[["top", "right"]].set_visible(False)
    below.grid(alpha=0.25)
    save_figure(figure, path)


def _lines(truth: Truth) -> list[tuple[str, Points, str, str]]:
    """Name, curve, colour and style of every line: references in grey, lines of the policy in blue."""
    own, *others = truth.rules.items()
    lines = [
        ("fixed steps", truth.static, COLOURS[0], "-"),
        (fill(truth.oracle_name, 28), truth.oracle, COLOURS[0], ":"),
        ("policy, by cap", truth.policy, COLOURS[2], "-"),
        (f"{own[0]}, in hindsight", own[1].front, COLOURS[2], "--"),
    ]
    free = cycle((COLOURS[1], *COLOURS[3:]))
    return lines + [(f"{name}, in hindsight", found.front, next(free), "--") for name, found in others]


def _add_truth(figures: Table, truth: Truth, report: Report) -> None:
    low, high = truth.accuracy_interval
    figures.add_row("accuracy", f"{truth.accuracy:.2%}", f"{low:.2%} to {high:.2%}")
    figures.add_row("accuracy of the full run", f"{truth.accuracy_of_full_run:.2%}")
    figures.add_row("wrong although the full run is correct", f"{truth.drops:.2%}")
    figures.add_row("not stopped by the rule", f"{truth.not_stopped:.2%}")
    if truth.set_size is not None:
        figures.add_row("mean size of the prediction sets", f"{truth.set_size:.2f}")
    best = (
        f"{truth.oracle[-1][1]:.2%} after {_time(truth.oracle[-1][0], report)}" if truth.oracle else "no input is ever answered correctly"
    )
    figures.add_row(truth.oracle_name, best)
    figures.add_row("correct from this step on, mean (optimal cutoff time, OCT)", _time(truth.optimal_cutoff, report))
    figures.add_row("first correct answer, or the end, mean (average exit time, AET)", _time(truth.average_exit_time, report))
    figures.add_row("error of the confidence (ECE; 0 is best)", f"{truth.ece:.4f}")
    figures.add_row("surprise at the right answer (NLL, nats; 0 is best)", f"{truth.nll:.4f}")
    figures.add_row("score tells right from wrong (AUROC; 1 is best, 0.5 is chance)", _optional(truth.auroc))


def _breakdowns(truth: Truth, report: Report) -> list[Table]:
    """Tables by stopping time and by group."""
    found = []
    for title, parts in (("stopped at", truth.stopping_times), ("group", truth.groups)):
        if len(parts) > 1:
            table = Table(title, "inputs", "mean steps", "accuracy", truth.loss)
            for part in parts:
                table.add_row(part.name, f"{part.count}", _time(part.mean_steps, report), f"{part.accuracy:.2%}", f"{part.risk:.2%}")
            found.append(table)
    return found


def _notes(report: Report) -> list[str]:
    notes = [report.statement]
    if report.fitted_on_these:
        notes.append("The policy was fitted on these inputs, so the figures are too optimistic. Report on other inputs.")
    if report.mean_steps == report.full_steps:
        notes.append("None of these inputs stops early.")
    return notes


def _time(steps: float, report: Report) -> str:
    return f"{steps:.2f} steps" if report.dt_ms is None else f"{steps:.2f} steps, {steps * report.dt_ms:.0f} ms"


def _optional(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
