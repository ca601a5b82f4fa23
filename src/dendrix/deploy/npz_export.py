"""Export of a network as numpy arrays, for other runtimes: every integer by name, and the description that says how they are used."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from ..data import encoder_to_dict
from ..data.speech.integer_base import Ints
from . import reference
from .answering import Answering, rule_bounds
from .deployed import Deployed
from .export_folder import File, shipped, write_export
from .front_end import Place, structure
from .image_deployed import DeployedImage
from .layout import PARAMETERS
from .notes import npz_readme
from .vectors import Vector, vectors


def export_npz(deployed: Deployed | DeployedImage, folder: str | Path, clips: Sequence[Ints]) -> None:
    """Write a network as `network.npz`, `network.json`, test vectors `vectors.npz`, `README.md` with the equations, and `LICENSE`.

    Args:
        deployed: the network.
        folder: a new folder.
        clips: inputs of the test vectors, as in `export_c`.
    Raises:
        FileExistsError: the folder exists.
        InputError: there are no clips, or a number does not fit into 16 bits.
    """
    write_export(folder, npz_files(deployed, vectors(deployed, clips)))


@singledispatch
def npz_files(deployed: Answering, found: Sequence[Vector]) -> Iterator[File]:
    """Names and contents of the files."""
    raise NotImplementedError(f"{type(deployed).__name__} has no such export. Register its files.")


@npz_files.register
def _files(deployed: Deployed, found: Sequence[Vector]) -> Iterator[File]:
    yield "network.npz", npz(arrays(deployed))
    yield "network.json", json.dumps(_description(deployed), indent=2) + "\n"
    yield "vectors.npz", npz(vector_arrays(found))
    yield "README.md", npz_readme(deployed, reference.__doc__ or "")
    yield "LICENSE", shipped("c/LICENSE")


def arrays(deployed: Deployed) -> dict[str, Any]:
    """All integers of a network by name: those of layer 0 begin with `layer0_`, those of the front end with `mel_` or `cochlea_`."""
    found: dict[str, Any] = {}
    for number, layer in enumerate(deployed.network.layers()):
        names = ("weight", "delay", "feedback_weight", "feedback_delay", *PARAMETERS)
        found |= {f"layer{number}_{name}": value for name in names if (value := getattr(layer, name)) is not None}
    if deployed.encoder is not None:
        name, _ = structure(deployed.encoder, Place())
        found |= {f"{name}_{table}": np.asarray(value) for table, value in deployed.encoder.tables()._asdict().items()}
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
        "encoder": None if deployed.encoder is None else encoder_to_dict(deployed.encoder),
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
