"""Figures in one style: spikes, delays, decisions over time, energy, and error rates of sparse codes.

Every function draws on `axis`, a matplotlib axis, or makes a figure of its own, and returns the axis; `save_figure(axis.figure, path)`
writes it. Arguments are tensors, arrays or lists. Grey is what others are compared with, blue what was learned, in every figure.
"""

from .codes import sdr_curves
from .decisions import accuracy_over_time, evidence
from .delays import delay_histogram, delay_map
from .energy import energy_bars, energy_terms
from .spikes import firing_rates, raster, traces
from .style import COLOURS, FIXED, LEARNED, QUIET, REFERENCE, as_png, dress, new_axis, new_figure, save_figure

__all__ = [
    "COLOURS",
    "FIXED",
    "LEARNED",
    "QUIET",
    "REFERENCE",
    "accuracy_over_time",
    "as_png",
    "delay_histogram",
    "delay_map",
    "dress",
    "energy_bars",
    "energy_terms",
    "evidence",
    "firing_rates",
    "new_axis",
    "new_figure",
    "raster",
    "save_figure",
    "sdr_curves",
    "traces",
]
