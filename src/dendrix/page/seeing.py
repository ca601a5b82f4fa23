"""Files of the room See: the integer image network, its exit rule, and errors of its layers against the original network."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.base import evenly
from ..deploy import DeployedImage, IntegerImageNetwork, IntegerNetwork, exit_rule, quantise
from ..deploy.export_folder import File
from ..deploy.image_binary import image_binary
from ..deploy.image_layout import Stage
from ..deploy.image_memory import image_memory
from ..errors import InputError, InputTypeError
from ..exits import Policy, fingerprint
from ..models import Converted, Decision
from ..pretrained import find_run
from ..pretrained.catalogue import is_shipped
from ..run_folder.checkpoint import Checkpoint, load_checkpoint
from ..runs.opened import open_run
from ..runs.pictures import read_pictures
from ..samples import find_sample, samples
from .originals import activations

POLICIES = Path(__file__).parent / "policies"
"""Exit policies of the integer forms of shipped networks."""
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999)
"""Probabilities at which the slider can stop the network."""
_PICTURES = 8
"""Validation images of a run that the page holds."""


def see_files(run: str | Path) -> Iterator[File]:
    """Yield the files of the room.

    Args:
        run: a converted image network: its run, or the name of a shipped one.
    Raises:
        InputTypeError: it is no converted image network.
    """
    folder = find_run(run)
    checkpoint = load_checkpoint(folder)
    deployed = deployed_images(folder, checkpoint)
    pictures = _pictures(folder, checkpoint)
    yield "see.bin", image_binary(deployed)
    yield "see.json", json.dumps(_description(folder, checkpoint, deployed, pictures))
    yield "see-samples.bin", b"".join(pixels.astype(np.uint8).tobytes() for pixels in pictures.values())


def deployed_images(folder: Path, checkpoint: Checkpoint) -> DeployedImage:
    """The integer network with the rule of its policy, or with the default threshold if there is none."""
    network = checkpoint.model
    if isinstance(network, Converted):
        network = quantise(network)
    if not isinstance(network, IntegerImageNetwork):
        kind = type(network).__name__
        raise InputTypeError(f"{folder}: expected a converted image network, got {kind}. Convert it first: dendrix convert {folder}.")
    decision = Decision("sum")  # in a sum, a lead grows with its duration
    policy = policy_of(folder, network)
    rule: Any = replace(exit_rule(network, decision), threshold=0.95) if policy is None else policy.rule
    return DeployedImage(network, checkpoint.labels, decision, rule)


def policy_of(folder: Path, network: IntegerNetwork | IntegerImageNetwork) -> Policy | None:
    """The certified policy of exactly this integer network, if there is one."""
    file = POLICIES / f"{folder.name}.json" if is_shipped(folder) else folder / "policy.json"
    if not file.exists():
        return None
    policy = Policy.load(file)
    return policy if policy.model == fingerprint(network) else None


def _weighed(folder: Path, network: IntegerImageNetwork) -> dict[str, Any]:
    """Mean steps and accuracy at each threshold, measured by `certify`; empty for other networks."""
    file = POLICIES / f"{folder.name}-thresholds.json"
    if is_shipped(folder) and file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        if found["model"] == fingerprint(network):
            return found
    return {"inputs": 0, "thresholds": {}}


def _pictures(folder: Path, checkpoint: Checkpoint) -> dict[str, NDArray[np.int64]]:
    """Bytes [H, W, C] of some pictures by name: validation images of a run, or the shipped drawings where its data are missing."""
    if not is_shipped(folder):
        with contextlib.suppress(OSError, InputError):
            data = open_run(folder, "valid").data
            batch = next(iter(data.subset(evenly(len(data), _PICTURES)).batches(_PICTURES)))
            names = [f"{checkpoint.labels[label]} ({number})" for number, label in enumerate(batch.y.tolist(), 1)]
            return dict(zip(names, _bytes(batch.x), strict=True))
    names = [Path(name).stem for name in samples("cifar10")]
    found = read_pictures(checkpoint, folder, [find_sample(f"{name}.png") for name in names]).x
    return dict(zip(names, _bytes(found), strict=True))


def _bytes(images: Tensor) -> NDArray[np.int64]:
    """Images [B, C, H, W], 0 to 1, as bytes [B, H, W, C]."""
    found: NDArray[np.int64] = np.floor(images.double().numpy() * 255 + 0.5).astype(np.int64).transpose(0, 2, 3, 1)
    return found


def _description(folder: Path, checkpoint: Checkpoint, deployed: DeployedImage, pictures: dict[str, NDArray[np.int64]]) -> dict[str, Any]:
    network, rule = deployed.network, exit_rule(deployed.network, deployed.decision)
    policy = policy_of(folder, network)
    places = image_memory(network).stages
    layers = [
        {"path": form.path, "shape": form.shape, "map_at": place.map}
        for form, place in zip(network.forms, places, strict=True)
        if form.fires
    ]
    chosen: Any = deployed.rule
    weighed = _weighed(folder, network)
    return {
        "network": folder.name,
        "shipped": is_shipped(folder),
        "labels": deployed.labels,
        "image": network.image,
        "steps": network.presented,
        "unit": network.unit,
        "layers": layers,
        "threshold": chosen.threshold,
        "certified": None if policy is None else {"statement": policy.statement, "mean_steps": policy.mean_steps},
        "thresholds": [
            {"threshold": value, "bound": str(replace(rule, threshold=value).bounds()[0]), **weighed["thresholds"].get(str(value), {})}
            for value in sorted({*THRESHOLDS, chosen.threshold})
        ],
        "weighed_inputs": weighed["inputs"],
        "samples": list(pictures),
        "errors": layer_errors(checkpoint.model, network, pictures),
    }


def layer_errors(network: Any, whole: IntegerImageNetwork, pictures: dict[str, NDArray[np.int64]]) -> dict[str, list[list[float]]]:
    """Error of every layer of neurons after every step, by picture: [layer][step].

    It is the norm of (mean output over time - activation of the original network), relative to that of the activation. Empty for a run of
    an integer network, which does not hold the original.
    """
    if not isinstance(network, Converted):
        return {}
    found = {}
    for name, pixels in pictures.items():
        image = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        expected = activations(network, image)
        spikes = _spikes(whole, pixels)
        found[name] = [
            [round(_relative(spikes[path][: t + 1].mean(0) * amplitude, activation), 5) for t in range(whole.presented)]
            for path, (activation, amplitude) in expected.items()
        ]
    return found


def _relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    size = float(np.linalg.norm(expected))
    return float(np.linalg.norm(found - expected)) / size if size else float(np.abs(found).max() > 0)


def _spikes(whole: IntegerImageNetwork, pixels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Spikes of each layer of neurons by path, [T, H, W, C]."""
    from ..deploy import image_reference

    stages: list[Stage] = whole.stages()
    memory = whole.init_state(1).memory.numpy().astype(np.int64)
    current = whole.currents(pixels[None])
    steps: list[list[NDArray[np.int64]]] = []
    for _ in range(whole.presented):
        maps, memory = image_reference.step(stages, whole.plan, current, memory)
        steps.append(maps[1:])
    return {form.path: np.stack([maps[number][0] for maps in steps]) for number, form in enumerate(whole.forms) if form.fires}
