"""Figures draw what they are given, on an axis of the user or one of their own, in one set of colours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from dendrix import plot

SPIKES = torch.zeros(6, 3)
SPIKES[1, 0] = SPIKES[4, 2] = 1
CASES: dict[str, Callable[..., Any]] = {
    "raster": lambda **options: plot.raster(SPIKES, 2.0, **options),
    "traces": lambda **options: plot.traces(torch.rand(6, 2), 2.0, threshold=1.0, spikes=SPIKES[:, :2], **options),
    "firing_rates": lambda **options: plot.firing_rates({"a": 0.1, "b": 0.2}, **options),
    "delay_map": lambda **options: plot.delay_map(np.arange(6).reshape(2, 3), **options),
    "delay_histogram": lambda **options: plot.delay_histogram([0, 10, 10, 30], 10.0, before=[0, 0, 0, 10], **options),
    "evidence": lambda **options: plot.evidence(torch.eye(6), list("abcdef"), 10.0, exit_step=3, **options),
    "accuracy_over_time": lambda **options: plot.accuracy_over_time({"a": [0.5, 1.0], "b": [0.1, 0.2]}, 10.0, **options),
    "energy_bars": lambda **options: plot.energy_bars({"as built": 4000.0, "spikes": 300.0}, **options),
    "energy_terms": lambda **options: plot.energy_terms({"a": {"weights": 4e3, "states": 2e3}, "b": {"states": 9e6}}, **options),
    "sdr_curves": lambda **options: plot.sdr_curves([1, 2, 3], [1e-1, 1e-5, 0], [0, 1e-9, 1e-2], window=(2, 2), **options),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_have_titles_units_and_can_be_saved(name: str, tmp_path: Path) -> None:
    axis = CASES[name]()
    assert axis.get_title(loc="left")
    assert axis.get_xlabel()
    plot.save_figure(axis.figure, tmp_path / f"{name}.png")
    assert (tmp_path / f"{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("name", CASES)
def test_figures_draw_on_a_given_axis(name: str) -> None:
    figure = plot.new_figure(4, 3)
    axis = figure.add_subplot()
    assert CASES[name](axis=axis, title="mine") is axis
    assert axis.get_title(loc="left") == "mine"


def test_every_figure_of_the_package_is_tested() -> None:
    helpers = {"as_png", "dress", "new_axis", "new_figure", "save_figure"}
    assert {name for name in plot.__all__ if callable(getattr(plot, name))} - helpers == set(CASES)


def test_a_raster_marks_each_spike_at_its_time() -> None:
    offsets = plot.raster(SPIKES, 2.0).collections[0].get_offsets()
    assert sorted(map(tuple, offsets.tolist())) == [(3.0, 0.0), (9.0, 2.0)]


def test_negative_spikes_are_apart() -> None:
    positive, negative = plot.raster(-SPIKES).collections
    assert (len(positive.get_offsets()), len(negative.get_offsets())) == (0, 2)


def test_learned_delays_have_the_colour_of_what_is_learned() -> None:
    before, after = CASES["delay_histogram"]().lines
    assert (to_hex(before.get_color()), to_hex(after.get_color())) == (plot.REFERENCE, plot.LEARNED)
    assert after.get_ydata().tolist() == [25, 50, 0, 25]


def test_axes_that_share_their_limits_show_all_bars() -> None:
    first, second = plot.new_figure(6, 3).subplots(1, 2, sharey=True)
    plot.delay_histogram(range(10), axis=first)
    plot.delay_histogram([3] * 10, axis=second)
    assert first.get_ylim()[1] >= 100


def test_a_class_that_leads_half_way_is_named() -> None:
    axis = plot.evidence(torch.eye(6), list("abcdef"), 10.0)
    named = {text.get_text() for text in axis.texts} | {text.get_text() for text in axis.get_legend().get_texts()}
    assert named == set("abcdef")


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: plot.raster(torch.rand(2, 6, 3)), r"spikes: expected numbers \[T, N\], got shape \[2, 6, 3\]"),
        (lambda: plot.raster(torch.zeros(0, 3)), r"got shape \[0, 3\]"),
        (lambda: plot.traces([float("nan")]), "membrane: expected finite"),
        (lambda: plot.raster(SPIKES, 0.0), "dt_ms: expected a number in"),
        (lambda: plot.evidence(torch.eye(3), ["a"]), "labels: expected 3, one per class, got 1"),
        (lambda: plot.firing_rates({"a": "high"}), "rates: expected numbers"),  # type: ignore[dict-item]
        (lambda: plot.delay_histogram([]), "delays: expected numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        draw()
