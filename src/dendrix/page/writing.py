"""Files of the room Write: the integer language model, and what its parts are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.text.tokenizers import is_bytes
from ..deploy import DeployedText, IntegerSpikeGPT, quantise_text
from ..deploy.export_folder import File
from ..deploy.text_export import text_image
from ..deploy.text_layout import FIELDS, STATES, TIME
from ..energy import Costs, measure
from ..errors import InputTypeError
from ..models.spikegpt.hf_files import load_network
from ..models.spikegpt.network import SpikeGPT
from ..pretrained import find_run
from ..pretrained.catalogue import is_shipped
from ..runs.text_deployment import DeployTextRun, prepare_text_run
from ..samples import find_sample

_SAMPLE = "harbour.txt"
_MEASURED = 256
"""Bytes of the sample on which the kinds of inputs are found."""


def write_files(run: str | Path) -> Iterator[File]:
    """Yield the files of the room.

    Args:
        run: a SpikeGPT of bytes: its run, or the name of a shipped one.
    Raises:
        OSError: the run or its data are missing or not readable.
        InputTypeError: it is no SpikeGPT of bytes.
    """
    folder = find_run(run)
    deployed = deployed_text(folder)
    yield "write.bin", text_image(deployed)
    yield "write.json", json.dumps(_description(folder, deployed))


def deployed_text(folder: Path) -> DeployedText:
    """The integer form of a language model. A shipped one is calibrated on the shipped sample, others on their training text."""
    network = _network_of_bytes(folder)
    if is_shipped(folder):
        return DeployedText(quantise_text(network, [_sample()]))
    return prepare_text_run(DeployTextRun(folder)).deployed


def _network_of_bytes(folder: Path) -> SpikeGPT:
    network, tokenizer = load_network(folder)
    if not isinstance(network, SpikeGPT):
        raise InputTypeError(f"{folder}: expected a SpikeGPT, got {type(network).__name__}, which has no integer form. Choose another run.")
    if not is_bytes(tokenizer):
        raise InputTypeError(f"{folder}: expected a language model of bytes, got one with another tokenizer. Train one: spikegpt-small.")
    return network


def _sample() -> Tensor:
    return torch.tensor(list(find_sample(_SAMPLE).read_bytes())).unsqueeze(0)


def _description(folder: Path, deployed: DeployedText) -> dict[str, Any]:
    network, costs = deployed.network, Costs()
    return {
        "network": folder.name,
        "shipped": is_shipped(folder),
        "layers": network.config.layers,
        "width": network.config.width,
        "neurons": sum(part["size"] for part in state_parts(network) if part["part"] in ("before", "inside", "after")),
        "memory_bytes": deployed.memory_bytes,
        "state_bytes": 4 * network.plan.memory,
        "products": products(network),
        "state": state_parts(network),
        "mac_pj": costs.mac_pj,
        "ac_pj": costs.ac_pj,
        "prompt": "It was a dark night, and ",
    }


def products(network: IntegerSpikeGPT) -> list[dict[str, Any]]:
    """The matrix products of one byte in the order in which they are computed, with the kind of their inputs as the energy model has it."""
    found = measure(network, [_sample()[:, :_MEASURED]]).layers
    shapes, names = [], []
    for half, row in enumerate(network.plan.rows.tolist()):
        time, d = row[0] == TIME, network.config.width
        wide = d if time else 4 * d
        part = f"Block {half // 2 + 1}, {'time' if time else 'channel'} mix"
        own = [("key", d, wide), ("receptance", d, d), ("value", wide if not time else d, d), *([("output", d, d)] if time else [])]
        shapes += [(inputs, outputs) for _, inputs, outputs in own]
        names += [f"{part}: {name}" for name, _, _ in own]
    shapes.append((network.config.width, network.config.vocab_size))
    return [
        {"name": name, "inputs": inputs, "outputs": outputs, "kind": layer.kind}
        for name, (inputs, outputs), layer in zip([*names, "Head"], shapes, found, strict=True)
    ]


_TITLES = {
    "shift": "last input", "before": "membranes before", "inside": "membranes inside", "after": "membranes",
    "average": "running average", "total": "its weight",
}  # fmt: skip


def state_parts(network: IntegerSpikeGPT) -> list[dict[str, Any]]:
    """Parts of the state of a text: name, place and size."""
    found = []
    for half, row in enumerate(network.plan.rows.tolist()):
        values = dict(zip(FIELDS, row, strict=True))
        for name in STATES:
            if (at := values[f"{name}_at"]) >= 0:
                title = f"Block {half // 2 + 1}, {'time' if values['kind'] == TIME else 'channel'} mix: {_TITLES[name]}"
                found.append({"name": title, "part": name, "at": at})
    ends = [part["at"] for part in found[1:]] + [network.plan.memory]
    return [{**part, "size": end - part["at"]} for part, end in zip(found, ends, strict=True)]
