"""Treatment of each module and function of a traced network."""

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
    ceiling_of_call,
    ceiling_of_module,
    is_linear,
)
from .max_pool import SpikingMaxPool
from .reparametrization import has_hooks
from .tracing import ACTIVATIONS, Activation, channel_threshold, free_path, label, shape
from .verification import is_affine

NeuronKind = Literal["if", "signed", "qffs"]
MaxPool = Literal["refuse", "average", "spiking"]


@dataclass
class Parts:
    """Treats the nodes of a traced network one after the other, changes the graph, and records the changes."""

    traced: fx.GraphModule
    neuron: NeuronKind
    max_pool: MaxPool
    fold_batch_norm: bool
    allow: tuple[str, ...]
    device: torch.device
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stateful: list[fx.Node] = field(default_factory=list)
    spiking: set[fx.Node] = field(default_factory=set)
    """Nodes that carry spikes: layers with a state, and all that reads them."""
    originals: dict[fx.Node, nn.Module] = field(default_factory=dict)
    """Modules that the changed nodes called before, or that do what their functions did."""

    def __post_init__(self) -> None:
        """Collect the calls of each module and function, before anything is renamed."""
        self.calls: dict[object, list[fx.Node]] = {}
        for node in self.traced.graph.nodes:
            self.calls.setdefault(node.target, []).append(node)

    def treat(self, node: fx.Node) -> None:
        """Keep, replace, fold or remove a node, or record the problem with it."""
        if self.spiking & set(node.all_input_nodes):
            self.spiking.add(node)
        if node.op == "call_module":
            self._module(node, self.traced.get_submodule(str(node.target)))
        elif node.op in ("call_function", "call_method"):
            self._function(node)

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        path = str(node.target)
        ceiling = None if path in self.allow else ceiling_of_module(module)
        if has_hooks(module) and not self._keeps_hooks(node, module, ceiling):
            return
        if isinstance(module, ACTIVATIONS):
            self._activation(node, module, type(module).__name__)
        elif ceiling is not None:
            self._activation(node, self._clipped(node, ceiling), type(module).__name__)
        elif isinstance(module, NORMS):
            self._norm(node, module)
        elif isinstance(module, REMOVED):
            self._remove(node, module)
        elif isinstance(module, MAX_POOLS) and path not in self.allow:
            self._pool(node, module)
        elif isinstance(module, LINEAR):
            self._note(node, "kept", note="has a forward hook" if has_hooks(module) else "")
        elif path in self.allow:
            self._allow(node)
        elif isinstance(module, nn.ReLU):
            self.problems.append(f"{path} is a ReLU without a threshold: train with QCFS in its place, or use calibrate.")
        else:
            self.problems.append(f"{path} is a {type(module).__name__}, for which there is no spiking form: exchange it, or allow it.")

    def _keeps_hooks(self, node: fx.Node, module: nn.Module, ceiling: float | None) -> bool:
        """Whether the converted module runs its hooks, with the same effect; otherwise the problem is recorded."""
        path = str(node.target)
        pooled = isinstance(module, MAX_POOLS) and node in self.spiking and path not in self.allow
        if isinstance(module, ACTIVATIONS) or ceiling is not None or pooled:
            self.problems.append(f"{path} has a forward hook, which its spiking form does not run: remove the hook.")
            return False
        linear = isinstance(module, (*LINEAR, *NORMS, *REMOVED))
        if node in self.spiking and linear and not is_affine(module, shape(node.all_input_nodes[0]), node.meta["tensor_meta"].dtype):
            self.problems.append(f"{path} has a forward hook that is not linear, so its effect on spikes differs: exchange it.")
            return False
        return True

    def _clipped(self, node: fx.Node, ceiling: float) -> ClippedReLU:
        """The activation of a module or function with a ceiling of its own."""
        return ClippedReLU(ceiling).to(self.device, node.meta["tensor_meta"].dtype)

    def _activation(self, node: fx.Node, module: Activation, kind: str) -> None:
        path = str(node.target)
        count = len(self.calls[path])
        if count > 1 and path not in self.allow and isinstance(self.traced.get_submodule(path), ACTIVATIONS):
            self.problems.append(
                f"{path} is one activation used {count} times, but neurons have a state: use one for each place, or allow it."
            )
            return
        try:
            neuron = self._neuron(shape(node), module)
        except ValueError as error:
            self.problems.append(f"{path}: {error}")
            return
        self._replace(node, neuron, module)
        threshold = neuron.get_buffer("v_threshold")
        self._note(
            node, "replaced", threshold=tuple(threshold.tolist()) if threshold.dim() else threshold.item(), note=type(neuron).__name__,
            kind=kind,
        )  # fmt: skip

    def _neuron(self, given: torch.Size, activation: Activation) -> IF | SignedIF:
        if len(given) < 2:
            raise InputError(f"expected an activation of [B, C, ...], got one of {list(given)}. Keep the channels in an axis of their own.")
        threshold, size = channel_threshold(activation, given).detach(), given[1]
        half, limit = threshold / 2, None
        if self.neuron == "if":  # `to`: the dtype and the device of the activation
            return IF(size, v_threshold=threshold, v_init=half, amplitude=threshold, detach_reset=False).to(threshold)
        if self.neuron == "qffs":
            if isinstance(activation, ClippedReLU):
                raise InputError("expected an activation with levels, got a clipped ReLU. Choose neuron='signed', which needs none.")
            limit = activation.levels
        return SignedIF(size, v_threshold=threshold, v_init=half, limit=limit).to(threshold)

    def _norm(self, node: fx.Node, module: Norm) -> None:
        before, path, kind = node.all_input_nodes[0], str(node.target), type(module).__name__
        if module.running_mean is None or module.running_var is None:
            self.problems.append(f"{path} is a {kind} without running statistics: train it with track_running_stats.")
            return
        if not bool((module.running_var >= 0).all()):
            wrong = module.running_var[~(module.running_var >= 0)][0].item()
            self.problems.append(f"{path} is a {kind} with a running variance of {wrong:g}, expected at least 0: train or load it again.")
            return
        if reason := self._why_not_fold(module, before, has_hooks(module)):
            self._note(node, "kept", note=f"not folded: {reason}")
            return
        layer = self.traced.get_submodule(str(before.target))
        if not module.affine:  # torch folds it into a convolution only
            module.weight = nn.Parameter(torch.ones_like(module.running_mean))
            module.bias = nn.Parameter(torch.zeros_like(module.running_mean))
        if isinstance(layer, nn.Linear):
            self.traced.add_submodule(str(before.target), fuse_linear_bn_eval(layer, module))
        elif isinstance(layer, CONVOLUTIONS):
            self.traced.add_submodule(str(before.target), fuse_conv_bn_eval(layer, module))
        self._note(node, "folded", note=f"into {before.target}")
        self._drop(node, before)

    def _why_not_fold(self, module: Norm, before: fx.Node, hooked: bool) -> str:
        """The reason why BatchNorm must not be folded into what runs before it; empty if it may be."""
        if not self.fold_batch_norm:
            return "as requested"
        layer = self.traced.get_submodule(str(before.target)) if before.op == "call_module" else None
        # Exact types, because a subclass may compute something else.
        if layer is None or type(layer) not in (*CONVOLUTIONS, nn.Linear) or type(module) not in NORMS:
            return "it does not follow a convolution or linear layer"
        if isinstance(layer, nn.Linear) and len(shape(before)) != 2:
            return f"its channels are not the outputs of {before.target}"
        if len(before.users) > 1 or len(self.calls[before.target]) > 1:
            return f"{before.target} is used in several places"
        if hooked or has_hooks(layer):
            return f"{'it' if hooked else before.target} has a forward hook"
        if any(isinstance(target, str) and target.startswith(f"{before.target}.") for target in self.calls):
            return f"the weights of {before.target} are read elsewhere"
        return ""

    def _pool(self, node: fx.Node, module: MaxPoolModule) -> None:
        path, kind = str(node.target), type(module).__name__
        if node not in self.spiking:
            self._note(node, "kept", note="before the first neuron, where a maximum is exact")
        elif module.return_indices:
            self.problems.append(f"{path} is a {kind} that returns indices, for which there is no spiking form: exchange it, or allow it.")
        elif self.max_pool == "spiking":
            self._replace(node, SpikingMaxPool(module), module)
            self._note(node, "replaced", note="SpikingMaxPool", kind=kind)
        elif self.max_pool == "average" and module.dilation in (1, (1, 1)):
            average = AVERAGES[type(module)](module.kernel_size, module.stride, module.padding, module.ceil_mode)
            self.traced.add_submodule(path, average)
            self.originals[node] = module
            self._note(node, "averaged", note="accurate only if the network was trained so", kind=kind)
        else:
            self.problems.append(
                f"{path} is a {kind}, and the maximum of spikes is not that of rates: choose max_pool='average' or 'spiking'."
            )

    def _function(self, node: fx.Node) -> None:
        name = label(node)
        node.target = IN_PLACE.get(node.target, node.target)
        if is_linear(node):
            if "tensor_meta" in node.meta:
                self._note(node, "kept")
        elif node.target in DROPOUTS:
            self._remove(node)
        elif name in self.allow:
            self._allow(node)
        elif (ceiling := ceiling_of_call(node)) is not None:
            self._activation_call(node, ceiling)
        elif node.target in RELUS:
            self.problems.append(f"{name} is a functional relu: make it a module with a threshold (QCFS), or use calibrate.")
        elif node.target in MAX_POOL_FUNCTIONS:
            self.problems.append(f"{name} is a functional maximum pooling: make it a module, so that max_pool says what becomes of it.")
        else:
            self.problems.append(f"{name} is a function for which there is no spiking form: exchange it, or allow it.")

    def _activation_call(self, node: fx.Node, ceiling: float) -> None:
        """Treat a function with a ceiling as a module with the name of the function."""
        activation, kind, path = self._clipped(node, ceiling), "function", free_path(self.traced, label(node))
        self.traced.add_submodule(path, activation)
        node.op, node.target, node.args, node.kwargs = "call_module", path, (node.all_input_nodes[0],), {}
        self.calls[path] = [node]
        self._activation(node, activation, kind)

    def _allow(self, node: fx.Node) -> None:
        self._note(node, "allowed", note="applied to each step" if node in self.spiking else "before the first neuron")

    def _remove(self, node: fx.Node, module: nn.Module | None = None) -> None:
        if module is not None and has_hooks(module):
            self._note(node, "kept", note="has a forward hook")
            return
        self._note(node, "removed")
        self._drop(node, node.all_input_nodes[0])

    def _drop(self, node: fx.Node, before: fx.Node) -> None:
        node.replace_all_uses_with(before)
        self.traced.graph.erase_node(node)

    def _replace(self, node: fx.Node, layer: nn.Module, original: nn.Module) -> None:
        """Replace the module that a node calls by a layer with a state; each call of a shared module gets its own layer and path."""
        calls = self.calls[node.target]
        if len(calls) > 1:
            node.target = free_path(self.traced, f"{node.target}_{calls.index(node)}")
        self.traced.add_submodule(str(node.target), layer)
        self.originals[node] = original
        self.stateful.append(node)
        self.spiking.add(node)

    def _note(
        self, node: fx.Node, action: Action, *, threshold: float | tuple[float, ...] | None = None, note: str = "", kind: str = ""
    ) -> None:
        if not kind:
            kind = type(self.traced.get_submodule(str(node.target))).__name__ if node.op == "call_module" else "function"
        self.entries.append(Entry(label(node), kind, action, threshold, note))
