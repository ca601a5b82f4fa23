"""Activity as NIR and tonic have it."""

from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.data.events.arrays import event_frames, events_from_array
from dendrix.exchange import build_graph, reading_of
from dendrix.exchange.recordings import read_recording, to_events, write_recording
from support.nir_graphs import chain_graph


def test_the_activity_of_a_network_goes_out_and_comes_back(tmp_path: Path) -> None:
    graph = chain_graph("LIF", r=10.0)
    values, _ = build_graph(graph, reading_of(graph, 1.0)).run(torch.rand(2, 30, 3) * 3)
    write_recording(values, tmp_path / "activity.h5", 1.0)
    nir.read_data(tmp_path / "activity.h5")
    back = read_recording(tmp_path / "activity.h5", 1.0)
    assert back.keys() == values.keys()
    assert back["neuron"].sum() > 0
    assert all(torch.equal(back[name], value) for name, value in values.items())


def test_events_fall_into_their_steps() -> None:
    """Times on the grid too, which floating point puts a little below it."""
    time = np.array([[0.0, 0.3, 0.3, np.inf], [0.7, 0.1, 0.75, 0.899]]) * 1e-3
    idx = np.array([[0, 1, 1, -1], [2, 0, 2, 1]])
    data = nir.NIRGraphData(
        {"a": nir.NIRNodeData({"spikes": nir.EventData(idx, time, 3, 0.9e-3), "v": nir.TimeGriddedData(np.ones((2, 9, 3)), 1e-4)})}
    )
    found = read_recording(data, 0.1)
    assert found.keys() == {"a/spikes", "a/v"}
    assert found["a/spikes"].shape == (2, 9, 3)
    assert {tuple(place): 0 for place in found["a/spikes"].nonzero().tolist()}.keys() == {
        (0, 0, 0), (0, 3, 1), (1, 7, 2), (1, 1, 0), (1, 8, 1)
    }  # fmt: skip
    assert found["a/spikes"][0, 3, 1] == 2
    assert found["a/spikes"].sum() == 7


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (nir.TimeGriddedData(np.ones((1, 9, 3)), 1e-3), "a: expected steps of 0.1 ms, got 1 ms"),
        (nir.EventData(np.array([[5]]), np.array([[0.0]]), 3, 1e-3), "a: expected events of its neurons"),
        (nir.EventData(np.array([[0]]), np.array([[9.0]]), 3, 1e-3), "a: expected events of its neurons"),
        (nir.EventData(np.array([[0]]), np.array([[0.0]]), 3, 1e9), "a: expected at most"),
    ],
)
def test_recordings_that_do_not_fit(data: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_recording(nir.NIRGraphData({"a": nir.NIRNodeData({"x": data})}), 0.1)


def test_files_that_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_text("spikes")
    with pytest.raises(ValueError, match="expected an HDF5 file"):
        read_recording(tmp_path / "x.h5", 1.0)
    with pytest.raises(ValueError, match="recording: expected a file"):
        read_recording(3, 1.0)
    with pytest.raises(ValueError, match=r"a: expected \[B, T, C\]"):
        write_recording({"a": torch.zeros(2, 3)}, tmp_path / "y.h5", 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]


@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 5), st.integers(1, 4))
def test_event_arrays_go_out_and_come_back(seed: int, steps: int, height: int, width: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 3, (steps, 2, height, width), generator=draw)
    frames[0, 0, 0, 0] = 1  # time starts at the earliest event
    events = to_events(frames, 2.0)
    assert (np.diff(events["t"]) >= 0).all()
    back = event_frames(events_from_array(events), width, height, dt_ms=2.0, duration_ms=2.0 * steps)
    assert torch.equal(back.view(frames.shape).long(), frames)


def test_a_line_of_channels() -> None:
    events = to_events(torch.tensor([[0, 2], [1, 0]]), 0.5)
    assert events["t"].tolist() == [0, 0, 500]
    assert events["x"].tolist() == [1, 1, 0]
    for wrong in (torch.zeros(3), torch.full((2, 2), 0.5), torch.full((2, 2), -1.0)):
        with pytest.raises(ValueError, match="spikes: expected"):
            to_events(wrong, 1.0)
