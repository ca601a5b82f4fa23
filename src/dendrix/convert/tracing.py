"""Tracing of a network into a graph of the modules and functions that it calls, in order."""

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from ..core import expect, expect_finite, expect_floating
from ..errors import InputError
from ..layers import LSQ, QCFS, ClippedReLU
from .reparametrization import copy_with_plain_weights

Activation = QCFS | LSQ | ClippedReLU
ACTIVATIONS = (QCFS, LSQ, ClippedReLU)
"""Activations that neurons replace; each has `threshold`."""
LEVELS = (QCFS, LSQ)
"""Activations with levels, whose threshold is broadcast from the last axis."""

_CHECKS = (expect, expect_finite, expect_floating)


def trace(ann: nn.Module, example: Tensor, leaves: tuple[str, ...] = ()) -> fx.GraphModule:
    """Copy a network into a graph whose nodes know the shapes of their results for `example`.

    Weights that hooks or parametrizations of `torch.nn.utils` compute become plain parameters.

    Args:
        ann: a network in evaluation mode, with one input and one output; it is not changed.
        example: images [B, C, H, W].
        leaves: paths of modules that are not traced into.
    Raises:
        ValueError: the network is in training mode, torch.fx cannot trace it, or the graph is not the same function.
    """
    if training := [path or type(ann).__name__ for path, module in ann.named_modules() if module.training]:
        raise InputError(f"ann: expected a network in evaluation mode, but {training[0]} is in training mode. Call ann.eval() first.")
    tracer = _Tracer(leaves)
    own = copy_with_plain_weights(ann)
    try:
        graph = tracer.trace(own)
    except Exception as error:
        where = tracer.failed or type(ann).__name__
        raise InputError(
            f"ann: expected a network that torch.fx can trace, but it cannot trace {where}: {' '.join(str(error).split())[:200]}. "
            "Take branches and loops that depend on the data out of its forward."
        ) from error
    for node in list(graph.nodes):
        if node.target in _CHECKS:
            graph.erase_node(node)
    traced = fx.GraphModule(own, graph)
    traced.eval()
    _drop_defaults(graph)
    inputs = [node.name for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise InputError(f"ann: expected one input, got {', '.join(inputs)}. Wrap the network in a module whose forward takes images only.")
    with torch.no_grad():
        try:
            expected = ann(example)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"example: expected images that the network takes, got {list(example.shape)}: {reason}") from error
        found = ShapeProp(traced).propagate(example)
    if not isinstance(expected, Tensor):
        raise InputError(
            f"ann: expected one output, a tensor, got {type(expected).__name__}. Wrap the network so that it gives its scores."
        )
    if not torch.allclose(found, expected, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise InputError(
            "ann: expected the same outputs when its modules and functions run one by one, but they differ: it is random, "
            "or something overwrites in place what is read later. Write x = x + y for x += y, and build ReLUs with inplace=False."
        )
    return traced


def _drop_defaults(graph: fx.Graph) -> None:
    """Remove unused inputs that have a default."""
    for node in list(graph.nodes):
        if node.op == "placeholder" and node.args and not node.users:
            graph.erase_node(node)


def shape(node: fx.Node) -> torch.Size:
    """Shape of the result of a node for the example."""
    found: torch.Size = node.meta["tensor_meta"].shape
    return found


def channel_threshold(activation: Activation, given: torch.Size) -> Tensor:
    """The threshold of an activation as a number [] or one value per channel [C], for inputs of shape [B, C, ...].

    Raises:
        ValueError: it differs along another axis.
    """
    threshold = activation.threshold
    if not isinstance(activation, LEVELS) or not threshold.dim():
        return threshold
    if threshold.numel() == 1:
        return threshold.reshape(())
    whole = torch.Size([1] * (len(given) - threshold.dim())) + threshold.shape
    if len(whole) != len(given) or whole[1] != threshold.numel():
        raise InputError(f"threshold: expected one number or one for each of {given[1]} channels, got shape {list(threshold.shape)}.")
    return threshold.flatten()


def label(node: fx.Node) -> str:
    """Name of a node: the path of a module, or that of the module that calls a function and the name of the function."""
    if node.op == "call_module":
        return str(node.target)
    stack = [path for path in node.meta.get("nn_module_stack", {}) if path]  # the innermost last
    return f"{stack[-1]}.{getattr(node.target, '__name__', node.target)}" if stack else node.name


def free_path(traced: fx.GraphModule, path: str, replacing: type[nn.Module] | tuple[()] = ()) -> str:
    """The path, or the first of path_1, path_2, ... that no module has but those of a type that is replaced."""
    taken = {name for name, module in traced.named_modules() if not isinstance(module, replacing)}
    numbered = (f"{path}_{number}" if number else path for number in range(len(taken) + 1))
    return next(name for name in numbered if name not in taken)


class _Tracer(fx.Tracer):
    """Traces into all but torch's modules, activations and `leaves`; ignores argument checks, and records where tracing failed."""

    def __init__(self, leaves: tuple[str, ...]):
        super().__init__(autowrap_functions=_CHECKS)
        self.leaves = leaves
        self.failed = ""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, ACTIVATIONS) or module_qualified_name in self.leaves or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or self.path_of_module(m)
            raise
