"""Contract of a recorded network: explicit state, one output vector per step, and a fingerprint that identifies it."""

import contextlib
import hashlib
import inspect
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..core import Stateful, expect, expect_finite, expect_valid
from ..errors import InputError, InputTypeError
from ..neurons import Neuron

Item = Tensor | Sequence[Tensor] | tuple[Tensor, Tensor | None, Tensor]
"""A batch: (x, valid, y), (x, y) or x."""


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of the parameters, the buffers and the stateful layers of a network, as hexadecimal digits.

    Hashed are the names, dtypes, shapes and bytes of the `state_dict`, and the path, the class, the plain attributes (numbers, strings
    and tuples of them) and the constants (thresholds, resets) of each `Stateful` layer, because other neurons give other answers with the
    same weights. A constant with its default value is left out, so that most policies of earlier versions stay valid. The result does
    not depend on the process, the device, or the training mode.
    """
    digest = hashlib.sha256()
    for path, part in model.named_modules():
        if isinstance(part, Stateful):
            digest.update(f"{path} {type(part).__name__} {_settings(part)}\n".encode())
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _settings(part: Stateful) -> list[tuple[str, object]]:
    """Public attributes of a layer that are plain values, and the constants of a neuron that are not at their defaults, by name."""
    plain = bool | int | float | str
    attributes: list[tuple[str, object]] = [
        (name, value)
        for name, value in sorted(vars(part).items())
        if not name.startswith("_")
        and name != "training"
        and (isinstance(value, plain) or (isinstance(value, tuple) and all(isinstance(one, plain) for one in value)))
    ]
    if not isinstance(part, Neuron):
        return attributes
    defaults = inspect.signature(type(part).__init__).parameters
    return attributes + [
        (name, value)
        for name, value in sorted(part.constants.items())
        if not isinstance(value, Tensor) and name != "spike" and not (name in defaults and value == defaults[name].default)
    ]


def call(model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """Run a network from rest and check its outputs, [B, T, K].

    Raises:
        TypeError: it does not return a pair (outputs, state).
        ValueError: the outputs are not one vector per step, or a valid one is NaN or infinite.
    """
    expect_valid(valid, x)
    outputs = expect_outputs(model(x) if valid is None else model(x, None, valid), x)
    expect_finite(outputs if valid is None else outputs.masked_fill(~valid.unsqueeze(-1), 0), "outputs")
    return outputs


def expect_outputs(given: object, x: Tensor) -> Tensor:
    """Check what a network returned for x [B, T, ...], and return its outputs [B, T, K].

    Raises:
        TypeError: it is not a pair (outputs, state).
        ValueError: the outputs are not one vector per step.
    """
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Tensor)):
        raise InputTypeError(
            f"model: expected a pair (outputs [B, T, K], state) from model(x), got {type(given).__name__}. "
            "A network here takes its temporal state as an argument and returns the next, y, state = model(x, state, valid)."
        )
    expect(given[0], "B T K", "outputs", B=x.shape[0], T=x.shape[1])
    return given[0]


def expect_explicit_state(model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """Run a network twice to check that it keeps nothing between calls, and return its outputs [B, T, K].

    Raises:
        TypeError, ValueError: see `call`.
        ValueError: the second run from rest gives other outputs.
    """
    first, second = call(model, x, valid), call(model, x, valid)
    expect_repeated(first, second)
    return first


def expect_repeated(first: Tensor, second: Tensor) -> None:
    """Check that two runs of a network on the same input gave the same outputs.

    Raises:
        ValueError: they differ.
    """
    if not torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise InputError(
            "model: expected the same outputs for the same input from rest, but a second run differs: it keeps hidden state between calls, "
            "or it is random. Temporal state must be explicit: taken as an argument, returned, and None at rest."
        )


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Context in evaluation mode without gradients; restores the mode of every module at its end."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        for part, training in modes:
            part.training = training


def parts(item: Item) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Unpack a batch into x, valid and y."""
    match item:
        case Tensor():
            return item, None, None
        case (x, y):
            return x, None, y
        case (x, valid, y):
            return x, valid, y
    raise InputTypeError(f"batches: expected (x, valid, y), (x, y) or x, got {type(item).__name__}. See dendrix.exits.record_outputs.")
