"""A network whose layers form a graph: several inputs and outputs, sums where edges meet, and feedback."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_floating, expect_state, expect_valid, select, zero_invalid
from ..errors import InputError
from ..layers import PerStep

Shape = tuple[int, ...]


class GraphNetwork(Stateful):
    """Layers at the nodes of a graph: x [B, T, ...] -> y [B, T, ...]. A node gets the sum of what its edges bring.

    Several inputs come as one tensor [B, T, N], flattened and one after another; several outputs leave in the same way. Feedback edges
    bring what their source put out in the step before; before the first step all layers with a state are silent. State: a dict with the
    state of every node by name, and the last output of the source of feedback as `name>`.

    Args:
        layers: a `Stateful` for each inner node.
        edges: pairs of names, of layers, inputs and outputs.
        inputs, outputs: shapes of one step, without batch, by name.
        feedback: the edges that take a step; without them the graph has no cycle.
    Raises:
        InputError: the edges have a cycle.
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        edges: Sequence[Sequence[str]],
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, Sequence[int]],
        feedback: Sequence[Sequence[str]] = (),
    ):
        super().__init__()
        self.names = tuple(layers)
        self.layers = nn.ModuleList(layers.values())
        self.edges = tuple((source, target) for source, target in edges)
        self.feedback = tuple((source, target) for source, target in feedback)
        self.inputs = {name: tuple(shape) for name, shape in inputs.items()}
        self.outputs = {name: tuple(shape) for name, shape in outputs.items()}
        self._sources = {name: [s for s, t in self.edges if t == name] for name in (*self.names, *self.outputs)}
        self._late = {name: [s for s, t in self.feedback if t == name] for name in self.names}
        self._remembered = tuple(dict.fromkeys(source for source, _ in self.feedback))
        if silent := [name for name, sources in self._sources.items() if not sources]:
            raise InputError(f"node '{silent[0]}': expected an edge into it that is no feedback, got none. Connect it to an input.")
        inner = [edge for edge in self.edges if set(edge) <= set(self.names)]
        self.run_groups = groups(self.names, inner, self.feedback)

    def arguments(self) -> dict[str, Any]:
        layers = dict(zip(self.names, self.layers, strict=True))
        return dict(layers=layers, edges=self.edges, inputs=self.inputs, outputs=self.outputs, feedback=self.feedback)

    def extra_repr(self) -> str:
        return f"{' '.join(self.inputs)} -> {' '.join(self.outputs)}"

    def sources(self, name: str) -> list[str]:
        """The nodes whose outputs a node, or an output, gets."""
        return list(self._sources[name])

    def layer(self, name: str) -> nn.Module:
        """The layer at a node."""
        return self.layers[self.names.index(name)]

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        values, state = self.run(x, state, valid)
        found = [values[name] for name in self.outputs]
        return found[0] if len(found) == 1 else torch.cat([y.flatten(2) for y in found], 2), state

    def run(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[dict[str, Tensor], State]:
        """The outputs of all nodes, [B, T, ...] by name, and the next state."""
        expect(x, "B T ...")
        expect_floating(x)
        expect_valid(valid, x)
        values = self._split(zero_invalid(x, valid))
        before = self._parts(state)
        after: dict[str, State] = {}
        for group in self.run_groups:
            if len(group) == 1 and not self._late[group[0]]:
                (name,) = group
                values[name], after[name] = self.layer(name)(self._sum(name, values), before[name], valid)
            else:
                found, last = self._cycle(group, values, before, valid)
                values, after = values | found, after | last
        for name in self.outputs:
            values[name] = self._sum(name, values)
        return values, after

    def _split(self, x: Tensor) -> dict[str, Tensor]:
        """The inputs by name."""
        if len(self.inputs) == 1:
            ((name, shape),) = self.inputs.items()
            if x.shape[2:] != shape:
                raise InputError(f"x: expected [B, T, {', '.join(map(str, shape))}], got {list(x.shape)}. Reshape it.")
            return {name: x}
        sizes = [math.prod(shape) for shape in self.inputs.values()]
        expect(x, "B T N", N=sum(sizes))
        parts = torch.split(x, sizes, 2)
        return {name: part.reshape(*x.shape[:2], *shape) for (name, shape), part in zip(self.inputs.items(), parts, strict=True)}

    def _sum(self, name: str, values: Mapping[str, Tensor]) -> Tensor:
        first, *others = [values[source] for source in self._sources[name]]
        for other in others:
            first = first + other
        return first

    def _cycle(
        self, group: Sequence[str], values: Mapping[str, Tensor], before: Mapping[str, State], valid: Tensor | None
    ) -> tuple[dict[str, Tensor], dict[str, State]]:
        """Outputs [B, T, ...] and next states of the nodes of a cycle, step by step."""
        outside = {name: [values[source] for source in self._sources[name] if source not in group] for name in group}
        state = {name: before[name] for name in group}
        last = self._last(group, outside, before)
        steps: dict[str, list[Tensor]] = {name: [] for name in group}
        for t in range(next(iter(values.values())).shape[1]):
            now: dict[str, Tensor] = {}
            for name in group:
                parts = [x[:, t] for x in outside[name]] + [now[source] for source in self._sources[name] if source in group]
                parts += [last[source] for source in self._late[name]]
                now[name], state[name] = self._one_step(name, sum(parts[1:], parts[0]), state[name], valid, t)
                steps[name].append(now[name])
            last = {name: now[name] if valid is None else select(valid[:, t], now[name], y) for name, y in last.items()}
        found = {name: torch.stack(parts, 1) for name, parts in steps.items()}
        return found, state | {f"{name}>": y for name, y in last.items()}

    def _last(self, group: Sequence[str], outside: Mapping[str, list[Tensor]], before: Mapping[str, State]) -> dict[str, Tensor]:
        """What feedback brings to the first step; from rest, what its sources put out while all layers with a state are silent."""
        silent: dict[str, Tensor] = {}
        for name in group:
            parts = [torch.zeros_like(x[:, 0]) for x in outside[name]] + [
                silent[source] for source in self._sources[name] if source in group
            ]
            layer: Any = self.layer(name)
            y, _ = layer.step(sum(parts[1:], parts[0]), None)
            silent[name] = y if isinstance(layer, PerStep) else torch.zeros_like(y)
        last = {name: silent[name] if before[f"{name}>"] is None else before[f"{name}>"] for name in group if name in self._remembered}
        for name, y in last.items():
            expect_state(y, Tensor, silent[name].shape)
        return last

    def _one_step(self, name: str, x_t: Tensor, state: State, valid: Tensor | None, t: int) -> tuple[Tensor, State]:
        layer: Any = self.layer(name)
        if valid is None:
            y: tuple[Tensor, State] = layer.step(x_t, state)
            return y
        y_t, state = layer(x_t.unsqueeze(1), state, valid[:, t : t + 1])
        return y_t.squeeze(1), state

    def _parts(self, state: State) -> dict[str, State]:
        wanted = [*self.names, *(f"{name}>" for name in self._remembered)]
        if state is None:
            return dict.fromkeys(wanted)
        if not isinstance(state, dict) or set(state) != set(wanted):
            raise InputError(
                f"state: expected a dict with {len(wanted)} states by node, got {type(state).__name__}. Pass what the last call returned."
            )
        return state


def groups(names: Sequence[str], edges: Sequence[tuple[str, str]], feedback: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Nodes in the order in which they run; those of a cycle together, in the order within a step.

    Args:
        names: all nodes.
        edges: between them, within a step.
        feedback: edges that take a step.
    Raises:
        InputError: the edges alone have a cycle.
    """
    return [tuple(_ordered(part, [edge for edge in edges if set(edge) <= set(part)])) for part in components(names, [*edges, *feedback])]


def _ordered(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[str]:
    """Nodes so that every edge points forwards."""
    waiting, done = list(names), list[str]()
    while waiting:
        ready = [name for name in waiting if not any(target == name and source in waiting for source, target in edges)]
        if not ready:
            told = " -> ".join(f"'{name}'" for name in waiting)
            raise InputError(f"cycle {told}: expected a neuron in it that holds its output for a step, got none. Add a neuron.")
        done += ready
        waiting = [name for name in waiting if name not in ready]
    return done


def components(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The strongly connected components of a graph in topological order (Tarjan 1972), without recursion."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        after[source].append(target)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in names:
        work = [(root, 0)] if root not in index else []
        while work:
            name, position = work.pop()
            if position == 0:
                index[name] = low[name] = len(index)
                stack.append(name)
                on_stack.add(name)
            elif after[name][position - 1] in on_stack:
                low[name] = min(low[name], low[after[name][position - 1]])
            for next_position, target in enumerate(after[name][position:], position + 1):
                if target not in index:
                    work += [(name, next_position), (target, 0)]
                    break
                if target in on_stack:
                    low[name] = min(low[name], index[target])
            else:
                if low[name] == index[name]:
                    cut = stack.index(name)
                    component, stack = stack[cut:], stack[:cut]
                    on_stack -= set(component)
                    found.append(sorted(component, key=names.index))
    return found[::-1]
