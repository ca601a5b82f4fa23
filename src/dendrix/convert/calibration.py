"""Calibration of ReLU networks: ceilings for their activations, measured on data instead of trained."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import torch
from torch import Tensor, fx, nn

from ..core import expect_finite, expect_in
from ..errors import InputError
from ..layers import ClippedReLU
from .kinds import IN_PLACE_RELUS, RELUS
from .reparametrization import has_hooks
from .tracing import free_path, label, shape, trace

Batch = Tensor | Sequence[Tensor]
"""Images [B, C, H, W], or a tuple that starts with them."""


def calibrate(ann: nn.Module, batches: Iterable[Batch], quantile: float = 0.999, per_channel: bool = False) -> nn.Module:
    """Copy a ReLU network for `convert`, with every ReLU, functional ones too, clipped at a high quantile of its activations.

    The weights are not changed. Networks trained with QCFS are far more accurate at few steps; use this where training is impossible.

    Args:
        ann: a trained network in evaluation mode; it is not changed.
        batches: training images, never test images; a few hundred suffice.
        quantile: share of the activations of a layer below its ceiling, which is the mean over the batches.
        per_channel: whether each channel has its own ceiling.
    Raises:
        ValueError: there are no ReLUs or no images, the network cannot be traced, or all activations of a layer are zero.
    Source: threshold balancing, Diehl et al. (2015), with the quantile of Rueckauer et al. (2017), doi 10.3389/fnins.2017.00682.
    """
    expect_in(quantile, "(0, 1]", "quantile")
    images = (batch if isinstance(batch, Tensor) else batch[0] for batch in batches)
    first = next(images, None)
    if first is None:
        raise InputError("batches: expected at least one batch of images, got none. Check the data set or the split.")
    clipped = clip(ann, first[:2], per_channel)
    layers = {path: module for path, module in clipped.named_modules() if isinstance(module, ClippedReLU)}
    sums = {path: torch.zeros_like(module.threshold) for path, module in layers.items()}
    handles = [module.register_forward_pre_hook(_observer(sums[path], quantile)) for path, module in layers.items()]
    for module in layers.values():
        module.threshold.fill_(torch.inf)
    count = 0
    with torch.no_grad():
        for batch in chain([first], images):
            expect_finite(batch, "batches")
            clipped(batch)
            count += 1
    for handle in handles:
        handle.remove()
    for path, module in layers.items():
        mean = sums[path] / count
        if not bool(mean.max() > 0):
            raise InputError(f"{path}: expected activations above zero, but the layer is silent. Raise the quantile, or give more images.")
        module.threshold.copy_(mean.where(mean > 0, mean.max()))  # a channel may be silent on these images only
    return clipped


def clip(ann: nn.Module, example: Tensor, per_channel: bool = False) -> fx.GraphModule:
    """Copy a network with a `ClippedReLU` of threshold 1 in place of every call of a ReLU.

    Raises:
        ValueError: there is no ReLU, the network cannot be traced, or a ReLU has a hook or overwrites what is read elsewhere.
    """
    traced = trace(ann, example)
    calls = [node for node in traced.graph.nodes if _is_relu(traced, node)]
    if not calls:
        raise InputError("ann: expected a network with ReLUs, got none. Networks with QCFS or ReLU6 are converted without calibration.")
    for node in calls:
        before = node.all_input_nodes[0]
        if len(before.users) > 1 and _in_place(traced, node):
            raise InputError(
                f"ann: expected ReLUs that overwrite nothing that is used again, but {label(node)} does. Build it with inplace=False."
            )
        if node.op == "call_module" and has_hooks(traced.get_submodule(str(node.target))):
            raise InputError(f"ann: expected ReLUs without forward hooks, which their copies lose, but {label(node)} has one. Remove it.")
    for node in calls:
        path = free_path(traced, label(node), replacing=nn.ReLU)
        threshold = torch.ones(shape(node)[1]) if per_channel else 1.0
        traced.add_submodule(path, ClippedReLU(threshold).to(example.device))
        with traced.graph.inserting_before(node):
            node.replace_all_uses_with(traced.graph.call_module(path, (node.all_input_nodes[0],)))
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced.eval()


def _is_relu(traced: fx.GraphModule, node: fx.Node) -> bool:
    return isinstance(traced.get_submodule(str(node.target)), nn.ReLU) if node.op == "call_module" else node.target in RELUS


def _in_place(traced: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return bool(traced.get_submodule(str(node.target)).inplace)
    return node.target in IN_PLACE_RELUS or bool(node.kwargs.get("inplace"))


def _observer(total: Tensor, quantile: float) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Make a hook that adds the quantile of the inputs of a layer to a total, over all channels or for each."""

    def observe(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        values = args[0].transpose(0, 1).flatten(1) if total.dim() else args[0].flatten()
        rank = max(1, round(quantile * values.shape[-1]))
        total.add_(values.kthvalue(rank, dim=-1).values)

    return observe
