"""Fixed delays of single signals."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..core import State, Stateful, expect, expect_floating, expect_state, expect_valid, zero_invalid
from ..errors import InputError
from ..layers.delay.gaps import without_gaps


class DelayLine(Stateful):
    """Each signal delayed by a whole number of steps of its own, [B, T, ...] -> [B, T, ...]; before its start a signal is zero.

    State: the last L inputs, [B, L, N], of N signals, where L is the longest delay.

    Args:
        lags: steps, one for all signals or an array with the shape of a step.
    """

    lag: Tensor

    def __init__(self, lags: ArrayLike):
        super().__init__()
        array = np.asarray(lags)
        if array.dtype.kind not in "iu" or array.size == 0 or array.min() < 0:
            raise InputError(f"lags: expected whole numbers of at least 0, got {array.dtype} from {array.min() if array.size else 'none'}.")
        self.lags = array.astype(np.int64)
        self.longest = int(array.max())
        self.register_buffer("lag", torch.tensor(self.lags.ravel()), persistent=False)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T ...")
        expect_floating(x)
        expect_valid(valid, x)
        if self.lags.ndim and x.shape[2:] != self.lags.shape:
            raise InputError(f"x: expected [B, T, {', '.join(map(str, self.lags.shape))}], got {list(x.shape)}. Reshape it.")
        flat = x.flatten(2) if x.dim() > 2 else x.unsqueeze(2)
        before = torch.Size((x.shape[0], self.longest, flat.shape[2]))
        expect_state(state, Tensor, before)
        line = x.new_zeros(before) if state is None else state
        if valid is None:
            y, state = self._run(flat, line, None)
        else:
            y, state = without_gaps(lambda front, lengths: self._run(front, line, lengths), zero_invalid(flat, valid), valid)
        return y.view(x.shape), state

    def _run(self, x: Tensor, before: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Outputs of x [B, T, N], and the last inputs after the first `lengths` steps (int64 [B], None: all)."""
        line = torch.cat([before, x], 1)
        steps = torch.arange(x.shape[1], device=x.device).unsqueeze(1) + self.longest - self.lag
        y = line.gather(1, steps.expand(x.shape[1], x.shape[2]).expand(x.shape))
        if lengths is None:
            return y, line[:, x.shape[1] :].clone()
        kept = lengths.unsqueeze(1) + torch.arange(self.longest, device=x.device)
        return y, line.gather(1, kept.unsqueeze(2).expand(-1, -1, x.shape[2]))

    def arguments(self) -> dict[str, Any]:
        return dict(lags=self.lags.tolist())
