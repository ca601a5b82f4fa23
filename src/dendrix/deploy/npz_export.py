"""Export of a network as numpy arrays, for other runtimes: every integer by name, and the description that says how they are used."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..data.speech.integer_mel import Ints
from . import reference
from .answering import rule_bounds
from .deployed import Deployed
from .export_folder import File, shipped, write_export
from .layout import PARAMETERS
from .notes import npz_readme
from .vectors import Vector, vectors


def export_npz(deployed: Deployed, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network as `network.npz`, `network.json`, test vectors `vectors.npz`, `README.md` with the equations, and `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, as in `export_c`.
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    write_export(folder, _files(deployed, vectors(deployed, clips)))


def _files(deployed: Deployed, found: Sequence[Vector]) -> Iterator[File]:
    yield "network.npz", npz(arrays(deployed))
    yield "network.json", json.dumps(_description(deployed), indent=2) + "\n"
    yield "vectors.npz", npz(vector_arrays(found))
    yield "README.md", npz_readme(deployed, reference.__doc__ or "")
    yield "LICENSE", shipped("c/LICENSE")


def arrays(deployed: Deployed) -> dict[str, Any]:
    """All integers of a network by name: those of layer 0 begin with `layer0_`, those of the front end with `mel_`."""
    found: dict[str, Any] = {}
    for number, layer in enumerate(deployed.network.layers()):
        names = ("weight", "delay", "feedback_weight", "feedback_delay", *PARAMETERS)
        found |= {f"layer{number}_{name}": value for name in names if (value := getattr(layer, name)) is not None}
    if deployed.encoder is not None:
        found |= {f"mel_{name}": np.asarray(value) for name, value in deployed.encoder.tables()._asdict().items()}
    return found


def _description(deployed: Deployed) -> dict[str, Any]:
    network, rule = deployed.network, deployed.rule
    return {
        "layers": [asdict(form) for form in network.forms],
        "inputs": asdict(network.inputs),
        "unit": network.unit,
        "labels": list(deployed.labels),
        "accumulation": deployed.decision.accumulation,
        "tail_steps": deployed.tail,
        "dt_ms": deployed.dt_ms,
        "encoder": None if deployed.encoder is None else asdict(deployed.encoder),
        "rule": None if rule is None else {"name": type(rule).__name__, "bounds": rule_bounds(rule), "min_steps": rule.min_steps},
        "probability_constant": deployed.probability.constant,
        "abstain": deployed.abstained,
    }


def vector_arrays(found: Sequence[Vector]) -> dict[str, Any]:
    """Test vectors by name: `values_0`, `totals_0` and `answer_0` of the first one."""
    kept: dict[str, Any] = {}
    for number, one in enumerate(found):
        kept |= {f"values_{number}": one.values.astype(np.int16), f"totals_{number}": one.totals, f"answer_{number}": np.array(one.answer)}
    return kept


def npz(found: dict[str, Any]) -> bytes:
    """Arrays as the content of a compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **found)
    return buffer.getvalue()
