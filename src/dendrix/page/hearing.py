"""Files of the room Hear: integer delay networks with their front ends and exit rules, and recordings for them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data import IntegerEncoder, encoder_from_dict, integer_encoder
from ..data.speech.audio import read_sound, resample
from ..data.speech.integer_base import Ints
from ..data.speech.integer_base import samples as whole_samples
from ..deploy import Deployed, IntegerNetwork, exit_rule, quantise
from ..deploy.export_folder import File
from ..deploy.image import image
from ..errors import InputTypeError
from ..pretrained import find_run
from ..pretrained.catalogue import is_shipped, titles
from ..run_folder.checkpoint import Checkpoint, load_checkpoint
from ..runs.opened import open_run
from ..runs.sample_data import sample_data
from ..samples import find_sample, samples
from .seeing import THRESHOLDS, policy_of

SHIPPED = ("fsdd", "commands")
"""Shipped networks of the room."""
_RECORDINGS = 10
"""Recordings of each network."""


def hear_files(run: str | Path) -> Iterator[File]:
    """Yield the files of the room: the description, and tables and recordings of each network.

    Args:
        run: a delay network of sound: its run, or the name of a shipped one, which brings the other shipped one with it.
    Raises:
        InputTypeError: it is no delay network of sound.
    """
    folders = [find_run(run), *(find_run(name) for name in SHIPPED if is_shipped(find_run(run)) and name != str(run))]
    about = []
    for number, folder in enumerate(folders):
        name = "hear" if not number else f"hear-{folder.name}"
        checkpoint = load_checkpoint(folder)
        deployed = deployed_sound(folder, checkpoint)
        sounds = recordings(folder, deployed.encoder.rate if deployed.encoder else 0)
        about.append(_description(folder, deployed) | {"tables": f"models/{name}.bin", "recordings": f"models/{name}-samples.bin"})
        about[-1]["samples"] = [{"name": key, "length": len(sound)} for key, sound in sounds.items()]
        yield f"{name}.bin", image(deployed)
        yield f"{name}-samples.bin", b"".join(sound.astype("<i2").tobytes() for sound in sounds.values())
    yield "hear.json", json.dumps({"networks": about})


def deployed_sound(folder: Path, checkpoint: Checkpoint) -> Deployed:
    """The integer network with the rule of its policy, or with the default threshold if there is none.

    Raises:
        InputTypeError: it is no delay network of sound.
    """
    network: Any = checkpoint.model
    if checkpoint.encoder is None:
        kind = type(network).__name__
        raise InputTypeError(
            f"{folder}: expected a network of sound, got {kind} of other data. Choose a run that was trained on recordings."
        )
    if not isinstance(network, IntegerNetwork):
        shipped = is_shipped(folder) and samples(folder.name)
        inputs = sample_data(checkpoint, folder).batches() if shipped else open_run(folder, "train").sample(512)
        network = quantise(network, inputs)
    encoder = encoder_from_dict(checkpoint.encoder)
    whole = encoder if isinstance(encoder, IntegerEncoder) else integer_encoder(encoder, network.inputs.shift)
    policy = policy_of(folder, network)
    rule: Any = replace(exit_rule(network, checkpoint.decision), threshold=0.95) if policy is None else policy.rule
    return Deployed(network, checkpoint.labels, checkpoint.decision, whole, whole.dt_ms, rule)


def recordings(folder: Path, rate: int, most: int = _RECORDINGS) -> dict[str, Ints]:
    """Some samples of a shipped network as 16-bit samples by name; those of the digits for other networks."""
    names = samples(folder.name if is_shipped(folder) else SHIPPED[0])
    chosen = names[:: max(len(names) // most, 1)][:most]
    return {Path(name).stem: whole_samples(resample(*read_sound(find_sample(name)), rate)) for name in chosen}


def _description(folder: Path, deployed: Deployed) -> dict[str, Any]:
    network, rule = deployed.network, exit_rule(deployed.network, deployed.decision)
    policy, chosen = policy_of(folder, network), deployed.rule
    threshold: Any = getattr(chosen, "threshold", None)
    return {
        "network": folder.name,
        "title": titles().get(folder.name, "") if is_shipped(folder) else "",
        "unit": network.unit,
        "mean": deployed.decision.accumulation == "mean",
        "threshold": threshold,
        "certified": None if policy is None else {"statement": policy.statement, "mean_steps": policy.mean_steps},
        "thresholds": [
            {"threshold": value, "bound": str(replace(rule, threshold=value).bounds()[0])} for value in sorted({*THRESHOLDS, threshold})
        ],
    }
