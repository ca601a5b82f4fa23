"""Matrix products of each type of module. Register a function of `products` for a new type of module to have it counted."""

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..layers import DelayLinear, DendriticSegments, Recurrent, RecurrentDelay, SparseLinear
from ..layers.dendrites.active import ActiveDendrites
from ..models import DendriticNet
from ..models.spikegpt.deployment import UnfoldedLinear

Delayed = Literal["synapses", "inputs", "outputs"]
_WAITS: dict[str, Delayed] = {"synaptic": "synapses", "axonal": "inputs", "dendritic": "outputs"}


@dataclass(frozen=True)
class Product:
    """One executed matrix product."""

    x: Tensor
    """Input: axes of inputs and time steps, then channels, then further axes of one input."""
    lead: int
    """Number of leading axes of x that index inputs and time steps."""
    reach: float | Tensor
    """Number of weights by which a value of x is multiplied: one number, or one for each position of an input."""
    weights: int
    """Number of weights."""
    outputs: int
    """Number of outputs per input or time step."""
    taps: int = 1
    """Number of time steps that a delay line holds; 1 without delays."""
    delayed: Delayed = "synapses"
    """What waits in the delay line: the input of each synapse, a whole input ("axonal"), or a whole output ("dendritic")."""
    counts: Tensor | None = None
    """Number of spikes behind each value of x, which then has one amplitude; None for one spike where x is not zero."""


@singledispatch
def products(module: nn.Module, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    """Return the matrix products of one call of a module, without those of its sub-modules.

    Register a function with `@products.register` for a class of modules; by default, a module has no products.

    Args:
        module: the called module.
        given: arguments of its `forward` by name.
        y: its return value.
    """
    return ()


@products.register
def _linear(module: nn.Linear, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    return (_dense(given["input"], module.weight, y.shape[-1]),)


@products.register
def _unfolded(module: UnfoldedLinear, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    counts = module.counts(given["x"]).round()
    return (replace(_dense(given["x"] / counts.clamp_min(1), module.product.weight, y.shape[-1]), counts=counts),)


@products.register(nn.Conv1d)
@products.register(nn.Conv2d)
@products.register(nn.Conv3d)
@products.register(nn.ConvTranspose1d)
@products.register(nn.ConvTranspose2d)
@products.register(nn.ConvTranspose3d)
def _convolution(module: nn.Module, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    x, weight = given["input"], module.get_parameter("weight")
    return (Product(x, 1, _reach(module, x), weight.numel(), y[0].numel()),)


@products.register
def _embedding(module: nn.Embedding, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    return ()  # a table look-up


@products.register
def _sparse(module: SparseLinear, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    return (_chosen(given["x"], module),)


@products.register
def _segments(module: DendriticSegments, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    return (Product(given["x"], 2, module.connected().sum(0), module.segments * module.synapses, module.segments),)


@products.register
def _active_dendrites(module: ActiveDendrites, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    return (_chosen(given["context"], module.response),)


@products.register
def _dendritic_net(module: DendriticNet, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    """Without a given task, each input is compared with all prototypes. The gates of the prototypes can be computed in advance."""
    if not module.config.segments or given.get("task") is not None:
        return ()
    known = module.prototypes[: int(module.known)]
    return (_dense(given["x"], known, len(known)),)


@products.register
def _delay(module: DelayLinear, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    """A value is multiplied once per synapse of its channel, after the delay of the synapse; also if the sequence ends before."""
    product = _dense(given["x"], module.weight, module.out_features, lags=1 if module.rounded else module.taps)
    return (replace(product, taps=module.taps, delayed=_WAITS[module.granularity]),)


@products.register
def _recurrent_delay(module: RecurrentDelay, given: dict[str, Any], y: tuple[Tensor, Any]) -> tuple[Product, ...]:
    """Each output is fed back once, after its delay; also if the sequence ends before."""
    product = _dense(y[0], module.weight, len(module.weight), lags=1 if module.rounded else module.taps)
    return (replace(product, taps=module.taps, delayed="inputs"),)


@products.register
def _recurrent(module: Recurrent, given: dict[str, Any], y: tuple[Tensor, Any]) -> tuple[Product, ...]:
    """The output of each step is fed back in the next one; the modules of the feedback are counted here and not by their own calls."""
    steps = y[0].flatten(0, 1)
    with torch.no_grad():
        found = [one for part in module.feedback.modules() for one in products(part, {"input": steps}, module.feedback(steps))]
    return tuple(found)


def counted_with_its_parent(model: nn.Module) -> set[nn.Module]:
    """Return the modules whose products are counted by another module.

    Args:
        model: the network.
    """
    modules = list(model.modules())
    found = {part for module in modules if isinstance(module, Recurrent) for part in module.feedback.modules()}
    return found | {module.product for module in modules if isinstance(module, UnfoldedLinear)}


def kind_of(module: nn.Module) -> str:
    """Return the class of the layer that a module computes; an unfolded product is that of its layer.

    Args:
        module: module of a network.
    """
    return type(module.product if isinstance(module, UnfoldedLinear) else module).__name__


def unknown(module: nn.Module) -> bool:
    """Return whether a module has a matrix of its own but no registered function of `products`.

    Args:
        module: module of a network.
    """
    if products.dispatch(type(module)) is not products.dispatch(object):
        return False
    return any(sum(size > 1 for size in parameter.shape) > 1 for parameter in module.parameters(recurse=False))


def _dense(x: Tensor, weight: Tensor, outputs: int, lags: int = 1) -> Product:
    """Return a product in which every channel has the same number of weights, each used at `lags` time lags."""
    return Product(x, x.dim() - 1, lags * weight.numel() / x.shape[-1], weight.numel(), outputs)


def _chosen(x: Tensor, layer: SparseLinear) -> Product:
    """Return a product in which every output is connected to some channels."""
    reach = torch.full((layer.in_features,), float(layer.out_features))
    if layer.inputs is not None:
        reach = torch.bincount(layer.inputs.flatten(), minlength=layer.in_features)
    return Product(x, x.dim() - 1, reach, layer.weight.numel(), layer.out_features)


def _reach(module: nn.Module, x: Tensor) -> Tensor:
    """Return the number of weights for each position of an input: its gradient for weights of one, valid for any stride and padding."""
    ones = {name: torch.ones_like(p) if p.dim() > 1 else torch.zeros_like(p) for name, p in module.named_parameters()}
    with torch.enable_grad():
        sample = torch.ones_like(x[:1]).requires_grad_()
        total = torch.func.functional_call(module, ones, (sample,)).sum()
        (found,) = torch.autograd.grad(total, sample)
    return found[0]
