"""Figures of the conversion study."""

from itertools import cycle
from typing import Any

from ...plot import COLOURS, new_axis
from .conversion_results import STEPS

_SHOWN = {
    "qcfs-signed": "QCFS, signed",
    "qcfs-if": "QCFS, integrate-and-fire",
    "relu-signed": "ReLU, calibrated, signed",
    "relu-if": "ReLU, calibrated, integrate-and-fire",
    "relu-spikingjelly-channels": "ReLU, SpikingJelly, per channel",
    "relu-spikingjelly": "ReLU, SpikingJelly, per layer",
}


def draw_routes(found: dict[str, Any]) -> Any:
    """Accuracy against T for every way to convert, means over seeds, beside the networks before conversion.

    Args:
        found: what `results` gives.
    """
    figure, axis = new_axis("How many steps does a conversion need?", "steps T", "test accuracy, %")
    figure.set_size_inches(8.0, 4.2)
    colours = cycle((COLOURS[2], COLOURS[1], *COLOURS[3:]))
    for colour, (name, title) in zip(colours, _SHOWN.items(), strict=False):
        if one := found["routes"].get(name):
            values = [100 * one[f"T={steps}"]["mean"] for steps in STEPS]
            axis.plot(STEPS, values, "o-", color=colour, linewidth=2, markersize=4, label=title)
    for style, (name, one) in zip(("--", ":"), found["originals"].items(), strict=False):
        before = "ReLU" if name.endswith(":relu") else "QCFS"
        axis.axhline(100 * one["test"]["mean"], color=COLOURS[0], linestyle=style, label=f"{before} before conversion")
    axis.set_xscale("log", base=2)
    axis.set_xticks(STEPS, list(map(str, STEPS)))
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
