"""A network as a graph: every module and every function that it calls, in order."""

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from ..core import expect, expect_finite, expect_floating
from ..errors import InputError
from ..layers import LSQ, QCFS, ClippedReLU

Activation = QCFS | LSQ | ClippedReLU
ACTIVATIONS = (QCFS, LSQ, ClippedReLU)
"""Activations that a neuron can stand for; each has `threshold`."""

_CHECKS = (expect, expect_finite, expect_floating)


def trace(ann: nn.Module, example: Tensor, leaves: tuple[str, ...] = ()) -> fx.GraphModule:
    """A copy of the network as a graph whose nodes know the shapes that they give for `example`.

    Args:
        ann: a network in evaluation mode, of one input and one output; it stays as it is.
        example: images [B, C, H, W].
        leaves: paths of modules not to look into.
    Raises:
        ValueError: the network is in training mode, torch.fx cannot follow it, or what it traced is not the same function.
    """
    if training := [path or type(ann).__name__ for path, module in ann.named_modules() if module.training]:
        raise InputError(f"ann: expected a network in evaluation mode, but {training[0]} is in training mode. Call ann.eval() first.")
    tracer = _Tracer(leaves)
    own = copy.deepcopy(ann)
    try:
        graph = tracer.trace(own)
    except Exception as error:
        where = tracer.failed or type(ann).__name__
        raise InputError(
            f"ann: expected a network that torch.fx can trace, but {where} is none: {' '.join(str(error).split())[:200]}. "
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
    """Arguments that have a default and are not used are none."""
    for node in list(graph.nodes):
        if node.op == "placeholder" and node.args and not node.users:
            graph.erase_node(node)


def shape(node: fx.Node) -> torch.Size:
    """The shape that a node gave for the example."""
    found: torch.Size = node.meta["tensor_meta"].shape
    return found


def label(node: fx.Node) -> str:
    """The path of a module, or that of the module that calls a function with the name of the function."""
    if node.op == "call_module":
        return str(node.target)
    stack = [path for path in node.meta.get("nn_module_stack", {}) if path]  # the innermost last
    return f"{stack[-1]}.{getattr(node.target, '__name__', node.target)}" if stack else node.name


class _Tracer(fx.Tracer):
    """Stops at torch's own modules and at the activations; passes argument checks, and remembers where tracing failed."""

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
