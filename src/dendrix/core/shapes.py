"""Argument checks: one sentence that says what was expected, what came, and what to do."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import InputError, InputTypeError
from .dispatch import transform
from .state import State


def expect(x: Tensor, axes: str, name: str = "x", **sizes: int) -> None:
    """Check the shape of a tensor against named axes.

    Args:
        x: the tensor to check.
        axes: axis names such as `"B T C"`; a last name `...` allows any further axes.
        name: what to call the tensor in the error.
        **sizes: required sizes of named axes; the others may be any size of at least one.
    Raises:
        TypeError: `x` is not a tensor.
        ValueError: wrong number of axes, a wrong size, or an empty axis.
    """
    if not isinstance(x, Tensor):
        raise InputTypeError(f"{name}: expected a torch.Tensor [{axes}], got {type(x).__name__}. Convert it with torch.as_tensor.")
    more = axes.endswith("...")
    names = axes.removesuffix("...").split()
    fits = x.dim() >= len(names) if more else x.dim() == len(names)
    wrong = [n for n, size in zip(names, x.shape, strict=False) if sizes.get(n, size) != size]
    empty = [n for n, size in zip(names, x.shape, strict=False) if size == 0]
    if fits and not wrong and not empty:
        return
    wanted = ", ".join([f"{n}={sizes[n]}" if n in sizes else n for n in names] + ["..."] * more)
    if fits and empty and not wrong:
        advice = f"Axis {empty[0]} is empty; give at least one."
    elif names[:2] == ["B", "T"]:
        advice = "Tensors are batch first, [B, T, ...]; for time-first data use x.transpose(0, 1)."
    else:
        advice = "Reshape the tensor or build the layer for this size."
    raise InputError(f"{name}: expected [{wanted}], got {list(x.shape)}. {advice}")


def expect_valid(valid: Tensor | None, x: Tensor) -> None:
    """Check a `valid` mask, bool [B, T], against its `x`, [B, T, ...]."""
    if valid is None:
        return
    expect(valid, "B T", "valid", B=x.shape[0], T=x.shape[1])
    if valid.dtype != torch.bool:
        raise InputTypeError(f"valid: expected dtype torch.bool, got {valid.dtype}. Use valid.bool().")


def expect_state(state: State, kind: type[Tensor] | type[tuple[Tensor, ...]], shape: torch.Size) -> None:
    """Check that a state is one tensor, or a NamedTuple of tensors, of this type and shape, [B, ...]; None, from rest, passes.

    Raises:
        ValueError: it belongs to another layer or another batch.
    """
    if state is None:
        return
    parts = state if isinstance(state, tuple) else (state,)
    if isinstance(state, kind) and all(isinstance(part, Tensor) and part.shape == shape for part in parts):
        return
    came = ", ".join(str(list(part.shape)) if isinstance(part, Tensor) else type(part).__name__ for part in parts)
    raise InputError(
        f"state: expected {kind.__name__} of shape {list(shape)}, got {type(state).__name__} ({came}). Pass what the last call returned."
    )


def expect_floating(x: Tensor, name: str = "x") -> None:
    """Refuse integers, booleans and complex numbers."""
    if not x.is_floating_point():
        raise InputTypeError(f"{name}: expected a floating dtype, got {x.dtype}. Use {name}.float().")


def expect_dtype(x: Tensor, weight: Tensor, name: str = "x") -> None:
    """Refuse an input of another dtype than the weights that it meets; under autocast, which converts both, any is right."""
    expect_floating(x, name)
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise InputTypeError(
            f"{name}: expected {weight.dtype}, as the weights are, got {x.dtype}. Convert the input or the layer, or use torch.autocast."
        )


def expect_finite(x: Tensor, name: str = "x", advice: str = "Clean the input first.") -> None:
    """Refuse NaN and infinity, which a spiking neuron would turn into silence; unchecked where torch traces or transforms x."""
    # A sum takes a tenth of the time of a look at each number; should it overflow, each is looked at.
    if torch.compiler.is_compiling() or transform() or math.isfinite(x.sum().item()) or bool(torch.isfinite(x).all()):
        return
    first = tuple(int(i) for i in (~torch.isfinite(x)).nonzero()[0])
    raise InputError(f"{name}: expected finite numbers, got {x[first].item()} at index {list(first)}. {advice}")


def weights_trouble(tensors: Mapping[str, Tensor]) -> str | None:
    """The reason not to give these tensors to a network, which would take them in silence; None if there is none.

    Args:
        tensors: parameters and buffers by name, as in a `state_dict`.
    """
    if found := [name for name, tensor in tensors.items() if tensor.is_complex()]:
        return f"complex numbers, of which only the real part would count, are in {', '.join(found)}"
    if found := [name for name, tensor in tensors.items() if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())]:
        return f"NaN or infinity is in {', '.join(found)}"
    if found := [name for name, tensor in tensors.items() if name.rpartition(".")[2] == "running_var" and bool((tensor < 0).any())]:
        return f"a negative variance is in {', '.join(found)}"
    return None


def expect_weights(tensors: Mapping[str, Tensor], name: str = "weights") -> None:
    """Refuse tensors with complex numbers, NaN, infinity or a negative variance (`running_var`)."""
    if trouble := weights_trouble(tensors):
        raise InputError(f"{name}: expected finite real numbers, but {trouble}. Check where they come from.")
