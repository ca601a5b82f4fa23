"""`scan`: a step function applied over time, as a loop or by a fused kernel with the same result."""

from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .dispatch import find_kernel, transform
from .shapes import expect_valid
from .state import State, select

StepFn = Callable[..., tuple[Tensor, State]]
"""`rule(x_t [B, ...], state, **params) -> (y_t [B, ...], state)`, a pure function that does not modify its arguments."""


class _Mask(NamedTuple):
    """The mask at whose invalid steps a tensor is zero, and how often both had been written to."""

    valid: "ref[Tensor]"
    x_version: int
    valid_version: int


_ZEROED: MutableMapping[Tensor, _Mask] = WeakTensorKeyDictionary()


def zero_invalid(x: Tensor, valid: Tensor | None) -> Tensor:
    """Set x [B, T, ...] to zero where `valid`, bool [B, T], is False; no gradient passes there. None: all steps are valid.

    An x of which `zeroed` states this for the same mask is returned as it is.
    """
    if valid is None or _is_zeroed(x, valid):
        return x
    # `where` copies once; `masked_fill` copies and then fills, which takes 1.6 times as long.
    return zeroed(torch.where(valid.view(*valid.shape, *[1] * (x.dim() - 2)), x, 0), valid)


def zeroed(x: Tensor, valid: Tensor | None) -> Tensor:
    """State that x [B, T, ...] is zero at the invalid steps of `valid`, so that the next layer need not copy it; returns x.

    Both tensors may be written to afterwards, which ends the statement, but not through `x.data` or NumPy: torch does not
    count these writes.
    """
    if valid is not None and not (torch.compiler.is_compiling() or transform() or x.is_inference() or valid.is_inference()):
        _ZEROED[x] = _Mask(ref(valid), x._version, valid._version)
    return x


def _is_zeroed(x: Tensor, valid: Tensor) -> bool:
    """Whether `zeroed` was called with this mask, and neither tensor was written to since."""
    if torch.compiler.is_compiling() or transform() or (known := _ZEROED.get(x)) is None:
        return False
    return known.valid() is valid and known[1:] == (x._version, valid._version)


def scan(rule: StepFn, x: Tensor, state: State, valid: Tensor | None = None, **params: Any) -> tuple[Tensor, State]:
    """Apply a step function over time.

    Args:
        rule: step function.
        x: inputs, [B, T, ...].
        state: state before the first step, first axis B.
        valid: bool [B, T]; an invalid step outputs zero and does not change the state. None: all steps are valid.
        **params: further arguments of the step function.
    Returns:
        outputs [B, T, ...] with the dtype of `x`, and the state after the last step.
    Raises:
        InputError, InputTypeError: `valid` is not a bool tensor [B, T].
    """
    expect_valid(valid, x)
    if fused := find_kernel(rule, x.device.type, x, state, valid, **params):
        y, state = fused.run(x, state, valid, **params)
        return zeroed(y, valid), state
    outputs = []
    # The input is masked as well, so that a NaN at an invalid step does not reach the gradient.
    for t, x_t in enumerate(zero_invalid(x, valid).unbind(1)):  # not x[:, t], whose backward pass costs O(T^2)
        y, after = rule(x_t, state, **params)
        if valid is not None:
            after = select(valid[:, t], after, state)
            y = y * valid[:, t].view(-1, *[1] * (y.dim() - 1))
        state = after
        outputs.append(y.to(x.dtype))
    return zeroed(torch.stack(outputs, 1), valid), state
