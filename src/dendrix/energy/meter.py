"""Measurement of the operations, firing rates and memory traffic of a running network."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from ..core import Stateful, expect_valid
from ..errors import InputError
from ..exits.network import Item, evaluating, parts
from ..layers import rounded
from ..models.spikegpt import unfolded
from ..models.spikegpt.network import SpikeGPTBody
from .matrix_products import counted_with_its_parent, kind_of, products, unknown
from .report import Report
from .spike_outputs import spikes
from .stored_states import stored
from .tally import ProductTally, RateTally, StateTally


def measure(model: nn.Module, batches: Iterable[Item], progress: Callable[[int], None] | None = None) -> Report:
    """Run a network over batches as in deployment, in evaluation mode and with integer delays, and count its operations.

    Matrix products and the states of neurons and of WKV are counted; normalisation, gates and pooling are not. Spike counts of a SpikeGPT
    are as many spikes: its products are measured `unfolded`. Computations by modules of
    the network while a batch is created, such as the input currents of a converted image network, are included. The mode and delays of
    the network are restored afterwards.

    Args:
        model: any network; a `Stateful` is called with (x, None, valid), another module with x only.
        batches: each (x, valid, y), as `dendrix.data.Batch`; (x, y); or x. For a `Stateful`: x [B, T, ...] and valid bool [B, T].
        progress: called after each batch with the number of inputs so far.
    Raises:
        InputError: there is no batch, or the shape of a batch does not match the network.
    """
    if isinstance(model, SpikeGPTBody) and model.config.spikes == "input" and model.config.neurons.levels > 1:
        model = unfolded(model)
    meter = _Meter(model)
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(rounded(model))
        for name, module in model.named_modules():
            if module not in meter.counted_elsewhere:
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
    """Accumulators of one measurement."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.counted_elsewhere = counted_with_its_parent(model)
        self.inputs = self.steps = 0
        self.valid: Tensor | None = None
        self.busy = False
        self.products: dict[tuple[str, int], ProductTally] = {}
        self.rates: dict[str, RateTally] = {}
        self.states: dict[tuple[str, int], StateTally] = {}

    def run(self, x: Tensor, valid: Tensor | None) -> None:
        """Run one batch through the network."""
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
            self.valid = None  # the network may run while the next batch is created, before its mask is known

    def hook(self, name: str) -> Callable[..., None]:
        """Return the forward hook of a module."""

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
            tally = self.products.setdefault((name, index), ProductTally(name, kind_of(module)))
            tally.add(product, self.valid)
        if (sent := spikes(module, given, y)) is not None:
            self.rates.setdefault(name, RateTally(name or type(module).__name__)).add(sent, self.valid)
        for index, part in enumerate(stored(module, given, y)):
            self.states.setdefault((name, index), StateTally(name, type(module).__name__, part)).add(y[0], self.valid)

    def report(self) -> Report:
        layers = tuple(tally.layer() for tally in self.products.values())
        states = tuple(tally.state() for tally in self.states.values())
        missed = [name for name, module in self.model.named_modules() if module not in self.counted_elsewhere and unknown(module)]
        return Report(self.inputs, self.steps, layers, tuple(tally.rate() for tally in self.rates.values()), tuple(missed), states)
