"""Which matrix products a module computes. A new kind of module gets one function here, and the meter counts it."""

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, nn

from ..layers import DelayLinear, DendriticSegments, Recurrent, RecurrentDelay, SparseLinear
from ..layers.dendrites.active import ActiveDendrites
from ..models import DendriticNet


@dataclass(frozen=True)
class Product:
    """One matrix product as it ran."""

    x: Tensor
    """Its input: axes that count inputs or steps, then channels, then any further axes of one input."""
    lead: int
    """How many axes of x count inputs or steps."""
    reach: float | Tensor
    """How many weights a value of x meets: the same for all, or one number for each place of one input."""
    weights: int
    """How many there are."""
    outputs: int
    """How many numbers one input or step gives."""
    weight_bytes: int
    """Of one weight."""


@singledispatch
def products(module: nn.Module, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    """The matrix products of one call of a module, those of its sub-modules left out; for a module without weights of its own, none.

    To teach the meter a module: `@products.register` a function of these arguments for its class.

    Args:
        module: what was called.
        given: the arguments of its `forward` by name.
        y: what it returned.
    """
    return ()


@products.register
def _linear(module: nn.Linear, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    return (_dense(given["input"], module.weight, y.shape[-1]),)


@products.register(nn.Conv1d)
@products.register(nn.Conv2d)
@products.register(nn.Conv3d)
@products.register(nn.ConvTranspose1d)
@products.register(nn.ConvTranspose2d)
@products.register(nn.ConvTranspose3d)
def _convolution(module: nn.Module, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    x, weight = given["input"], module.get_parameter("weight")
    return (Product(x, 1, _reach(module, x), weight.numel(), y[0].numel(), weight.element_size()),)


@products.register
def _embedding(module: nn.Embedding, given: dict[str, Any], y: Tensor) -> tuple[Product, ...]:
    return ()  # a table that is looked up


@products.register
def _sparse(module: SparseLinear, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    return (_chosen(given["x"], module),)


@products.register
def _segments(module: DendriticSegments, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    synapses, size = module.segments * module.synapses, module.permanence.element_size()
    return (Product(given["x"], 2, module.connected().sum(0), synapses, module.segments, size),)


@products.register
def _active_dendrites(module: ActiveDendrites, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    return (_chosen(given["context"], module.response),)


@products.register
def _dendritic_net(module: DendriticNet, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    """Where the task is not told, each input is compared with all prototypes. What they gate is known before any input comes."""
    if not module.config.segments or given.get("task") is not None:
        return ()
    known = module.prototypes[: int(module.known)]
    return (_dense(given["x"], known, len(known)),)


@products.register
def _delay(module: DelayLinear, given: dict[str, Any], y: Any) -> tuple[Product, ...]:
    """A value meets each synapse of its channel once, after that synapse's delay; also where the sequence ends before."""
    return (_dense(given["x"], module.weight, module.out_features, lags=1 if module.rounded else module.taps),)


@products.register
def _recurrent_delay(module: RecurrentDelay, given: dict[str, Any], y: tuple[Tensor, Any]) -> tuple[Product, ...]:
    """Each output goes back once, after its delay; also where the sequence ends before."""
    return (_dense(y[0], module.weight, len(module.weight), lags=1 if module.rounded else module.taps),)


@products.register
def _recurrent(module: Recurrent, given: dict[str, Any], y: tuple[Tensor, Any]) -> tuple[Product, ...]:
    """The output of each step goes back in the next, through whatever the feedback is; the meter does not look inside it again."""
    steps = y[0].flatten(0, 1)
    with torch.no_grad():
        found = [one for part in module.feedback.modules() for one in products(part, {"input": steps}, module.feedback(steps))]
    return tuple(found)


def counted_with_its_parent(model: nn.Module) -> set[nn.Module]:
    """The modules whose products another module tells."""
    return {part for module in model.modules() if isinstance(module, Recurrent) for part in module.feedback.modules()}


def unknown(module: nn.Module) -> bool:
    """Whether a module has a matrix of its own and nobody has said what it does with it."""
    if products.dispatch(type(module)) is not products.dispatch(object):
        return False
    return any(sum(size > 1 for size in parameter.shape) > 1 for parameter in module.parameters(recurse=False))


def _dense(x: Tensor, weight: Tensor, outputs: int, lags: int = 1) -> Product:
    """Every channel meets the same number of weights, each at so many lags."""
    return Product(x, x.dim() - 1, lags * weight.numel() / x.shape[-1], weight.numel(), outputs, weight.element_size())


def _chosen(x: Tensor, layer: SparseLinear) -> Product:
    """Every output listens to some channels."""
    listened = torch.full((layer.in_features,), float(layer.out_features))
    if layer.inputs is not None:
        listened = torch.bincount(layer.inputs.flatten(), minlength=layer.in_features)
    return Product(x, x.dim() - 1, listened, layer.weight.numel(), layer.out_features, layer.weight.element_size())


def _reach(module: nn.Module, x: Tensor) -> Tensor:
    """How many weights meet each place of one input: what weights of one pass back from outputs of one, at any stride and padding."""
    ones = {name: torch.ones_like(p) if p.dim() > 1 else torch.zeros_like(p) for name, p in module.named_parameters()}
    with torch.enable_grad():
        sample = torch.ones_like(x[:1]).requires_grad_()
        total = torch.func.functional_call(module, ones, (sample,)).sum()
        (found,) = torch.autograd.grad(total, sample)
    return found[0]
