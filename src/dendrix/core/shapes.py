"""Checks of tensor arguments. Messages name the expected value, the actual value and a remedy."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, InputTypeError
from .dispatch import transform
from .state import State


def expect(x: Tensor, axes: str, name: str = "x", **sizes: int) -> None:
    """Check the shape of a tensor against named axes.

    Args:
        x: tensor to check.
        axes: names of the axes, such as `"B T C"`; a final `...` allows further axes.
        name: name of the tensor in the message.
        **sizes: required sizes of named axes; other axes may have any size of at least one.
    Raises:
        InputTypeError: `x` is not a tensor.
        InputError: wrong number of axes, wrong size, or an empty axis.
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


def expect_module(value: Any, name: str = "network") -> nn.Module:
    """Check that a value is a module, and not its class, and that its constructor has called that of `nn.Module`."""
    if isinstance(value, nn.Module) and "_modules" in vars(value):
        return value
    kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise InputTypeError(
        f"{name}: expected a torch.nn.Module whose constructor has called super().__init__(), got {kind}. Pass an instance of one."
    )


def expect_valid(valid: Tensor | None, x: Tensor) -> None:
    """Check a mask `valid`, bool [B, T], for an input x [B, T, ...]."""
    if valid is None:
        return
    expect(valid, "B T", "valid", B=x.shape[0], T=x.shape[1])
    if valid.dtype != torch.bool:
        raise InputTypeError(f"valid: expected dtype torch.bool, got {valid.dtype}. Use valid.bool().")


def expect_state(state: State, kind: type[Tensor] | type[tuple[Tensor, ...]], shape: torch.Size) -> None:
    """Check that a state has the given type (a tensor or a NamedTuple of tensors) and shape [B, ...]. None, the initial state, passes.

    Raises:
        InputError: it belongs to another layer or another batch.
    """
    if state is None:
        return
    parts = state if isinstance(state, tuple) else (state,)
    if isinstance(state, kind) and all(isinstance(part, Tensor) and part.shape == shape for part in parts):
        return
    came = ", ".join(str(list(part.shape)) if isinstance(part, Tensor) else type(part).__name__ for part in parts)
    raise InputError(
        f"state: expected {kind.__name__} of shape {list(shape)}, got {type(state).__name__} ({came}). "
        "Pass the state returned by the previous call."
    )


def expect_floating(x: Tensor, name: str = "x") -> None:
    """Check that a tensor has a floating-point dtype."""
    if not x.is_floating_point():
        raise InputTypeError(f"{name}: expected a floating dtype, got {x.dtype}. Use {name}.float().")


def expect_dtype(x: Tensor, weight: Tensor, name: str = "x") -> None:
    """Check that an input has the dtype of the weights, or any floating-point dtype under autocast, which converts both."""
    expect_floating(x, name)
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise InputTypeError(
            f"{name}: expected the dtype of the weights, {weight.dtype}, got {x.dtype}. Convert the input or the layer, or use autocast."
        )


def expect_finite(x: Tensor, name: str = "x", advice: str = "Clean the input first.") -> None:
    """Check for NaN and infinity, which silence spiking neurons. Not checked under tracing and transforms of torch."""
    # The sum takes a tenth of the time of an elementwise check, which is only needed if the sum is not finite.
    if torch.compiler.is_compiling() or transform() or math.isfinite(x.sum().item()) or bool(torch.isfinite(x).all()):
        return
    first = tuple(int(i) for i in (~torch.isfinite(x)).nonzero()[0])
    raise InputError(f"{name}: expected finite numbers, got {x[first].item()} at index {list(first)}. {advice}")


def weights_trouble(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the reason why a network must not load these tensors, although torch would accept them; None if they are valid.

    Args:
        tensors: parameters and buffers by name, as in a `state_dict`.
    """
    if found := [name for name, tensor in tensors.items() if tensor.is_complex()]:
        return f"complex numbers, whose imaginary part would be lost, are in {', '.join(found)}"
    if found := [name for name, tensor in tensors.items() if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())]:
        return f"NaN or infinity is in {', '.join(found)}"
    if found := [name for name, tensor in tensors.items() if name.rpartition(".")[2] == "running_var" and bool((tensor < 0).any())]:
        return f"a negative variance is in {', '.join(found)}"
    return None


def expect_weights(tensors: Mapping[str, Tensor], name: str = "weights") -> None:
    """Check weights for complex numbers, NaN, infinity and negative variances (`running_var`)."""
    if trouble := weights_trouble(tensors):
        raise InputError(f"{name}: expected finite real numbers, but {trouble}. Check where they come from.")
