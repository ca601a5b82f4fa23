"""Conversion without training: every ReLU gets the ceiling that its activations reach on some data."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import torch
from torch import Tensor, fx, nn

from ..core import expect_finite, expect_in
from ..errors import InputError
from ..layers import ClippedReLU
from .kinds import IN_PLACE_RELUS, RELUS
from .tracing import label, shape, trace

Batch = Tensor | Sequence[Tensor]
"""Images [B, C, H, W], or a tuple of which they are the first."""


def calibrate(ann: nn.Module, batches: Iterable[Batch], quantile: float = 0.999, per_channel: bool = False) -> nn.Module:
    """A copy of a ReLU network that `convert` takes: its ReLUs, functional ones too, are clipped where data seldom reach.

    The weights stay as they are. Networks trained with QCFS are far better at few steps; this is for those that cannot be trained.

    Args:
        ann: a trained network in evaluation mode; it stays as it is.
        batches: training images, never test images; a few hundred do.
        quantile: share of a layer's activations below its ceiling, the mean over batches of that of each.
        per_channel: whether each channel has a ceiling of its own.
    Raises:
        ValueError: there are no ReLUs or no images, the network cannot be traced, or a layer is silent.
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
        module.threshold.copy_(mean.where(mean > 0, mean.max()))  # a silent channel may speak on other images
    return clipped


def clip(ann: nn.Module, example: Tensor, per_channel: bool = False) -> fx.GraphModule:
    """A copy of a network with a `ClippedReLU` of threshold 1 in the place of every call of a ReLU.

    Raises:
        ValueError: there is none, the network cannot be traced, or a ReLU overwrites what is read elsewhere too.
    """
    traced = trace(ann, example)
    calls = [node for node in traced.graph.nodes if _is_relu(traced, node)]
    if not calls:
        raise InputError("ann: expected a network with ReLUs, got none. A network with QCFS is converted without calibration.")
    for node in calls:
        before = node.all_input_nodes[0]
        if len(before.users) > 1 and _in_place(traced, node):
            raise InputError(
                f"ann: expected ReLUs that overwrite nothing that is used again, but {label(node)} does. Build it with inplace=False."
            )
    for node in calls:
        path = _free(traced, label(node))
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


def _free(traced: fx.GraphModule, path: str) -> str:
    """The path, or the first of path_1, path_2, ... that no clipped ReLU has yet."""
    taken = {name for name, module in traced.named_modules() if not isinstance(module, nn.ReLU)}
    numbered = (f"{path}_{number}" if number else path for number in range(len(taken) + 1))
    return next(name for name in numbered if name not in taken)


def _observer(total: Tensor, quantile: float) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Adds the quantile of what enters a layer to a total, of all channels or of each."""

    def observe(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        values = args[0].transpose(0, 1).flatten(1) if total.dim() else args[0].flatten()
        rank = max(1, round(quantile * values.shape[-1]))
        total.add_(values.kthvalue(rank, dim=-1).values)

    return observe
