"""Size and time of the NIR forms of a delay layer."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..exchange import from_nir, to_nir
from ..layers import DelayLinear

CHANNELS, LONGEST_MS, DT_MS = 128, 250.0, 10.0
"""26 lags: 0 to 25 steps."""
_FORMS = (("axonal", "lag-rows"), ("dendritic", "lag-rows"), ("synaptic", "lag-rows"), ("synaptic", "branches"), ("synaptic", "synapses"))
_STEPS, _ROUNDS = 60, 3


def measured() -> list[dict[str, Any]]:
    """Every form: nodes, values, bytes of the file with and without the layer in its metadata, and the times of export and of 60 steps."""
    found = []
    for granularity, construction in _FORMS:
        torch.manual_seed(0)
        layer = DelayLinear(CHANNELS, CHANNELS, LONGEST_MS, DT_MS, granularity=granularity, train_delays=False)  # type: ignore[arg-type]
        with torch.no_grad():
            layer.weight.copy_((layer.weight * 64).round() / 64)  # so that sums are exact in every order
        x = (torch.rand(1, _STEPS, CHANNELS) < 0.1).float()
        with TemporaryDirectory() as place:
            path = Path(place) / "layer.nir"
            sizes = {}
            for compact in (True, False):
                begun = time.perf_counter()
                graph = to_nir(layer, path, compact=compact, construction=construction)  # type: ignore[arg-type]
                seconds = time.perf_counter() - begun
                sizes[compact] = path.stat().st_size
            network, times = from_nir(path), []
            for _ in range(_ROUNDS):
                begun = time.perf_counter()
                with torch.no_grad():
                    y, _ = network(x)
                times.append(time.perf_counter() - begun)
        arrays = [value for node in graph.nodes.values() for value in node.params.values() if hasattr(value, "size")]
        found.append({
            "granularity": granularity, "construction": construction if granularity == "synaptic" else "", "nodes": len(graph.nodes),
            "edges": len(graph.edges), "values": sum(array.size for array in arrays),
            "bytes": sizes[False], "bytes_with_metadata": sizes[True], "export_s": seconds, "steps_s": min(times),
            "equal": torch.equal(y, layer(x)[0]),
        })  # fmt: skip
    return found
