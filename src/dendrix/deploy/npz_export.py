"""Export of a network as numpy arrays, for other runtimes: every integer by name, and the description that says how they are used."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..data.speech.integer_mel import Ints
from ..run_folder.record import new_folder
from . import reference
from .c_export import template
from .deployed import Deployed, rule_bounds
from .layout import PARAMETERS
from .notes import npz_readme
from .vectors import vectors


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
    found = vectors(deployed, clips)
    kept: dict[str, Any] = {}
    for number, one in enumerate(found):
        kept |= {f"values_{number}": one.values.astype(np.int16), f"totals_{number}": one.totals, f"answer_{number}": np.array(one.answer)}
    with new_folder(Path(folder)) as work:
        (work / "network.npz").write_bytes(_npz(arrays(deployed)))
        (work / "network.json").write_text(json.dumps(_description(deployed), indent=2) + "\n")
        (work / "vectors.npz").write_bytes(_npz(kept))
        (work / "README.md").write_text(npz_readme(deployed, reference.__doc__ or ""))
        (work / "LICENSE").write_text(template("LICENSE"))


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


def _npz(found: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **found)
    return buffer.getvalue()
