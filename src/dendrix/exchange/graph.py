"""A NIR graph as plain data: nodes by name, edges, and subgraphs dissolved into their parent."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from .hdf5 import MAX_BYTES, read_tree
from .nodes import ENDS, Node, parse_node, text

Edge = tuple[str, str]
_MARKS = {"Input": "Entry", "Output": "Exit"}
"""Types of the ends of subgraphs, which pass on what they get."""


@dataclass(frozen=True)
class Graph:
    """A flat graph: the nodes of a subgraph `a` are called `a.name`."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What was assumed where the file is incomplete or contradicts itself."""

    def of_type(self, *types: str) -> list[str]:
        """Names of the nodes of these types, in order."""
        return [name for name, node in self.nodes.items() if node.type in types]

    def sources(self, name: str) -> list[str]:
        """Nodes with an edge into this one."""
        return [source for source, target in self.edges if target == name]

    def targets(self, name: str) -> list[str]:
        """Nodes with an edge from this one."""
        return [target for source, target in self.edges if source == name]

    def with_node(self, name: str, node: Node) -> "Graph":
        """The graph with a node put in the place of another of this name."""
        return replace(self, nodes={**self.nodes, name: node})


class Assumptions:
    """What a lenient reader assumes; a strict one raises instead."""

    def __init__(self, strict: bool):
        self.strict, self.notes = strict, list[str]()

    def take(self, problem: str, assumed: str) -> None:
        """Note an assumption.

        Raises:
            InputError: the reader is strict.
        """
        if self.strict:
            raise InputError(f"{problem} With strict=False (--lenient), {assumed}.")
        self.note(f"{problem} Assumed: {assumed}.")

    def note(self, sentence: str) -> None:
        """Tell something that is no error in either mode."""
        self.notes.append(sentence)
        warnings.warn(sentence, stacklevel=2)


def read_graph(source: Any, strict: bool = True, max_bytes: int = MAX_BYTES) -> Graph:
    """Read a NIR graph and check its structure.

    Args:
        source: path of a `.nir` file, a `nir.NIRGraph`, or a `Graph`, which is returned as it is.
        strict: raise where the file is incomplete or contradicts itself; otherwise assume what is likely, and warn.
        max_bytes: most bytes that the arrays of a file may declare.
    Raises:
        OSError: the file is missing or not readable.
        InputError: it is no NIR, damaged, or describes no graph; the error names the node.
    """
    if isinstance(source, Graph):
        return source
    assumptions = Assumptions(strict)
    if isinstance(source, str | Path):
        tree = read_tree(source, max_bytes)
        try:
            return _graph_of_file(tree, assumptions)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
    if not hasattr(source, "to_dict"):
        raise InputError(f"graph: expected the path of a .nir file or a nir.NIRGraph, got {type(source).__name__}. Pass one of these.")
    return _graph(source.to_dict(), assumptions)


def _graph_of_file(tree: dict[str, Any], assumptions: Assumptions) -> Graph:
    if not isinstance(tree.get("node"), dict):
        raise InputError(
            "expected a NIR graph, but the file has no group 'node'. Is it other HDF5? A .net file of lava-dl is read by from_netx."
        )
    version = str(tree.get("version", "none"))
    if version.partition(".")[0] not in ("0", "1"):
        assumptions.note(f"version: expected 0 or 1, got {version}; read as version 1.")
    return _graph(tree["node"], assumptions)


def _graph(tree: Mapping[str, Any], assumptions: Assumptions) -> Graph:
    nodes, edges = _flat(tree, "", assumptions)
    graph = Graph(nodes, tuple(edges), dict(metadata) if isinstance(metadata := tree.get("metadata"), Mapping) else {})
    graph = _without_isolated(graph, assumptions)
    for kind in ENDS:
        if not graph.of_type(kind):
            raise InputError(f"graph: expected a node of type {kind}, got none. Add one.")
    return replace(graph, notes=tuple(assumptions.notes))


