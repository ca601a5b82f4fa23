"""The meter: watches a network while it runs, and counts."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from ..core import Stateful, expect_valid
from ..errors import InputError
from ..exits.network import Item, evaluating, parts
from ..layers import rounded
from .products import counted_with_its_parent, products, unknown
from .report import Report
from .spikes import spikes
from .tally import ProductTally, RateTally


def measure(model: nn.Module, batches: Iterable[Item], progress: Callable[[int], None] | None = None) -> Report:
    """Run a network over batches as it is deployed, in evaluation mode and with integer delays, and count.

    Counted are matrix products; neurons, normalisation, gates and running averages are not. What a batch's making computes with modules
    of the network counts too, such as the currents of images in a converted network. The network is as before afterwards.

    Args:
        model: any network; a `Stateful` gets (x, None, valid), another module x alone.
        batches: each (x, valid, y), as `dendrix.data.Batch`; (x, y); or x. x [B, T, ...] and valid bool [B, T] for a `Stateful`.
        progress: called after each batch with the number of inputs so far.
    Raises:
        ValueError: there is no batch, or one does not fit.
    """
    meter = _Meter(model)
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(rounded(model))
        for name, module in model.named_modules():
            if module not in meter.told_elsewhere:
                stack.callback(module.register_forward_hook(meter.hook(name), with_kwargs=True).remove)
        for item in batches:
            x, valid, _ = parts(item)
            meter.run(x, valid)
            if progress is not None:
                progress(meter.inputs)
    if not meter.inputs:
        raise InputError("batches: expected at least one batch, got none. Check the data set or the split.")
    return meter.report()


class _Meter:
    """The sums of one measurement."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.told_elsewhere = counted_with_its_parent(model)
        self.inputs = self.steps = 0
        self.valid: Tensor | None = None
        self.busy = False
        self.products: dict[tuple[str, int], ProductTally] = {}
        self.rates: dict[str, RateTally] = {}

    def run(self, x: Tensor, valid: Tensor | None) -> None:
        """One batch through the network."""
        self.inputs += len(x)
        if not isinstance(self.model, Stateful):
            self.steps += len(x)
            self.model(x)
            return
        expect_valid(valid, x)
        self.steps += x.shape[0] * x.shape[1] if valid is None else int(valid.sum())
        self.valid = valid
        try:
            self.model(x, None, valid)
        finally:
            self.valid = None  # the next batch may be computed with the network before its mask is known

    def hook(self, name: str) -> Callable[..., None]:
        """What looks at every call of a module."""

        def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], y: Any) -> None:
            if self.busy:  # counting may itself call a module
                return
            self.busy = True
            try:
                given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
                self._count(name, module, given, y)
            finally:
                self.busy = False

        return look

    def _count(self, name: str, module: nn.Module, given: dict[str, Any], y: Any) -> None:
        for index, product in enumerate(products(module, given, y)):
            tally = self.products.setdefault((name, index), ProductTally(name, type(module).__name__))
            tally.add(product, self.valid)
        if (sent := spikes(module, given, y)) is not None:
            self.rates.setdefault(name, RateTally(name or type(module).__name__)).add(sent, self.valid)

    def report(self) -> Report:
        layers = tuple(tally.layer() for tally in self.products.values())
        missed = [name for name, module in self.model.named_modules() if module not in self.told_elsewhere and unknown(module)]
        return Report(self.inputs, self.steps, layers, tuple(tally.rate() for tally in self.rates.values()), tuple(missed))
