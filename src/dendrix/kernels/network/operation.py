"""Inputs that run until an exit rule stops them, by the compiled loop of a whole network."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...convert.network import SpikingNetwork
from ...core import ACCUMULATIONS, kernel, record_choice
from ...errors import InputError
from ...layers.delay.base import delay_layers
from ...lowering.layers import lower
from ...lowering.plain import why_not_plain
from ...lowering.stage_forms import FloatStage
from ...lowering.stage_tables import stage_tables
from ...lowering.stages import lower_steps
from ...lowering.tables import sliding, tables
from ..available import HAS_NUMBA
from ..numba.arrays import array
from ..numba.pool import in_parts

if TYPE_CHECKING:
    from ...exits.rows import Judge

_SCORES = ("max-probability", "margin", "entropy", "patience", "fixed-steps")
"""Names of scores, in the order of their numbers in `lowering.stopping`."""


class Ends(NamedTuple):
    """Where B rows exited, and then where those of them ended that also ran to their ends."""

    steps: NDArray[np.int64]
    """Number of steps that each row ran until then, [N]."""
    answers: NDArray[np.int64]
    """Class with the most evidence, [N]."""
    stopped: NDArray[np.bool_]
    """Whether the rule stopped the row, [N]; otherwise it ended."""
    broken: NDArray[np.bool_]
    """Whether the row met a NaN or an infinity, in its inputs or its outputs, [N]."""
    evidence: NDArray[np.float32]
    """Evidence after that step, [N, K]."""


RunUntil = Callable[[Tensor, NDArray[np.int64], NDArray[np.bool_]], Ends]
"""(inputs float32 [B, T, C], number of steps of each row, whether it also runs to its end) -> ends."""


def _refuses(model: nn.Module, x: Tensor, judge: "Judge | None", accumulation: str) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if x.dtype != torch.float32 or x.dim() not in (2, 4):
        return "inputs are not float32 [T, C] or [T, C, H, W]"
    if judge is None:
        return "the rule has no compiled form"
    if accumulation not in ACCUMULATIONS:
        return f"unknown accumulation {accumulation}"
    if not all(layer.rounded for layer in delay_layers(model)):
        return "delays are not rounded"
    if other := why_not_plain(model):
        return " has ".join(other)
    if own := next((part for part in model.modules() if type(part).__module__.partition(".")[0] not in ("dendrix", "torch")), None):
        return f"{type(own).__name__} is a class of others"
    tensors = model.state_dict().values()
    odd = next((t for t in tensors if t.device.type != "cpu" or (t.is_floating_point() and t.dtype != torch.float32)), None)
    return None if odd is None else f"the network holds {odd.dtype} on {odd.device}"


@kernel("run_until", "cpu", refuses=_refuses)
def compiled_runs(model: nn.Module, x: Tensor, judge: "Judge", accumulation: str) -> RunUntil | None:
    """The loop for a network as it is now and inputs like x [T, C] or [T, C, H, W]; None, with the reason recorded, if a part has no
    compiled form.
    """
    try:
        loop, inputs, classes = _loop(model, x)
    except InputError as error:
        record_choice("run_until", "cpu", f"reference ({error})")
        return None
    if inputs != x.shape[1:]:
        return None  # the modules raise the error
    rule = ACCUMULATIONS.index(accumulation), _SCORES.index(judge.score), judge.scale, np.array(judge.thresholds), judge.min_steps

    def run(x: Tensor, lengths: NDArray[np.int64], whole: NDArray[np.bool_]) -> Ends:
        rows = np.flatnonzero(whole)
        to_end = np.full(len(x), -1)
        to_end[rows] = len(x) + np.arange(len(rows))
        steps, answers, ends = np.zeros((3, len(x) + len(rows)), np.int64)
        evidence = np.zeros((len(steps), classes), np.float32)
        in_parts(partial(loop(x, lengths, to_end), *rule, steps, answers, ends, evidence), len(x))
        # Rows that exited at their ends.
        done = rows[steps[rows] == lengths[rows]]
        for part in (steps, answers, evidence):
            part[to_end[done]] = part[done]
        return Ends(steps, answers, ends == 1, ends == 3, evidence)

    return run


def _loop(model: nn.Module, x: Tensor) -> tuple[Callable[..., Any], tuple[int, ...], int]:
    """The loop as a function of inputs, lengths and places of ends, which returns the rest of it; the shape of a step; and K."""
    # A network of still images is a converted one and its settings.
    parts = list(model.children())
    converted = next((part for part in (model, *(parts if len(parts) == 1 else ())) if isinstance(part, SpikingNetwork)), None)
    if converted is not None:
        return _staged(lower_steps(converted.body, converted.current), converted.current)
    if x.dim() == 4:
        return _staged(lower_steps(model, tuple(x.shape[1:])), tuple(x.shape[1:]))
    try:
        return _layered(model)
    except InputError:
        with contextlib.suppress(InputError):
            return _staged(lower_steps(model, tuple(x.shape[1:])), tuple(x.shape[1:]))
        raise


def _layered(model: nn.Module) -> tuple[Callable[..., Any], tuple[int, ...], int]:
    from ...lowering.loops import AHEAD, run_until  # numba loads in 0.4 s

    layers = lower(model)
    arrays = (*tables(layers), *sliding(layers[0], AHEAD))
    # Delays that do not depend on the neuron they feed need no sums ahead: their products are over whole vectors already.
    slides = not arrays[1][0, 0]

    def loop(x: Tensor, *rows: NDArray[np.int64]) -> Callable[..., None]:
        return partial(run_until, array(x), *rows, *arrays, slides)

    return loop, (layers[0].synapses.weight.shape[1],), len(layers[-1].bias)


def _staged(stages: Sequence[FloatStage], step: tuple[int, ...]) -> tuple[Callable[..., Any], tuple[int, ...], int]:
    from ...lowering.stage_loops import run_stages_until

    channels, height, width = (*step, 1, 1)[:3]
    arrays = stage_tables(stages, (height, width, channels))

    def loop(x: Tensor, *rows: NDArray[np.int64]) -> Callable[..., None]:
        # The steps of a still image are the same memory.
        frames = x[:, :1] if x.stride(1) == 0 else x
        return partial(run_stages_until, array(frames.flatten(2)), *rows, *arrays, channels)

    return loop, step, stages[-1].shape[2]
