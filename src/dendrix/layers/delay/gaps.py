"""Rows with invalid steps, for layers that see several steps at once: time passes in valid steps only."""

from collections.abc import Callable

from torch import Tensor

from ...core import State, zero_invalid


def without_gaps(run: Callable[[Tensor, Tensor], tuple[Tensor, State]], x: Tensor, valid: Tensor) -> tuple[Tensor, State]:
    """Move the valid steps to the front of their row, run, and put the results back; invalid steps give zero.

    Args:
        run: from x [B, T, ...] and the number of valid steps of each row, int64 [B], to outputs [B, T, ...] and the state after them.
        x: inputs, [B, T, C], zero where invalid.
        valid: bool [B, T].
    """
    order = valid.logical_not().byte().argsort(dim=1, stable=True)
    y, state = run(x.gather(1, order.unsqueeze(-1).expand_as(x)), valid.sum(1))
    back = order.argsort(dim=1).unsqueeze(-1)
    return zero_invalid(y.gather(1, back.expand_as(y)), valid), state
