"""Accumulators of a layer over its calls."""

import torch
from torch import Tensor

from .matrix_products import Product
from .report import Kind, Layer, Rate, StateUse
from .stored_states import Stored


class ProductTally:
    """Accumulator of one matrix product over all batches, without invalid time steps."""

    def __init__(self, name: str, module: str):
        self.name, self.module = name, module
        self.values = self.fired = self.dense = self.reached = 0.0
        self.rows = 0
        self.low = self.high = self.seen = torch.zeros(0)
        self.positive = self.negative = False

    def add(self, product: Product, valid: Tensor | None) -> None:
        """Add one call; `valid` is the mask of the batch, bool [B, T] or None."""
        place = product.x.shape[product.lead :]
        rows = masked_rows(product.x, product.lead, valid).reshape(-1, place[0], place[1:].numel())
        fires = rows != 0
        reach = torch.as_tensor(product.reach, dtype=torch.double, device=rows.device).expand(place).flatten()
        reached = (rows.abs() if product.counts else fires).flatten(1).double() @ reach
        self.rows += len(rows)
        self.values += rows.numel()
        self.fired += fires.sum().item()
        self.dense += len(rows) * reach.sum().item()
        self.reached += reached.sum().item()
        self.product = product
        self._look(rows.sign() if product.counts else rows, fires)

    def _look(self, rows: Tensor, fires: Tensor) -> None:
        """Update the smallest and largest magnitude of each channel, and the number of rows in which it is active."""
        if not len(rows):
            return
        size = rows.abs()
        low, high = size.masked_fill(~fires, torch.inf).amin((0, 2)), size.amax((0, 2))
        seen = fires.any(2).sum(0)
        self.low, self.high, self.seen = (
            (low, high, seen) if not len(self.seen) else (torch.minimum(self.low, low), torch.maximum(self.high, high), self.seen + seen)
        )
        self.positive |= bool((rows > 0).any())
        self.negative |= bool((rows < 0).any())

    def kind(self) -> Kind:
        """Classify the inputs. One amplitude per channel counts as spikes only if it varies over the rows, unlike a static image."""
        active = self.high > 0
        if not bool(active.any()):
            return "silence"
        one = bool(self.low.min() == self.high.max())
        seen = self.seen[active]
        varies = int(seen.sum()) >= 2 * len(seen) and bool((seen < self.rows).any())
        each = bool((self.low == self.high)[active].all())
        if not (one or (each and varies)):
            return "numbers"
        return "signed spikes" if self.positive and self.negative else "spikes"

    def layer(self) -> Layer:
        """Return the entry of the report."""
        place = self.product.x.shape[self.product.lead :].numel()
        return Layer(
            self.name,
            self.module,
            self.kind(),
            rate=self.fired / max(self.values, 1),
            dense=self.dense,
            reached=self.reached,
            rows=self.rows,
            inputs=place,
            weights=self.product.weights,
            outputs=self.product.outputs,
            taps=self.product.taps,
            delayed=self.product.delayed,
        )


class RateTally:
    """Accumulator of the spikes of one layer over all batches."""

    def __init__(self, name: str):
        self.name, self.rows = name, 0
        self.fired = torch.zeros(())

    def add(self, spikes: Tensor, valid: Tensor | None) -> None:
        """Add the spikes of one call, [B, T, ...]; `valid` is the mask of the batch, bool [B, T] or None."""
        rows = masked_rows(spikes, 2, valid)
        self.fired = self.fired.to(rows.device) + (rows != 0).sum(0)
        self.rows += len(rows)

    def rate(self) -> Rate:
        """Return the entry of the report."""
        share = self.fired.double() / max(self.rows, 1)
        return Rate(self.name, share.mean().item(), (share == 0).double().mean().item())


class StateTally:
    """Accumulator of the steps at which the state of a module is read and written."""

    def __init__(self, name: str, module: str, stored: Stored):
        self.name, self.module, self.stored, self.rows = name, module, stored, 0

    def add(self, y: Tensor, valid: Tensor | None) -> None:
        """Add the steps of one call with the result y, [B, T, ...]; `valid` is the mask of the batch, bool [B, T] or None."""
        self.rows += len(masked_rows(y, 2, valid))

    def state(self) -> StateUse:
        """Return the entry of the report."""
        return StateUse(self.name, self.module, self.rows, *self.stored)


def masked_rows(x: Tensor, lead: int, valid: Tensor | None) -> Tensor:
    """Return the valid inputs or time steps of x.

    Args:
        x: values whose leading axes are [B, T], [B * T], or [B] if they are computed once per row.
        lead: number of leading axes.
        valid: mask of the batch, bool [B, T], or None.
    Returns:
        [N, ...], one row per valid input or time step.
    """
    shape, rows = x.shape[:lead], x.detach().flatten(0, lead - 1)
    if valid is None:
        return rows
    if len(rows) == valid.numel():
        return rows[valid.flatten()]
    return rows[valid.any(1)] if shape == valid.shape[:1] else rows
