"""One look for all figures. The one place that imports matplotlib, late: it is an extra."""

import io
import os
from pathlib import Path
from typing import Any

from .errors import MissingExtraError

COLOURS = ("#7f7f7f", "#e08214", "#2166ac", "#1b7837", "#762a83", "#b2182b", "#01665e")
"""Of the lines in a figure, in order; an eighth line takes the first colour again."""


def new_axis(title: str, x_label: str, y_label: str) -> tuple[Any, Any]:
    """A matplotlib figure with one axis that says what it shows.

    Raises:
        ImportError: matplotlib is missing.
    """
    figure = new_figure(6.4, 4.0)
    return figure, dress(figure.add_subplot(), title, x_label, y_label)


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure, in inches.

    Raises:
        ImportError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingExtraError("Figures need matplotlib, which is not installed: pip install dendrix[train].") from missing
    return Figure(figsize=(width, height), layout="constrained")  # not pyplot: no window, and nothing global


def dress(axis: Any, title: str, x_label: str, y_label: str) -> Any:
    """Give an axis its title, its labels and the look of the house; returns it."""
    axis.set_title(title, loc="left")
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    return axis


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure, whole or not at all; the suffix of the path chooses the format. Folders that are missing are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")  # matplotlib reads the format off the suffix
    try:
        figure.savefig(temporary, dpi=160)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def as_png(figure: Any) -> bytes:
    """A figure as the content of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
