"""Style of all figures. The only module that imports matplotlib, an optional dependency, and only when a figure is made."""

import io
from pathlib import Path
from typing import Any

from ..errors import InputError, MissingExtraError

COLOURS = ("#7f7f7f", "#e08214", "#2166ac", "#1b7837", "#762a83", "#b2182b", "#01665e")
"""Line colours of a figure, in order; an eighth line repeats the first colour."""
REFERENCE, FIXED, LEARNED = COLOURS[:3]
"""Colours with the same meaning in every figure: what others are compared with; fixed at random, or training data; learned, or spikes."""
QUIET = "#d9d9d9"
"""Colour of lines that are drawn but not named."""


def new_axis(title: str, x_label: str, y_label: str) -> tuple[Any, Any]:
    """Create a matplotlib figure with one titled and labelled axis; returns the figure and the axis.

    Args:
        title: title of the axis.
        x_label, y_label: labels with units.
    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(6.4, 4.0)
    return figure, dress(figure.add_subplot(), title, x_label, y_label)


def axis_or_new(axis: Any | None, title: str, x_label: str, y_label: str) -> Any:
    """Return the given axis, or a new one in a figure of its own, with title, labels and style."""
    return new_axis(title, x_label, y_label)[1] if axis is None else dress(axis, title, x_label, y_label)


def new_figure(width: float, height: float) -> Any:
    """Create an empty matplotlib figure without pyplot.

    Args:
        width, height: size, in inches.
    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except Exception as missing:
        raise MissingExtraError.of("Figures need", "matplotlib", "train", missing) from missing
    return Figure(figsize=(width, height), layout="constrained")  # pyplot would keep global state and may open windows


def dress(axis: Any, title: str, x_label: str, y_label: str) -> Any:
    """Set the title, the labels and the style of an axis; returns the axis."""
    axis.set_title(title, loc="left")
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    return axis


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure atomically and create missing folders; the suffix of the path selects the format, and PNG is the default.

    Raises:
        InputError: matplotlib does not write files of this suffix.
        OSError: the file cannot be written.
    """
    from ..core.files import write_atomic  # loads torch

    content = io.BytesIO()
    try:
        figure.savefig(content, dpi=160, format=path.suffix.lower().removeprefix(".") or "png")
    except ValueError as error:
        raise InputError(f"{path}: expected a figure that can be written with this suffix, but {error}. Name it .png or .svg.") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content.getvalue())


def as_png(figure: Any) -> bytes:
    """Return a figure as the content of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
