"""Lowering of a traced network: a prefix before the first neurons, and a body with time and state."""

import torch
from torch import Tensor, fx

from ..core import State
from ..errors import InputError
from .network import SpikingNetwork


def lower(traced: fx.GraphModule, stateful: list[fx.Node], image: torch.Size, shapes: dict[fx.Node, torch.Size]) -> SpikingNetwork:
    """Cut a graph before its first neurons, and add time and state to the rest.

    Stateless nodes get all steps folded into the batch; several tensors that cross the cut are packed into one.

    Args:
        traced: the network, with layers over time in place of its activations.
        stateful: the nodes that call those layers.
        image: shape of one image.
        shapes: shapes of the results of all nodes for an example, [B, ...].
    """
    over_time = _after(traced.graph, stateful)
    images = _after(traced.graph, [node for node in traced.graph.nodes if node.op == "placeholder"])
    read = [node for node in traced.graph.nodes if node not in over_time and over_time & set(node.users)]
    cut, constants = [node for node in read if node in images], _before([node for node in read if node not in images])
    for node in cut:
        if node not in shapes:
            raise InputError(
                f"ann: expected layers that do not depend on the size of the batch, but {node.name} is read as a number. "
                "Use flatten(1) in place of view(x.size(0), -1)."
            )
    body = _Body(traced, cut, [shapes[node] for node in cut])
    for node in traced.graph.nodes:
        if node in over_time or node in constants:
            body.add(node, node in stateful)
    sizes = [shapes[node][1:] for node in cut]
    current = sizes[0] if len(cut) == 1 else torch.Size([sum(size.numel() for size in sizes)])
    return SpikingNetwork(_prefix(traced, cut), body.module(), image, current, tuple(str(node.target) for node in stateful))


def _after(graph: fx.Graph, first: list[fx.Node]) -> set[fx.Node]:
    """The first nodes, and all that depend on them."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if node in first or found & set(node.all_input_nodes):
            found.add(node)
    return found


def _prefix(traced: fx.GraphModule, cut: list[fx.Node]) -> fx.GraphModule:
    """Graph from images to the tensor that crosses the cut, or to all of them, flattened and concatenated."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    needed = _before(cut)
    for node in traced.graph.nodes:
        if node in needed:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    ends = [copies[node] for node in cut]
    if len(ends) > 1:
        flat = [graph.call_method("flatten", (end, 1)) for end in ends]
        ends = [graph.call_function(torch.cat, (flat, 1))]
    graph.output(ends[0])
    return fx.GraphModule(traced, graph)


def _before(last: list[fx.Node]) -> set[fx.Node]:
    """The last nodes, and all that they depend on."""
    found, left = set(last), list(last)
    while left:
        for node in left.pop().all_input_nodes:
            if node not in found:
                found.add(node)
                left.append(node)
    return found


class _Body:
    """Builds the graph behind the cut. Values are over time, [B, T, ...], or folded, [B * T, ...], or both, as needed."""

    def __init__(self, traced: fx.GraphModule, cut: list[fx.Node], shapes: list[torch.Size]):
        self.traced = traced
        self.graph = fx.Graph()
        currents, self.state, self.valid, self.steps = map(self.graph.placeholder, ("currents", "state", "valid", "steps"))
        self.over_time: dict[fx.Node, fx.Node] = {}
        self.folded: dict[fx.Node, fx.Node] = {}
        self.after: dict[str, fx.Node] = {}
        if len(cut) == 1:
            self.over_time[cut[0]] = currents
            return
        low = 0
        for node, size in zip(cut, shapes, strict=True):
            width = size[1:].numel()
            part = self.graph.call_method("narrow", (currents, 2, low, width))
            self.over_time[node] = self.graph.call_method("unflatten", (part, 2, tuple(size[1:])))
            low += width

    def add(self, node: fx.Node, stateful: bool) -> None:
        """Append the next node of the network."""
        if stateful:
            path = str(node.target)
            before = self.graph.call_function(_pick, (self.state, path))
            given = self.graph.call_module(path, (self._unfold(node.all_input_nodes[0]), before, self.valid))
            self.over_time[node] = self.graph.call_function(_pick, (given, 0))
            self.after[path] = self.graph.call_function(_pick, (given, 1))
        elif node.op == "output":
            self.graph.output((self._unfold(node.all_input_nodes[0]), self.after))
        else:
            self.folded[node] = self.graph.node_copy(node, self._fold)

    def module(self) -> fx.GraphModule:
        return fx.GraphModule(self.traced, self.graph)

    def _fold(self, node: fx.Node) -> fx.Node:
        if node not in self.folded:
            self.folded[node] = self.graph.call_method("flatten", (self.over_time[node], 0, 1))
        return self.folded[node]

    def _unfold(self, node: fx.Node) -> fx.Node:
        if node not in self.over_time:
            self.over_time[node] = self.graph.call_method("unflatten", (self.folded[node], 0, (-1, self.steps)))
        return self.over_time[node]


def _pick(parts: dict[str, State] | tuple[Tensor, State], key: str | int) -> State:
    return parts[key]  # type: ignore[index]
