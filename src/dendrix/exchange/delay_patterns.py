"""Delay layers found in graphs: what `constructions` writes, as one `DelayLinear` each, with its delays in whole steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from ..layers import DelayLinear, PerStep
from .delay_line import DelayLine
from .network import GraphNetwork
from .nodes import Array

Kind = Literal["axonal", "dendritic", "synaptic"]
_MOST_BRANCHES = 4
"""More branches than these with one delay for each input or output are taken for one with a delay for each synapse."""
_MOST_VALUES = 2**26


@dataclass(frozen=True)
class _Branch:
    """A way from some nodes to others through delays and weights alone."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    nodes: tuple[str, ...]
    kind: Kind
    weight: Array
    """[C_out, C_in], or [C_out, N] of N rows."""
    lags: Array
    """[C_in], [C_out] or [N]."""
    inputs: Array
    """Input of each column of the weight."""


def with_delay_layers(network: GraphNetwork, dt_ms: float) -> GraphNetwork:
    """The same network with a `DelayLinear` in place of delays and weights that make one.

    Args:
        network: as `build_graph` gives it.
        dt_ms: time step, in ms.
    """
    layers = dict(zip(network.names, network.layers, strict=True))
    edges = list(network.edges)
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[_Branch]] = {}
    for branch in _branches(network):
        groups.setdefault((branch.sources, branch.targets), []).append(branch)
    for (sources, targets), branches in groups.items():
        if not any(branch.lags.any() for branch in branches):
            continue
        layer = _layer(branches, dt_ms)
        if layer is None:
            continue
        gone = {name for branch in branches for name in branch.nodes}
        name = branches[0].nodes[-1]
        layers = {key: layer if key == name else old for key, old in layers.items() if key == name or key not in gone}
        edges = [edge for edge in edges if gone.isdisjoint(edge)]
        edges += [(source, name) for source in sources] + [(name, target) for target in targets]
    return GraphNetwork(layers, edges, network.inputs, network.outputs, network.feedback)


def _branches(network: GraphNetwork) -> list[_Branch]:
    """All branches, each node in one of them at most."""
    layers = dict(zip(network.names, network.layers, strict=True))
    cycles = {name for group in network.run_groups if len(group) > 1 for name in group}
    before = {name: tuple(sorted(network.sources(name))) for name in network.names}
    after = {name: tuple(sorted(target for source, target in network.edges if source == name)) for name in network.names}
    weights = {name: weight for name in network.names if name not in cycles and (weight := _weight(layers[name])) is not None}
    found, used = [], set[str]()
    for name, layer in layers.items():
        if not isinstance(layer, DelayLine) or name in cycles:
            continue
        first = before[name][0] if len(before[name]) == 1 and before[name][0] in weights and after[before[name][0]] == (name,) else None
        last = after[name][0] if len(after[name]) == 1 and after[name][0] in weights and before[after[name][0]] == (name,) else None
        nodes = _nodes(name, first, last, weights)
        if nodes is None or used & set(nodes):
            continue
        used |= set(nodes)
        found.append(_branch(nodes, layer, weights, before[nodes[0]], after[nodes[-1]]))
    return found + [
        _Branch(before[name], after[name], (name,), "synaptic", weight, np.zeros(weight.shape[1], np.int64), np.arange(weight.shape[1]))
        for name, weight in weights.items()
        if name not in used
    ]


def _weight(layer: nn.Module) -> Array | None:
    module = layer.module if isinstance(layer, PerStep) else None
    return module.weight.detach().cpu().numpy() if isinstance(module, nn.Linear) and module.bias is None else None


def _nodes(delay: str, first: str | None, last: str | None, weights: Mapping[str, Array]) -> tuple[str, ...] | None:
    """The nodes of the branch through a delay: one-hot rows before it count only with weights behind it."""
    if first is not None and last is not None and _one_hot(weights[first]):
        return first, delay, last
    if last is not None:
        return delay, last
    return None if first is None else (first, delay)


def _one_hot(weight: Array) -> bool:
    return bool(((weight == 0) | (weight == 1)).all() and (weight.sum(1) == 1).all())


def _branch(
    nodes: tuple[str, ...], line: DelayLine, weights: Mapping[str, Array], sources: tuple[str, ...], targets: tuple[str, ...]
) -> _Branch:
    ends = sources, targets, nodes
    if len(nodes) == 3:
        picked, weight = weights[nodes[0]].argmax(1), weights[nodes[2]]
        return _Branch(*ends, "synaptic", weight, np.broadcast_to(line.lags, weight.shape[1]), picked)
    kind: Kind = "dendritic" if nodes[0] in weights else "axonal"
    weight = weights[nodes[0] if kind == "dendritic" else nodes[1]]
    width = weight.shape[0] if kind == "dendritic" else weight.shape[1]
    return _Branch(*ends, kind, weight, np.broadcast_to(line.lags, width), np.arange(weight.shape[1]))


def _layer(branches: list[_Branch], dt_ms: float) -> DelayLinear | None:
    """One layer for branches between the same nodes; None where they do not make one of a sensible size."""
    if len({branch.weight.shape[0] for branch in branches}) > 1:
        return None
    kinds = {branch.kind for branch in branches}
    kind = kinds.pop() if len(kinds) == 1 and len(branches) <= _MOST_BRANCHES else "synaptic"
    if kind == "synaptic":
        return _synaptic(branches, dt_ms)
    weight = np.stack([branch.weight for branch in branches], 2)
    lags = np.stack([branch.lags for branch in branches], 1)
    return _filled(weight, lags[None] if kind == "axonal" else lags[:, None], kind, dt_ms)


def _synaptic(branches: list[_Branch], dt_ms: float) -> DelayLinear | None:
    out = branches[0].weight.shape[0]
    into = 1 + max(int(branch.inputs.max()) for branch in branches)
    if any(branch.kind != "synaptic" or len(branch.nodes) < 3 for branch in branches):
        into = next(branch.weight.shape[1] for branch in branches if len(branch.nodes) < 3)
    longest = max(int(branch.lags.max()) for branch in branches)
    if (longest + 1) * into * out > _MOST_VALUES:
        return None
    kernel = np.zeros((longest + 1, into, out), branches[0].weight.dtype)
    for branch in branches:
        lags = branch.lags[:, None] if branch.kind == "dendritic" else branch.lags[None]
        lags = np.broadcast_to(lags, branch.weight.shape)
        np.add.at(kernel, (lags, branch.inputs[None], np.arange(out)[:, None]), branch.weight)
    count = max(1, int((kernel != 0).sum(0).max()))
    # The lags in use of each synapse come first, in order.
    order = np.argsort(kernel == 0, axis=0, kind="stable")[:count]
    weight = np.take_along_axis(kernel, order, 0)
    return _filled(weight.transpose(2, 1, 0), np.where(weight != 0, order, 0).transpose(2, 1, 0), "synaptic", dt_ms)


def _filled(weight: Array, lags: Array, kind: Kind, dt_ms: float) -> DelayLinear:
    longest = int(lags.max())
    span = (longest + longest % 2) * dt_ms  # the number of lags is odd
    out, into, count = weight.shape
    layer = DelayLinear(into, out, span, dt_ms, kernel_count=count, granularity=kind, train_delays=False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        layer.delay.copy_(torch.from_numpy(np.ascontiguousarray(lags)))
    return layer
