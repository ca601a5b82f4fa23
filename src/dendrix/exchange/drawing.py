"""A graph in lines of text."""

from typing import Any

import numpy as np

from .graph import Graph
from .importer import run_order
from .nodes import ENDS, Node


def draw(graph: Graph) -> list[str]:
    """Chains of nodes with arrows, in the order in which they run, and feedback in lines of its own."""
    order, feedback = run_order(graph)
    edges = [edge for edge in graph.edges if edge not in feedback]
    after = {name: [target for source, target in edges if source == name] for name in order}
    before = {name: [source for source, target in edges if target == name] for name in order}
    lines, seen = list[str](), set[str]()
    for name in order:
        if name in seen:
            continue
        line = [name]
        if len(before[name]) > 0:
            line = [" + ".join(before[name]), name]
        seen.add(name)
        while len(after[line[-1]]) == 1 and len(before[after[line[-1]][0]]) == 1:
            line.append(after[line[-1]][0])
            seen.add(line[-1])
        if len(line) > 1 or not after[name]:
            lines.append(" → ".join(line))
    return lines + [f"{source} → {target}, one step later" for source, target in feedback]


def rows(graph: Graph) -> list[tuple[str, str, str]]:
    """Name, type and parameters of each node, in the order in which they run."""
    order, _ = run_order(graph)
    return [(name, graph.nodes[name].type, parameters(graph.nodes[name])) for name in order]


def parameters(node: Node) -> str:
    """The parameters of a node in a few words: single values as they are, arrays by their shape and range."""
    if node.type in ENDS:
        return f"shape {list(node.shape)}"
    return ", ".join(f"{name} {_brief(value)}" for name, value in node.params.items())


def _brief(value: Any) -> str:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    if array.size <= 3:
        return " ".join(f"{number:.4g}" for number in array.ravel())
    low, high = array.min(), array.max()
    return f"{list(array.shape)} {f'{low:.4g}' if low == high else f'{low:.4g}..{high:.4g}'}"
