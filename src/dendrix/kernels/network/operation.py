"""Inputs that run until an exit rule stops them, by the compiled loop of a whole network."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core import ACCUMULATIONS, kernel, record_choice
from ...errors import InputError
from ...layers.delay.base import delay_layers
from ...lowering.layers import lower
from ...lowering.tables import sliding, tables
from ..available import HAS_NUMBA
from ..numba.arrays import array
from ..numba.pool import in_parts

if TYPE_CHECKING:
    from ...exits.rows import Judge

_SCORES = ("max-probability", "margin", "entropy", "patience", "fixed-steps")
"""Names of scores, in the order of their numbers in `lowering.stopping`."""


class Ends(NamedTuple):
    """Where rows ended."""

    steps: NDArray[np.int64]
    """Number of steps that each row ran, [B]."""
    answers: NDArray[np.int64]
    """Class with the most evidence, [B]."""
    stopped: NDArray[np.bool_]
    """Whether the rule stopped the row, [B]; otherwise it ended."""
    broken: NDArray[np.bool_]
    """Whether the row met a NaN or an infinity, in its inputs or its outputs, [B]."""
    evidence: NDArray[np.float32]
    """Evidence after the last step, [B, K]."""


RunUntil = Callable[[Tensor, NDArray[np.int64]], Ends]
"""(inputs float32 [B, T, C], number of steps of each row) -> ends."""


def _refuses(model: nn.Module, x: Tensor, judge: "Judge | None", accumulation: str) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if x.dtype != torch.float32 or x.dim() != 2:
        return "inputs are not float32 [T, C]"
    if judge is None:
        return "the rule has no compiled form"
    if accumulation not in ACCUMULATIONS:
        return f"unknown accumulation {accumulation}"
    if not all(layer.rounded for layer in delay_layers(model)):
        return "delays are not rounded"
    for part in model.modules():
        if type(part).__module__.partition(".")[0] not in ("dendrix", "torch") or "forward" in vars(part):
            return f"{type(part).__name__} has a forward of its own"
        if part._forward_hooks or part._forward_pre_hooks:
            return f"{type(part).__name__} has hooks"
    tensors = model.state_dict().values()
    odd = next((t for t in tensors if t.device.type != "cpu" or (t.is_floating_point() and t.dtype != torch.float32)), None)
    return None if odd is None else f"the network holds {odd.dtype} on {odd.device}"


@kernel("run_until", "cpu", refuses=_refuses)
def compiled_runs(model: nn.Module, x: Tensor, judge: "Judge", accumulation: str) -> RunUntil | None:
    """The loop for a network as it is now and inputs like x [T, C]; None, with the reason recorded, if a part has no compiled form."""
    from ...lowering.loops import AHEAD, run_until  # numba loads in 0.4 s

    try:
        layers = lower(model)
    except InputError as error:
        record_choice("run_until", "cpu", f"reference ({error})")
        return None
    if layers[0].synapses.weight.shape[1] != x.shape[1]:
        return None  # the modules raise the error
    ahead, classes = sliding(layers[0], AHEAD), len(layers[-1].bias)
    arrays = (*tables(layers), *ahead)
    rule = _SCORES.index(judge.score), judge.scale, np.array(judge.thresholds), judge.min_steps
    # Delays that do not depend on the neuron they feed need no sums ahead: their products are over whole vectors already.
    slides = not arrays[1][0, 0]

    def run(x: Tensor, lengths: NDArray[np.int64]) -> Ends:
        inputs: Any = array(x)
        steps, answers, ends = np.empty((3, len(inputs)), np.int64)
        evidence = np.empty((len(inputs), classes), np.float32)
        after = (steps, answers, ends, evidence)
        in_parts(partial(run_until, inputs, lengths, *arrays, slides, ACCUMULATIONS.index(accumulation), *rule, *after), len(inputs))
        return Ends(steps, answers, ends == 1, ends == 3, evidence)

    return run