def _flat(tree: Mapping[str, Any], prefix: str, assumptions: Assumptions) -> tuple[dict[str, Node], list[Edge]]:
    """Nodes and edges of a graph and of its subgraphs, whose own inputs and outputs are nodes of type Entry and Exit."""
    for part in ("nodes", "edges"):
        if part not in tree:
            raise InputError(f"graph{f' {prefix[:-1]!r}' if prefix else ''}: expected '{part}', which is missing. Write the graph again.")
    if not isinstance(tree["nodes"], Mapping):
        raise InputError(f"graph{f' {prefix[:-1]!r}' if prefix else ''}: expected nodes by name, got {type(tree['nodes']).__name__}.")
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    starts: dict[str, str] = {}
    ends: dict[str, str] = {}
    for name, described in tree["nodes"].items():
        if not isinstance(described, Mapping):
            raise InputError(f"node '{prefix}{name}': expected a group with a type, got {type(described).__name__}. Write the graph again.")
        if text(described.get("type")) == "NIRGraph":
            inner, inner_edges = _flat(described, f"{prefix}{name}.", assumptions)
            inner, starts[name], ends[name] = _with_ends(inner, f"{prefix}{name}.")
            nodes |= inner
            edges += inner_edges
        else:
            nodes[prefix + name] = parse_node(prefix + name, described)
    for source, target in _edges(tree["edges"], prefix, list(tree["nodes"]), assumptions):
        edges.append((ends.get(source, prefix + source), starts.get(target, prefix + target)))
    return nodes, edges


def _with_ends(inner: dict[str, Node], prefix: str) -> tuple[dict[str, Node], str, str]:
    """The nodes of a subgraph with its own Input and Output marked, and their names."""
    found = []
    for kind, mark in _MARKS.items():
        names = [name for name, node in inner.items() if node.type == kind]
        if len(names) != 1:
            raise InputError(f"subgraph '{prefix[:-1]}': expected one node of type {kind}, got {len(names)}. Write it flat.")
        inner = {**inner, names[0]: replace(inner[names[0]], type=mark)}
        found.append(names[0])
    return inner, found[0], found[1]


def without_passages(graph: Graph) -> Graph:
    """The graph without the Entry and Exit nodes of what were subgraphs; their edges are joined."""
    edges = list(graph.edges)
    for name in graph.of_type(*_MARKS.values()):
        before = [source for source, target in edges if target == name]
        after = [target for source, target in edges if source == name]
        edges = [edge for edge in edges if name not in edge] + [(source, target) for source in before for target in after]
    nodes = {name: node for name, node in graph.nodes.items() if node.type not in _MARKS.values()}
    return replace(graph, nodes=nodes, edges=tuple(edges))


def _edges(given: Any, prefix: str, names: list[str], assumptions: Assumptions) -> list[Edge]:
    """The edges of one graph, with both ends checked."""
    pairs = [tuple(map(text, edge)) for edge in given] if _are_pairs(given) else []
    if len(pairs) < (len(given) if hasattr(given, "__len__") else 1):
        raise InputError(
            f"graph{f' {prefix[:-1]!r}' if prefix else ''}: expected edges as pairs of names, got others. Write the graph again."
        )
    edges = [(pair[0], pair[1]) for pair in pairs]
    if twice := [edge for edge, count in Counter(edges).items() if count > 1]:
        source, target = twice[0]
        raise InputError(f"edge '{prefix}{source}' -> '{prefix}{target}': expected it once, got it twice. Use a Scale for twice the input.")
    unknown = {name for edge in edges for name in edge} - set(names)
    unused = set(names) - {name for edge in edges for name in edge}
    if len(unknown) == len(unused) == 1:
        (wrong,), (right,) = unknown, unused
        problem = f"edges of '{prefix}{wrong}': expected a node of this name in the graph, which has none."
        assumptions.take(problem, f"the node '{prefix}{right}' is meant, to which no edge leads")
        return [(right if source == wrong else source, right if target == wrong else target) for source, target in edges]
    for source, target in edges:
        for end in (source, target):
            if end in unknown:
                problem = f"edge '{prefix}{source}' -> '{prefix}{target}': expected a node '{prefix}{end}', which the graph has not."
                assumptions.take(problem, "the edge is dropped")
    return [edge for edge in edges if unknown.isdisjoint(edge)]


def _are_pairs(given: Any) -> bool:
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        return False
    return all(hasattr(edge, "__len__") and not isinstance(edge, str | bytes) and len(edge) == 2 for edge in given)


def _without_isolated(graph: Graph, assumptions: Assumptions) -> Graph:
    linked = {name for edge in graph.edges for name in edge}
    for name in graph.nodes.keys() - linked:
        assumptions.note(f"node '{name}': no edge leads to it or from it; dropped.")
    return replace(graph, nodes={name: node for name, node in graph.nodes.items() if name in linked})
