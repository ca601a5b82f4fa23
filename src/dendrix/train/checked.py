"""Checks of a network before training: that it has parameters, the shape of its outputs, and that it keeps no hidden state."""

import reprlib
from typing import Any

import torch
from torch import Tensor, nn

from ..core import Stateful, expect_module, unrecorded
from ..core.foreign import foreign
from ..data import Batch, Splits
from ..errors import InputError, InputTypeError
from ..exits.network import evaluating
from ..models import Decision
from ..models.decision import outputs_of
from .recipe import NetworkConfig

_TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


def built(config: NetworkConfig) -> nn.Module:
    """The network of a configuration.

    Raises:
        InputTypeError: it is not a module.
        InputError: it has no parameter to train, or the code that builds it fails.
    """
    with foreign("model: expected build() to return a network", "Mend the configuration or its values."):
        network: Any = config.build()
    return expect_trainable(network)


def expect_alike(splits: Splits[Any], *kinds: type) -> None:
    """Check that the training and the validation data are of one of these kinds, with the same channels and classes.

    Raises:
        InputTypeError: they are of another kind.
        InputError: they differ.
    """
    train = splits.train
    for name in ("train", "valid"):
        part: Any = getattr(splits, name)
        if not issubclass(type(part), kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise InputTypeError(f"{name}: expected {wanted}, got {type(part).__name__}. Make it with dendrix.data.as_dataset.")
        for what, has, needs in (("channels", part.channels, train.channels), ("classes", part.labels, train.labels)):
            if has != needs:
                raise InputError(
                    f"{name}: expected {what} as the training data have them, {reprlib.repr(needs)}, got {reprlib.repr(has)}. "
                    "Prepare all parts in the same way."
                )


def expect_trainable(network: Any) -> nn.Module:
    """Check that this is a module with parameters that training can move.

    Raises:
        InputTypeError: it is no module.
        InputError: it has no such parameter, or one without numbers.
    """
    module = expect_module(network)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise InputError(
            f"network: expected at least one parameter to train, but {type(network).__name__} has none. Give it layers with "
            "weights, or set requires_grad."
        )
    if any(parameter.is_meta for parameter in parameters):
        raise InputError("network: expected parameters with numbers, got some on the device meta. Use network.to_empty() and start them.")
    return module


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
    trial = f"network: expected outputs for inputs {list(batch.x.shape)} of {batch.x.dtype}"
    with torch.random.fork_rng(devices=[]), evaluating(network), unrecorded(), foreign(trial, "Build it for such inputs."):
        given = batch.x.clone()
        first, again = (_outputs(network, batch, classes, decision.padded) for _ in range(2))
        if not torch.equal(batch.x.nan_to_num(), given.nan_to_num()):
            raise InputError("network: expected inputs that stay as they are, but it writes into them. Do not use methods in place on x.")
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
    if not outputs.is_floating_point():
        raise InputTypeError(f"network: expected outputs of a floating dtype, got {outputs.dtype}. Return the scores of the classes.")
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
    returned = network(batch.x[:, :cut], None, valid[0])
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise InputTypeError(
            f"network: expected a pair (outputs, state), as a Stateful returns it, got {type(returned).__name__}. Return both, or use a "
            "plain nn.Module."
        )
    early, state = returned
    late, _ = network(batch.x[:, cut:], state, valid[1])
    if not torch.allclose(torch.cat([early, late], 1), whole, **_TOLERANCE, equal_nan=True):
        raise InputError(
            "network: expected a sequence in two parts to give the outputs of the whole, but it differs: the returned state is incomplete, "
            "or a step depends on later ones. Return everything that a later step needs, or use a plain nn.Module."
        )
