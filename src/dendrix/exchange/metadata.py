"""Metadata that dendrix adds to a graph: how to read it, and the trainable network.

Other readers do not need them: the graph alone gives the same spikes.
"""

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..models.description import build_network, cast_like, describe_network
from .graph import Graph

KEY, SCHEMA = "dendrix", 1


def with_metadata(graph: Graph, network: nn.Module | None, facts: Mapping[str, Any]) -> Graph:
    """The graph with facts about it, and the network that it was made of.

    Args:
        graph: the plain graph.
        network: what an import restores; None: nothing.
        facts: numbers, words, lists and dicts of these.
    """
    told: dict[str, Any] = {"schema": SCHEMA, "digest": digest(graph), "facts": json.dumps(facts)}
    if network is not None:
        told["network"] = json.dumps(describe_network(network))
        told["tensors"] = {name: _plain(tensor.detach().cpu().numpy()) for name, tensor in network.state_dict().items()}
    return dataclasses.replace(graph, metadata={**graph.metadata, KEY: told})


def facts_of(graph: Graph) -> dict[str, Any]:
    """The facts in the metadata; empty for a graph of another library.

    Raises:
        InputError: they are damaged.
    """
    told = graph.metadata.get(KEY)
    if not isinstance(told, Mapping):
        return {}
    try:
        found = json.loads(_word(told.get("facts", "{}")))
    except ValueError as error:
        raise InputError(f"metadata: expected facts as JSON, but they cannot be read ({error}). Remove the metadata.") from error
    return found if isinstance(found, dict) else {}


def restored(graph: Graph) -> nn.Module | None:
    """The network that was exported, if the graph is still that of the export.

    Raises:
        InputError: its description is damaged.
    """
    told = graph.metadata.get(KEY)
    if not isinstance(told, Mapping) or "network" not in told:
        return None
    if _word(told.get("digest", "")) != digest(graph):
        warnings.warn("metadata: the graph was edited after its export, so the network in the metadata is left aside.", stacklevel=2)
        return None
    try:
        network: nn.Module = build_network(json.loads(_word(told["network"])))
        tensors = {name: torch.as_tensor(np.asarray(value)) for name, value in told["tensors"].items()}
        cast_like(network, tensors).load_state_dict(tensors)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"metadata: expected the network that was exported, but {' '.join(str(error).split())}. Remove the metadata."
        ) from error
    return network.eval()


def _plain(array: Any) -> Any:
    """An array, or the number in one without axes, which the nir package cannot compress."""
    return array if array.ndim else array.item()


def digest(graph: Graph) -> str:
    """A fingerprint of nodes, parameters and edges."""
    found = hashlib.sha256()
    for name, node in sorted(graph.nodes.items()):
        found.update(f"{name}\0{node.type}\0".encode())
        for param, value in sorted(node.params.items()):
            array = np.asarray(value)
            text = f"{param}\0{value}" if array.dtype.kind in "US" else f"{param}\0{list(array.shape)}"
            found.update(text.encode())
            found.update(b"" if array.dtype.kind in "US" else np.ascontiguousarray(array, np.float64).tobytes())
    for edge in sorted(graph.edges):
        found.update("\0".join(edge).encode())
    return found.hexdigest()


def _word(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
