"""What becomes of each module and function of a traced network."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ..errors import InputError
from ..layers import ClippedReLU
from ..neurons import IF, SignedIF
from .audit import Action, Entry
from .kinds import (
    AVERAGES,
    CONVOLUTIONS,
    DROPOUTS,
    IN_PLACE,
    LINEAR,
    MAX_POOL_FUNCTIONS,
    MAX_POOLS,
    NORMS,
    RELUS,
    REMOVED,
    MaxPoolModule,
    Norm,
    is_linear,
)
from .max_pool import SpikingMaxPool
from .tracing import ACTIVATIONS, Activation, label, shape

NeuronKind = Literal["if", "signed", "qffs"]
MaxPool = Literal["refuse", "average", "spiking"]


@dataclass
class Parts:
    """Treats the nodes of a traced network one after the other, changes the graph, and notes what it did."""

    traced: fx.GraphModule
    neuron: NeuronKind
    max_pool: MaxPool
    fold_batch_norm: bool
    allow: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stateful: list[fx.Node] = field(default_factory=list)
    spiking: set[fx.Node] = field(default_factory=set)
    """Nodes that carry spikes: layers with a state, and all that reads them."""

    def __post_init__(self) -> None:
        """Who calls what, before anything is renamed."""
        self.calls: dict[object, list[fx.Node]] = {}
        for node in self.traced.graph.nodes:
            self.calls.setdefault(node.target, []).append(node)

    def treat(self, node: fx.Node) -> None:
        """Keep, replace, fold or remove a node, or note the problem with it."""
        if self.spiking & set(node.all_input_nodes):
            self.spiking.add(node)
        if node.op == "call_module":
            self._module(node, self.traced.get_submodule(str(node.target)))
        elif node.op in ("call_function", "call_method"):
            self._function(node)

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        path = str(node.target)
        if isinstance(module, ACTIVATIONS):
            self._activation(node, module)
        elif isinstance(module, NORMS):
            self._norm(node, module)
        elif isinstance(module, REMOVED):
            self._remove(node)
        elif isinstance(module, MAX_POOLS) and path not in self.allow:
            self._pool(node, module)
        elif isinstance(module, LINEAR):
            self._note(node, "kept")
        elif path in self.allow:
            self._allow(node)
        elif isinstance(module, nn.ReLU):
            self.problems.append(f"{path} is a ReLU without a threshold: train with QCFS in its place, or use calibrate.")
        else:
            self.problems.append(f"{path} is a {type(module).__name__}, for which there is no spiking form: exchange it, or allow it.")

    def _activation(self, node: fx.Node, module: Activation) -> None:
        path = str(node.target)
        count = len(self.calls[path])
        if count > 1 and path not in self.allow:
            self.problems.append(
                f"{path} is one activation used {count} times, but neurons remember: give each place its own, or allow it."
            )
            return
        try:
            neuron = self._neuron(shape(node)[1], module)
        except ValueError as error:
            self.problems.append(f"{path}: {error}")
            return
        self._replace(node, neuron)
        threshold = neuron.get_buffer("v_threshold")
        self._note(
            node, "replaced", threshold=tuple(threshold.tolist()) if threshold.dim() else threshold.item(), note=type(neuron).__name__,
            kind=type(module).__name__,
        )  # fmt: skip

    def _neuron(self, size: int, activation: Activation) -> IF | SignedIF:
        threshold = activation.threshold.detach()
        half, limit = threshold / 2, None
        if self.neuron == "if":  # `to`: the dtype and the device of the activation
            return IF(size, v_threshold=threshold, v_init=half, amplitude=threshold, detach_reset=False).to(threshold)
        if self.neuron == "qffs":
            if isinstance(activation, ClippedReLU):
                raise InputError("expected an activation with levels, got a calibrated ReLU. Choose neuron='signed', which needs none.")
            limit = activation.levels
        return SignedIF(size, v_threshold=threshold, v_init=half, limit=limit).to(threshold)

    def _norm(self, node: fx.Node, module: Norm) -> None:
        before = node.all_input_nodes[0]
        path = str(node.target)
        if module.running_mean is None:
            self.problems.append(f"{path} is a {type(module).__name__} without running statistics: train it with track_running_stats.")
            return
        layer = self.traced.get_submodule(str(before.target)) if before.op == "call_module" else None
        shared = len(before.users) > 1 or len(self.calls[before.target]) > 1
        if not self.fold_batch_norm or shared or not isinstance(layer, (*CONVOLUTIONS, nn.Linear)):
            self._note(node, "kept")
            return
        if not module.affine:  # torch folds it into a convolution only
            module.weight = nn.Parameter(torch.ones_like(module.running_mean))
            module.bias = nn.Parameter(torch.zeros_like(module.running_mean))
        folded = fuse_linear_bn_eval(layer, module) if isinstance(layer, nn.Linear) else fuse_conv_bn_eval(layer, module)
        self.traced.add_submodule(str(before.target), folded)
        self._note(node, "folded", note=f"into {before.target}")
        self._drop(node, before)

    def _pool(self, node: fx.Node, module: MaxPoolModule) -> None:
        path, kind = str(node.target), type(module).__name__
        if node not in self.spiking:
            self._note(node, "kept", note="before the first neuron, where a maximum is exact")
        elif self.max_pool == "spiking":
            self._replace(node, SpikingMaxPool(module))
            self._note(node, "replaced", note="SpikingMaxPool", kind=kind)
        elif self.max_pool == "average" and module.dilation in (1, (1, 1)):
            average = AVERAGES[type(module)](module.kernel_size, module.stride, module.padding, module.ceil_mode)
            self.traced.add_submodule(path, average)
            self._note(node, "averaged", note="accurate only if the network was trained so", kind=kind)
        else:
            self.problems.append(
                f"{path} is a {kind}, and the maximum of spikes is not that of rates: choose max_pool='average' or 'spiking'."
            )

    def _function(self, node: fx.Node) -> None:
        name = label(node)
        node.target = IN_PLACE.get(node.target, node.target)  # what is overwritten is read nowhere else, or the trace had differed
        if is_linear(node):
            if "tensor_meta" in node.meta:
                self._note(node, "kept")
        elif node.target in DROPOUTS:
            self._remove(node)
        elif name in self.allow:
            self._allow(node)
        elif node.target in RELUS:
            self.problems.append(f"{name} is a functional relu: make it a module with a threshold (QCFS), or use calibrate.")
        elif node.target in MAX_POOL_FUNCTIONS:
            self.problems.append(f"{name} is a functional maximum pooling: make it a module, so that max_pool says what becomes of it.")
        else:
            self.problems.append(f"{name} is a function for which there is no spiking form: exchange it, or allow it.")

    def _allow(self, node: fx.Node) -> None:
        self._note(node, "allowed", note="acts on each step by itself" if node in self.spiking else "before the first neuron")

    def _remove(self, node: fx.Node) -> None:
        self._note(node, "removed")
        self._drop(node, node.all_input_nodes[0])

    def _drop(self, node: fx.Node, before: fx.Node) -> None:
        node.replace_all_uses_with(before)
        self.traced.graph.erase_node(node)

    def _replace(self, node: fx.Node, layer: nn.Module) -> None:
        """Put a layer with a state where a module is called; each call of a shared one gets a layer and a path of its own."""
        calls = self.calls[node.target]
        if len(calls) > 1:
            node.target = f"{node.target}_{calls.index(node)}"
        self.traced.add_submodule(str(node.target), layer)
        self.stateful.append(node)
        self.spiking.add(node)

    def _note(
        self, node: fx.Node, action: Action, *, threshold: float | tuple[float, ...] | None = None, note: str = "", kind: str = ""
    ) -> None:
        if not kind:
            kind = type(self.traced.get_submodule(str(node.target))).__name__ if node.op == "call_module" else "function"
        self.entries.append(Entry(label(node), kind, action, threshold, note))
