"""Figures show what they are given: axes with titles, units and the right numbers."""

from pathlib import Path

import pytest
import torch

from dendrix.layers import Recurrent, Sequential
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.neurons import LI, LIF
from dendrix.plot import accuracy_over_time, as_png, save_figure
from dendrix.run_folder.checkpoint import Checkpoint
from dendrix.runs.report.figures import draw_confusion, draw_health, draw_learning_curves, draw_training
from dendrix.runs.report.network_figures import draw_activity, draw_delays

LINES = [
    {"epoch": e, "loss": 2 - e, "valid_loss": 2.5 - e, "train_accuracy": 0.5, "valid_accuracy": 0.25 * e, "health": {"n.2": share}}
    for e, share in enumerate([{"rate": 0.5, "dead": 0.1, "saturated": 0.0}] * 3)
]


def network(**changes: object) -> DelayNet:
    torch.manual_seed(0)
    return DelayNet(DelayNetConfig(4, 3, (6, 5), max_delay_ms=40.0, **changes)).eval()  # type: ignore[arg-type]


def test_every_axis_says_what_it_shows() -> None:
    checkpoint = Checkpoint(network(), ("a", "b", "c"), decision=Decision("mean", 20.0))
    figures = [
        draw_learning_curves({"a": [0.1, 0.5], "b": [0.2, 0.3]}),
        accuracy_over_time({"a": [0.1, 0.5]}, dt_ms=10.0).figure,
        draw_training(LINES, best=1),
        draw_training([{"task": 0, "loss": 1.0}]),
        draw_health(LINES),
        draw_confusion(("a", "b"), [[1, 2], [0, 0]]),
        draw_delays(network(), network()),
        draw_activity(checkpoint, torch.rand(12, 4).round(), "one", dt_ms=10.0),
    ]
    for figure in figures:
        for axis in [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]:
            assert axis.get_title(loc="left")
        assert figure.axes[-1].get_xlabel() or figure.axes[-1].get_label() == "<colorbar>"


def test_curves_are_in_per_cent_and_the_kept_epoch_is_marked() -> None:
    loss, accuracy = draw_training(LINES, best=1).axes
    assert loss.lines[1].get_ydata().tolist() == [2.5, 1.5, 0.5]
    assert accuracy.lines[1].get_ydata().tolist() == [0, 25, 50]
    assert accuracy.lines[2].get_xdata() == [2, 2]
    rate, dead = draw_health(LINES).axes
    assert (rate.lines[0].get_ydata().tolist(), dead.lines[0].get_ydata().tolist()) == ([50] * 3, [10] * 3)


@pytest.mark.parametrize("classes", [2, 20, 21, 40, 300])
def test_a_confusion_matrix_stays_readable(classes: int) -> None:
    labels = [f"word {i}" for i in range(classes)]
    counts = torch.eye(classes, dtype=torch.int64).mul(4).tolist()
    axis = draw_confusion(labels, counts).axes[0]
    assert axis.images[0].get_array().max() == 100
    assert len(axis.texts) == (classes if classes <= 20 else 0)
    assert len(axis.get_xticks()) <= 40


def test_histograms_of_delays_sum_to_one() -> None:
    for axis in draw_delays(network(), network(delays="random")).axes:
        before, after = (sum(line.get_ydata()) for line in axis.lines)
        assert (before, after) == (pytest.approx(100), pytest.approx(100))
        assert axis.get_ylim()[1] >= max(max(line.get_ydata()) for line in axis.lines)


def test_activity_shows_every_spike_and_leaves_no_hooks() -> None:
    model = network()
    x = torch.rand(12, 4)
    figure = draw_activity(Checkpoint(model, ("a", "b", "c"), decision=Decision("mean", 20.0)), x, "one", dt_ms=10.0)
    _, first, second, decision = figure.axes
    spikes, _ = Sequential(*model.stages[:3]).eval()(torch.nn.functional.pad(x, (0, 0, 0, 2)).unsqueeze(0))
    assert len(first.collections[0].get_offsets()) == int(spikes.sum()) > 0
    assert second.get_ylim() == (-1, 5)
    assert [len(line.get_xdata()) for line in decision.lines[:3]] == [14] * 3
    assert sum(line.get_ydata()[-1] for line in decision.lines[:3]) == pytest.approx(100)
    assert not any(part._forward_hooks for part in model.modules())


def test_a_recurrent_layer_is_one_layer() -> None:
    model = Sequential(Recurrent(LIF(4), torch.nn.Linear(4, 4)), LI(4)).eval()
    figure = draw_activity(Checkpoint(model, ("a", "b", "c", "d")), torch.rand(6, 4), "one", dt_ms=1.0)
    assert len(figure.axes) == 3


def test_a_figure_is_a_picture() -> None:
    assert as_png(draw_confusion(("a", "b"), [[1, 2], [0, 0]]))[:4] == b"\x89PNG"


def test_figures_are_saved_whole_into_folders_that_are_made(tmp_path: Path) -> None:
    save_figure(draw_learning_curves({"a": [0.1]}), tmp_path / "new" / "learning.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["learning.png"]
