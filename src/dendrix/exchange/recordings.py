"""Recordings of activity: NIR's graph data, and event arrays as tonic has them."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import expect, expect_in
from ..core.files import write_atomic
from ..errors import InputError
from .hdf5 import read_tree
from .packages import require

_MOST_VALUES = 2**28


def write_recording(values: Mapping[str, Tensor], path: str | Path, dt_ms: float) -> None:
    """Write the activity of layers as `nir.NIRGraphData`, whole or not at all.

    Args:
        values: what each node put out, [B, T, C], by name; values of 0 and 1 are written as spikes, others as the observable "v".
        path: the file.
        dt_ms: time step, in ms.
    Raises:
        InputError: values are not [B, T, C].
        OSError: the file cannot be written.
        MissingExtraError: nir is not installed.
    """
    nir = require("nir")
    dt = expect_in(dt_ms, "(0, inf)", "dt_ms") * 1e-3
    nodes = {}
    for name, value in values.items():
        expect(value, "B T C", name)
        array = value.detach().cpu().numpy()
        spikes = bool(np.isin(array, (0, 1)).all())
        grid = nir.TimeGriddedData(array.astype(bool) if spikes else array, dt)
        nodes[name] = nir.NIRNodeData({"spikes" if spikes else "v": grid})
    file = io.BytesIO()
    nir.write_data(file, nir.NIRGraphData(nodes))
    write_atomic(Path(path), file.getvalue())


def read_recording(source: Any, dt_ms: float) -> dict[str, Tensor]:
    """Read `nir.NIRGraphData`, events or values at time steps, as tensors.

    Args:
        source: a file, or the data themselves.
        dt_ms: time step, in ms; events count in the step in which they fall.
    Returns:
        one tensor [B, T, C] for each observable, as "node" where a node has one, and otherwise as "node/observable".
    Raises:
        OSError: there is no such file.
        InputError: it is damaged, holds no recording, or has another time step.
        MissingExtraError: nir is not installed.
    """
    nir = require("nir")
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    if isinstance(source, str | Path):
        read_tree(source)  # refuses what leads out of the file
        try:
            source = nir.read_data(source)
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise InputError(f"{source}: expected a recording of NIR, but it cannot be read ({error}). Copy it again.") from error
    if not isinstance(source, nir.NIRGraphData):
        raise InputError(f"recording: expected a file or a nir.NIRGraphData, got {type(source).__name__}. Pass one of these.")
    return _of_graph(source, dt_ms * 1e-3, "")


def _of_graph(data: Any, dt: float, prefix: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, node in data.nodes.items():
        if hasattr(node, "nodes"):
            found |= _of_graph(node, dt, f"{prefix}{name}.")
            continue
        for key, observable in node.observables.items():
            place = f"{prefix}{name}" if len(node.observables) == 1 else f"{prefix}{name}/{key}"
            found[place] = _grid(observable, dt, place)
    return found


def _grid(observable: Any, dt: float, name: str) -> Tensor:
    if hasattr(observable, "data"):
        if not np.isclose(observable.dt, dt, rtol=1e-6):
            raise InputError(f"{name}: expected steps of {dt * 1e3:g} ms, got {observable.dt * 1e3:g} ms. Choose that dt_ms.")
        return torch.from_numpy(np.asarray(observable.data, np.float32))
    steps = max(1, int(np.ceil(observable.t_max / dt - 1e-6)))
    if observable.n_samples * steps * observable.n_neurons > _MOST_VALUES:
        raise InputError(
            f"{name}: expected at most {_MOST_VALUES:,} values, got {steps:,} steps of {observable.n_neurons:,} neurons. Raise dt_ms."
        )
    grid = np.zeros((observable.n_samples, steps, observable.n_neurons), np.float32)
    row, place = np.nonzero(observable.idx != -1)
    neuron, time = observable.idx[row, place], observable.time[row, place]
    step = np.floor(time / dt + 1e-6).astype(np.int64)
    if ((step < 0) | (step > steps) | (neuron < 0) | (neuron >= observable.n_neurons)).any():
        raise InputError(f"{name}: expected events of its neurons within {observable.t_max:g} s, got others. Record it again.")
    np.add.at(grid, (row, step.clip(max=steps - 1), neuron), getattr(observable, "value", np.ones(observable.idx.shape))[row, place])
    return torch.from_numpy(grid)


def to_events(spikes: Tensor, dt_ms: float) -> NDArray[Any]:
    """Turn spikes into an event array as tonic has them; `dendrix.data` reads such arrays back.

    Args:
        spikes: counts of one recording, [T, C] of a line of channels, or [T, P, H, W] of a camera with P polarities.
        dt_ms: time step, in ms.
    Returns:
        structured array [N] with the fields t (in microseconds, at the start of the step), x, y and p, ordered by t; several spikes in a
        step are several events.
    Raises:
        InputError: another shape, or counts that are negative or not whole.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    counts = spikes.detach().cpu().numpy()
    if counts.ndim not in (2, 4):
        raise InputError(f"spikes: expected [T, C] or [T, P, H, W], got {list(counts.shape)}. Take one recording.")
    if (counts < 0).any() or (counts != np.rint(counts)).any():
        raise InputError("spikes: expected counts, got negative or broken numbers. Pass what neurons send.")
    places = np.nonzero(counts)
    each = np.repeat(np.stack(places, 1), counts[places].astype(np.int64), 0)
    events = np.zeros(len(each), [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "?")])
    events["t"] = np.rint(each[:, 0] * dt_ms * 1000).astype(np.int64)
    events["x"] = each[:, -1]
    events["y"], events["p"] = (each[:, 2], each[:, 1]) if counts.ndim == 4 else (0, 1)
    return events
