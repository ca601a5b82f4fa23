"""What becomes of each module and function of a traced network."""

import operator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ..layers import ClippedReLU
from ..neurons import RateIF, SignedRateIF
from .audit import Action, Entry
from .max_pool import SpikingMaxPool
from .tracing import ACTIVATIONS, RELUS, Activation, label, shape

NeuronKind = Literal["if", "signed", "qffs"]
MaxPool = Literal["refuse", "average", "spiking"]

_LINEAR = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear, nn.AvgPool1d, nn.AvgPool2d,
    nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.Flatten, nn.Unflatten, nn.Upsample,
    nn.PixelShuffle, nn.ZeroPad1d, nn.ZeroPad2d, nn.ChannelShuffle,
)  # fmt: skip
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
_REMOVED = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity)
_MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
Pool = nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d
_AVERAGES: dict[type[nn.Module], type[nn.Module]] = {nn.MaxPool1d: nn.AvgPool1d, nn.MaxPool2d: nn.AvgPool2d, nn.MaxPool3d: nn.AvgPool3d}
_FUNCTIONS = (
    operator.add, operator.sub, operator.neg, operator.getitem, getattr, torch.add, torch.sub, torch.flatten,
    torch.cat, torch.mean, torch.reshape, functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d,
    functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d, functional.adaptive_avg_pool3d, functional.pad, functional.interpolate,
)  # fmt: skip
_SCALINGS = (operator.mul, operator.truediv, torch.mul, torch.div)
_IN_PLACE: dict[Any, Any] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    "add_": "add",
    "sub_": "sub",
}
"""Arithmetic that overwrites its first operand, and the same that does not."""
_DROPOUTS = (functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d)
_METHODS = ("add", "sub", "flatten", "view", "reshape", "mean", "size", "contiguous", "permute", "transpose", "squeeze")


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
        elif isinstance(module, _NORMS):
            self._norm(node, module)
        elif isinstance(module, _REMOVED):
            self._remove(node)
        elif isinstance(module, _MAX_POOLS) and path not in self.allow:
            self._pool(node, module)
        elif isinstance(module, _LINEAR):
            self._note(node, "kept")
        elif path in self.allow:
            self._note(node, "allowed", note="acts on each step by itself" if node in self.spiking else "before the first neuron")
        elif isinstance(module, nn.ReLU):
            self.problems.append(f"{path} is a ReLU without a threshold: train with QCFS in its place, or use calibrate.")
        else:
            self.problems.append(f"{path} is a {type(module).__name__}, for which there is no spiking form: exchange it, or allow it.")

    def _activation(self, node: fx.Node, module: Activation) -> None:
        path = str(node.target)
        calls = [other for other in self.traced.graph.nodes if other.op == "call_module" and other.target == path]
        if len(calls) > 1:
            if path not in self.allow:
                self.problems.append(
                    f"{path} is one activation used {len(calls)} times, but neurons remember: give each place its own, or allow it."
                )
                return
            node.target = f"{path}_{calls.index(node)}"
        try:
            neuron = self._neuron(shape(node)[1], module)
        except ValueError as error:
            self.problems.append(f"{path}: {error}")
            return
        self._replace(node, neuron)
        threshold = neuron.threshold
        self._note(
            node, "replaced", threshold=tuple(threshold.tolist()) if threshold.dim() else threshold.item(), note=type(neuron).__name__,
            kind=type(module).__name__,
        )  # fmt: skip

    def _neuron(self, size: int, activation: Activation) -> RateIF | SignedRateIF:
        threshold = activation.threshold
        if self.neuron == "if":
            return RateIF(size, threshold)
        if self.neuron == "signed":
            return SignedRateIF(size, threshold)
        if isinstance(activation, ClippedReLU):
            raise ValueError("expected an activation with levels, got a calibrated ReLU. Choose neuron='signed', which needs none.")
        return SignedRateIF(size, threshold, activation.levels)

    def _norm(self, node: fx.Node, module: Norm) -> None:
        before = node.all_input_nodes[0]
        path = str(node.target)
        if module.running_mean is None:
            self.problems.append(f"{path} is a {type(module).__name__} without running statistics: train it with track_running_stats.")
            return
        layer = self.traced.get_submodule(str(before.target)) if before.op == "call_module" else None
        calls = [other for other in self.traced.graph.nodes if other.target == before.target]
        if not self.fold_batch_norm or len(before.users) > 1 or len(calls) > 1 or not isinstance(layer, (*_CONVOLUTIONS, nn.Linear)):
            self._note(node, "kept")
            return
        folded = fuse_linear_bn_eval(layer, module) if isinstance(layer, nn.Linear) else fuse_conv_bn_eval(layer, module)
        self.traced.add_submodule(str(before.target), folded)
        self._note(node, "folded", note=f"into {before.target}")
        self._drop(node, before)

    def _pool(self, node: fx.Node, module: Pool) -> None:
        path, kind = str(node.target), type(module).__name__
        if node not in self.spiking:
            self._note(node, "kept", note="before the first neuron, where a maximum is exact")
        elif self.max_pool == "spiking":
            self._replace(node, SpikingMaxPool(module))
            self._note(node, "replaced", note="SpikingMaxPool", kind=kind)
        elif self.max_pool == "average" and module.dilation in (1, (1, 1)):
            average = _AVERAGES[type(module)](module.kernel_size, module.stride, module.padding, module.ceil_mode)
            self.traced.add_submodule(path, average)
            self._note(node, "averaged", note="accurate only if the network was trained so", kind=kind)
        else:
            self.problems.append(
                f"{path} is a {kind}, and the maximum of spikes is not that of rates: choose max_pool='average' or 'spiking'."
            )

    def _function(self, node: fx.Node) -> None:
        name = label(node)
        if node.target in _IN_PLACE:
            if len(node.all_input_nodes[0].users) > 1:
                self.problems.append(f"{name} overwrites what is read elsewhere too: write the sum without in-place arithmetic.")
            node.target = _IN_PLACE[node.target]
        tensors = [part for part in node.all_input_nodes if part.op != "get_attr"]
        scaled = node.target in _SCALINGS and len(tensors) == 1
        if node.target in _FUNCTIONS or node.target in _METHODS or scaled:
            if "tensor_meta" in node.meta:
                self._note(node, "kept")
        elif node.target in _DROPOUTS:
            self._remove(node)
        elif name in self.allow:
            self._note(node, "allowed", note="acts on each step by itself" if node in self.spiking else "before the first neuron")
        elif node.target in RELUS:
            self.problems.append(f"{name} is a functional relu: make it a module with a threshold (QCFS), or use calibrate.")
        else:
            self.problems.append(f"{name} is a function for which there is no spiking form: exchange it, or allow it.")

    def _remove(self, node: fx.Node) -> None:
        self._note(node, "removed")
        self._drop(node, node.all_input_nodes[0])

    def _drop(self, node: fx.Node, before: fx.Node) -> None:
        node.replace_all_uses_with(before)
        self.traced.graph.erase_node(node)

    def _replace(self, node: fx.Node, layer: nn.Module) -> None:
        self.traced.add_submodule(str(node.target), layer)
        self.stateful.append(node)
        self.spiking.add(node)

    def _note(
        self, node: fx.Node, action: Action, *, threshold: float | tuple[float, ...] | None = None, note: str = "", kind: str = ""
    ) -> None:
        if not kind:
            kind = type(self.traced.get_submodule(str(node.target))).__name__ if node.op == "call_module" else "function"
        self.entries.append(Entry(label(node), kind, action, threshold, note))
