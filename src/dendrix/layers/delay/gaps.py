"""Invalid steps in layers that process several steps at once."""

from collections.abc import Callable

from torch import Tensor

from ...core import State, zero_invalid


def without_gaps(run: Callable[[Tensor, Tensor], tuple[Tensor, State]], x: Tensor, valid: Tensor) -> tuple[Tensor, State]:
    """Run a layer on the valid steps of each row, moved to the front, and move the results back; invalid steps output zero.

    Args:
        run: (x [B, T, ...], number of valid steps per row, int64 [B]) -> (outputs [B, T, ...], state after the valid steps).
        x: inputs, [B, T, C], zero where invalid.
        valid: bool [B, T].
    """
    order = valid.logical_not().byte().argsort(dim=1, stable=True)
    y, state = run(x.gather(1, order.unsqueeze(-1).expand_as(x)), valid.sum(1))
    back = order.argsort(dim=1).unsqueeze(-1)
    return zero_invalid(y.gather(1, back.expand_as(y)), valid), state
