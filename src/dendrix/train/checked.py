"""Checks of a network before training: the shape of its outputs, and that it keeps no hidden state."""

import torch
from torch import Tensor, nn

from ..core import Stateful, unrecorded
from ..data import Batch
from ..errors import InputError, InputTypeError
from ..exits.network import evaluating
from ..models import Decision
from ..models.decision import outputs_of

_TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


def expect_classifier(network: nn.Module, batch: Batch, classes: int, decision: Decision = Decision()) -> None:
    """Run a network on one batch in evaluation mode, twice, and a `Stateful` also in two parts. The random state is not changed.

    Args:
        network: network to be trained.
        batch: a few inputs.
        classes: K, the number of classes in the data.
        decision: with `padded` the test in two parts is left out, because padding inside the network needs the whole sequence.
    Raises:
        InputTypeError: the network returns neither outputs nor a pair (outputs, state).
        InputError: the outputs have the wrong shape, the network keeps a hidden state, or a step depends on later ones.
    """
    with torch.random.fork_rng(devices=[]), evaluating(network), unrecorded():
        first, again = (_outputs(network, batch, classes, decision.padded) for _ in range(2))
        if not torch.allclose(first, again, **_TOLERANCE, equal_nan=True):
            raise InputError(
                "network: expected the same outputs for the same inputs, but a second call differs: it keeps a hidden state between calls, "
                "or draws random numbers in evaluation mode. Take the state as an argument and return it."
            )
        if isinstance(network, Stateful) and first.dim() == 3 and not decision.padded and first.shape[1] > 1:
            _expect_causal(network, batch, first)


def _outputs(network: nn.Module, batch: Batch, classes: int, padded: bool) -> Tensor:
    outputs = outputs_of(network, batch.x, None if padded else batch.valid)
    if not isinstance(outputs, Tensor):
        raise InputTypeError(
            f"network: expected outputs, or a pair (outputs, state), got {type(outputs).__name__}. Return a tensor [B, T, K] or [B, K]."
        )
    count, steps = batch.x.shape[:2]
    shape = list(outputs.shape)
    wanted = f"[{count}, {classes}]" if batch.valid is None else f"[{count}, {steps}, {classes}] or [{count}, {classes}]"
    over_time = batch.valid is not None and len(shape) == 3 and [shape[0], shape[2]] == [count, classes]
    fits = shape == [count, classes] or (over_time and (shape[1] >= steps if padded else shape[1] == steps))
    if not fits:
        raise InputError(
            f"network: expected outputs {wanted} for inputs {list(batch.x.shape)} and {classes} classes, got {shape}. "
            "Change its last layer, or give the names of all classes as labels."
        )
    return outputs


def _expect_causal(network: Stateful, batch: Batch, whole: Tensor) -> None:
    """Refuse a network whose outputs change when a sequence is passed in two parts, with the state between them."""
    cut = whole.shape[1] // 2
    valid = (None, None) if batch.valid is None else (batch.valid[:, :cut], batch.valid[:, cut:])
    early, state = network(batch.x[:, :cut], None, valid[0])
    late, _ = network(batch.x[:, cut:], state, valid[1])
    if not torch.allclose(torch.cat([early, late], 1), whole, **_TOLERANCE, equal_nan=True):
        raise InputError(
            "network: expected a sequence in two parts to give the outputs of the whole, but it differs: the returned state is incomplete, "
            "or a step depends on later ones. Return everything that a later step needs, or use a plain nn.Module."
        )
