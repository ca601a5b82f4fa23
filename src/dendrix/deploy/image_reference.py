"""Integer image networks in numpy: the definition that compiled loops, C and WebAssembly equal to the bit.

All numbers are whole. The image is centred once, x = pixel - centre, and the first stage of neurons gets the same drive at every step.
Maps are [H, W, C], and a sum beyond the edge of a map takes zeros.

    drive = bias + sum over edges of (sum over the window and the channels of weight x, or gain x, << shift)
    if:      v <- v + drive;   s = [v >= threshold];   v <- v - threshold s
    signed:  v <- v + drive;   s = [v >= threshold and sent < limit] - [v < 0 and sent > 0];   v <- v - threshold s;   sent <- sent + s
    pool:    sum of x over the window
    out:     drive, which is the output of the step

Membranes begin at `start`, and `sent` at 0. Nothing overflows 32 bits within the number of steps that was proved, see `image_bounds`.
Source: ours; the equations in real numbers are those of `dendrix.neurons.IF` and `SignedIF`.
"""

from collections.abc import Sequence

import numpy as np

from ..lowering.stage_forms import EdgeForm
from .image_layout import ImagePlan, Stage, StageForm
from .integer_layer import Ints


def drive(stage: Stage, maps: Sequence[Ints]) -> Ints:
    """Weighted inputs and bias of a stage, [B, H, W, C].

    Args:
        stage: neurons or read-out.
        maps: the image and the outputs of the stages before, [B, H, W, C] each.
    """
    total = np.broadcast_to(stage.bias, (len(maps[0]), *stage.form.shape))
    for edge, weight in zip(stage.form.edges, stage.weights, strict=True):
        x = maps[edge.source]
        total = total + ((x * weight if edge.kind == "gain" else _convolved(edge, stage.form, weight, x)) << edge.shift)
    return total


def _windows(edge: EdgeForm, form: StageForm, x: Ints) -> list[tuple[int, int, Ints]]:
    """Values of a map that each tap of a kernel meets: the place of the tap, and [B, H, W, C]."""
    (top, left), (down, right) = edge.padding, edge.stride
    (height, width), (rows, columns) = form.shape[:2], edge.kernel
    room = [(0, 0), (top, rows + height * down), (left, columns + width * right), (0, 0)]
    padded = np.pad(x, room)
    return [
        (i, j, padded[:, i : i + height * down : down, j : j + width * right : right][:, :height, :width])
        for i in range(rows)
        for j in range(columns)
    ]


def _convolved(edge: EdgeForm, form: StageForm, weight: Ints, x: Ints) -> Ints:
    groups, out = edge.groups, form.shape[2]
    # In float64, where sums below 2^53 are exact, a product is one of BLAS.
    parts = weight.reshape(groups, -1, *edge.kernel, out // groups).astype(np.float64)
    found = np.zeros((len(x), *form.shape[:2], groups, out // groups))
    for i, j, values in _windows(edge, form, x):
        given = values.reshape(*values.shape[:3], groups, -1).astype(np.float64)
        for group in range(groups):
            found[..., group, :] += given[..., group, :] @ parts[group, :, i, j]
    return found.reshape(len(x), *form.shape).astype(np.int64)


def _pooled(stage: Stage, x: Ints) -> Ints:
    (edge,) = stage.form.edges
    total: Ints = np.sum([values for _, _, values in _windows(edge, stage.form, x)], axis=0)
    return total


def fire(stage: Stage, current: Ints, v: Ints, sent: Ints) -> tuple[Ints, Ints, Ints]:
    """One step of neurons.

    Args:
        stage: the neurons.
        current: drive, [B, H, W, C], as all that follow.
        v: membranes.
        sent: spikes that are not cancelled; not used by "if".
    Returns:
        spikes, membranes and spikes sent.
    """
    v = v + current
    spikes = (v >= stage.threshold).astype(np.int64)
    if stage.form.kind == "signed":
        if stage.form.limit:
            spikes = spikes * (sent < stage.form.limit)
        spikes = spikes - ((v < 0) & (sent > 0))
        sent = sent + spikes
    return spikes, v - spikes * stage.threshold, sent


def encode(stages: Sequence[Stage], image: Ints) -> Ints:
    """Drive of the first stage for centred images, [B, H, W, C]."""
    return drive(stages[0], [image])


def run(stages: Sequence[Stage], plan: ImagePlan, currents: Ints, steps: int, valid: Ints, memory: Ints) -> tuple[Ints, Ints]:
    """Run rows from a state.

    Args:
        stages: the network.
        plan: places in the state, see `image_layout`.
        currents: drive of the first stage, [B, T, H, W, C], or [B, 1, H, W, C] for the same at every step.
        steps: T.
        valid: bool [B, T]; an invalid step changes nothing and gives zero.
        memory: state of the rows, [B, S].
    Returns:
        outputs [B, T, K], and the state at the end.
    """
    batch, still = len(currents), currents.shape[1] == 1
    outputs = np.zeros((batch, steps, stages[-1].form.shape[2]), np.int64)
    for t in range(steps):
        maps, after = step(stages, plan, currents[:, 0 if still else t], memory)
        now = valid[:, t, None].astype(bool)
        outputs[:, t] = np.where(now, maps[-1].reshape(batch, -1), 0)
        memory = np.where(now, after, memory)
    return outputs, memory


def step(stages: Sequence[Stage], plan: ImagePlan, current: Ints, memory: Ints) -> tuple[list[Ints], Ints]:
    """One step of rows.

    Args:
        stages: the network.
        plan: places in the state.
        current: drive of the first stage, [B, H, W, C].
        memory: state of the rows, [B, S].
    Returns:
        an empty map in place of the image and the maps of all stages, [B, H, W, C] each, and the next state.
    """
    batch = len(current)
    maps: list[Ints] = [np.zeros((batch, 0, 0, 0), np.int64)]
    after = memory.copy()
    for number, (stage, row) in enumerate(zip(stages, plan.stages, strict=True)):
        form, at, sent_at = stage.form, int(row[9]), int(row[10])
        if form.kind == "pool":
            maps.append(_pooled(stage, maps[form.edges[0].source]))
            continue
        given = drive(stage, maps) if number else current
        if form.kind == "out":
            maps.append(given)
            continue
        shape = (batch, *form.shape)
        signed = form.kind == "signed"
        sent = memory[:, sent_at : sent_at + form.size].reshape(shape) if signed else np.zeros(shape, np.int64)
        spikes, v, sent = fire(stage, given, memory[:, at : at + form.size].reshape(shape), sent)
        after[:, at : at + form.size] = v.reshape(batch, -1)
        if signed:
            after[:, sent_at : sent_at + form.size] = sent.reshape(batch, -1)
        maps.append(spikes)
    return maps, after


def reach(edge: EdgeForm, form: StageForm, size: tuple[int, int, int]) -> Ints:
    """Number of weights that each value of a map meets, [H, W, C].

    Args:
        edge: a convolution.
        form: the stage that it feeds.
        size: shape of the map.
    """
    height, width, _ = size
    places = np.arange(1, height * width + 1).reshape(1, height, width, 1)  # 0 is beyond the edge
    met = np.concatenate([values.ravel() for _, _, values in _windows(edge, form, places)])
    found = np.bincount(met, minlength=height * width + 1)[1:] * (form.shape[2] // edge.groups)
    return np.broadcast_to(found.reshape(height, width, 1), size)
