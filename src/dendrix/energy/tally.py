"""Sums over the calls of one layer, from which its line of the report is made."""

import torch
from torch import Tensor

from .products import Product
from .report import Kind, Layer, Rate


class ProductTally:
    """One matrix product over all batches; invalid steps do not count."""

    def __init__(self, name: str, module: str):
        self.name, self.module = name, module
        self.values = self.fired = self.rows = self.dense = self.reached = 0.0
        self.weights_met = self.outputs = 0.0
        self.low = self.high = self.seen = torch.zeros(0)
        self.positive = self.negative = False

    def add(self, product: Product, valid: Tensor | None) -> None:
        """Count one call."""
        place = product.x.shape[product.lead :]
        rows = masked_rows(product.x, product.lead, valid).reshape(-1, place[0], place[1:].numel())
        fires = rows != 0
        reach = torch.as_tensor(product.reach, dtype=torch.double, device=rows.device).expand(place).flatten()
        reached = fires.flatten(1).double() @ reach
        self.rows += len(rows)
        self.values += rows.numel()
        self.fired += fires.sum().item()
        self.dense += len(rows) * reach.sum().item()
        self.reached += reached.sum().item()
        self.weights, self.weight_size, self.value_size = product.weights, product.weight_bytes, product.x.element_size()
        self.weights_met += reached.clamp(max=product.weights).sum().item()
        self.outputs += len(rows) * product.outputs
        self._look(rows, fires)

    def _look(self, rows: Tensor, fires: Tensor) -> None:
        """Which magnitudes came in each channel, and in how many rows."""
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
        """What the product is fed. A channel's own amplitude tells a spike only if it comes and goes: a still image stays."""
        active = self.high > 0
        if not bool(active.any()):
            return "silence"
        one = bool(self.low.min() == self.high.max())
        seen = self.seen[active]
        comes_and_goes = int(seen.sum()) >= 2 * len(seen) and bool((seen < self.rows).any())
        each = bool((self.low == self.high)[active].all())
        if not (one or (each and comes_and_goes)):
            return "numbers"
        return "signed spikes" if self.positive and self.negative else "spikes"

    def layer(self) -> Layer:
        """The line of the report."""
        kind = self.kind()
        value_size = {"numbers": float(self.value_size), "signed spikes": 2 / 8}.get(kind, 1 / 8)
        weights = self.rows * self.weights if kind == "numbers" else self.weights_met
        return Layer(
            self.name,
            self.module,
            kind,
            rate=self.fired / max(self.values, 1),
            dense=self.dense,
            reached=self.reached,
            weight_bytes=weights * self.weight_size,
            activation_bytes=self.values * value_size + self.outputs * self.value_size,
        )


class RateTally:
    """Spikes of one layer over all batches."""

    def __init__(self, name: str):
        self.name, self.rows = name, 0
        self.fired = torch.zeros(())

    def add(self, spikes: Tensor, valid: Tensor | None) -> None:
        """Count one call, [B, T, ...]."""
        rows = masked_rows(spikes, 2, valid)
        self.fired = self.fired.to(rows.device) + (rows != 0).sum(0)
        self.rows += len(rows)

    def rate(self) -> Rate:
        """The line of the report."""
        share = self.fired.double() / max(self.rows, 1)
        return Rate(self.name, share.mean().item(), (share == 0).double().mean().item())


def masked_rows(x: Tensor, lead: int, valid: Tensor | None) -> Tensor:
    """The inputs or steps of x that count, [N, ...]: its leading axes may be [B, T], [B * T], or [B] for what is computed once a row."""
    shape, rows = x.shape[:lead], x.detach().flatten(0, lead - 1)
    if valid is None:
        return rows
    if len(rows) == valid.numel():
        return rows[valid.flatten()]
    return rows[valid.any(1)] if shape == valid.shape[:1] else rows
