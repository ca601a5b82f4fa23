"""Export of a finished run: quantisation on its training data, an exit rule certified on the integer network, and a comparison."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..core import expect_fields
from ..core.files import write_json
from ..core.trust import Trust
from ..data import IntegerEncoder, encoder_from_dict, encoder_to_dict, integer_encoder
from ..data.base import evenly
from ..deploy import (
    Deployed,
    DeployedImage,
    ImageReport,
    IntegerImageNetwork,
    IntegerNetwork,
    Report,
    exit_rule,
    export_arduino,
    export_c,
    export_npz,
    export_wasm,
    finetune,
    image_report,
    margin_rule,
    quantise,
    report,
)
from ..errors import InputError
from ..exits import ExitRecord, ExitRule, Goal, Policy, fingerprint, fit, record_outputs
from ..models import StillImageNetwork
from ..run_folder.checkpoint import Checkpoint, write_checkpoint
from ..run_folder.record import RUN, environment, expect_new, new_folder, read_record
from .opened import OpenedRun, open_run, source_of
from .viewing import EVIDENCE

Target = Literal["c", "wasm", "arduino", "npz", "run"]
RuleName = Literal["max-probability", "margin"]

RULES: dict[RuleName, Callable[..., ExitRule]] = {"max-probability": exit_rule, "margin": margin_rule}
"""Exit rules that can be fitted to an integer network, by their names."""

EXPORTS: dict[Target, Callable[..., None]] = {"c": export_c, "wasm": export_wasm, "arduino": export_arduino, "npz": export_npz}
"""Exports by the name of their target; "run" is a folder of dendrix itself."""

_CALIBRATION = 512
"""Training inputs that choose the scale of the input."""

_COUNTED = 32
"""Validation inputs on which operations are counted."""


@dataclass(frozen=True)
class DeployRun:
    """How to deploy a run."""

    run: Path
    """The run, or the name of a network that comes with dendrix; of a float network or of one in whole numbers."""
    weights: int = 8
    """Bits of a weight, 2 to 8."""
    finetune: int = 0
    """Epochs of fine-tuning with rounded weights on the training data."""
    goal: Goal | None = None
    """Fit an exit rule to the validation data of the integer network for this goal."""
    rule: RuleName = "max-probability"
    """The rule to fit."""
    policy: Path | None = None
    """An exit policy that was fitted to this integer network."""
    abstain: float = 0.0
    """Probability below which there is no answer."""
    clips: int = 10
    """Validation inputs that become test vectors."""
    root: Path | None = None
    """The data folder, if it has moved."""
    trust: Trust = None
    """The package or file of classes that are not of dendrix or torch."""

    def __post_init__(self) -> None:
        expect_fields(
            self, whole=("weights", "clips", "finetune"), weights="[2, 8]", finetune="[0, inf)", clips="[1, 10000]", abstain="[0, 1]"
        )
        if self.goal is not None and self.policy is not None:
            raise InputError("policy: expected a policy or a goal to fit one for, got both. Leave one out.")


@dataclass(frozen=True)
class Comparison:
    """The integer network beside the float network, on validation data."""

    inputs: int
    agreement: float
    """Share of inputs with the same answer at their end."""
    accuracy: float
    float_accuracy: float
    weight_bits: int
    policy: dict[str, Any] | None = None
    """Mean steps, statement and rule of the exit policy."""


@dataclass(frozen=True)
class Ready:
    """A network that is ready for export, and what it was compared on."""

    deployed: Deployed | DeployedImage
    comparison: Comparison
    clips: list[Any]
    """Inputs of the test vectors, in 16 bits, int64 [N] each."""
    policy: Policy | None
    opened: OpenedRun
    costs: Report | ImageReport
    """Operations are counted on validation data."""


def prepare_run(asked: DeployRun) -> Ready:
    """Quantise the network of a run, fit its exit rule and compare it with the float network.

    Args:
        asked: what to deploy and how.
    Raises:
        OSError: the run or its data are missing or not readable.
        InputError: a part of the network, of its encoder or of its decision has no integer form; a policy is of another network.
        NoCertificateError: the guarantee cannot be given on so few inputs.
    """
    opened = open_run(asked.run, "valid", root=asked.root, trust=asked.trust)
    if isinstance(opened.network, StillImageNetwork):
        return _prepared_images(asked, opened)
    checkpoint = opened.checkpoint
    whole = isinstance(opened.network, IntegerNetwork)
    network: Any = opened.network if whole else _quantised(asked, opened)
    encoder = _encoder(checkpoint, network)
    inputs = opened if encoder is None or whole else _encoded(opened, encoder, asked)
    inputs = replace(inputs, checkpoint=replace(checkpoint, model=network))
    record = record_outputs(network, inputs.batches(), checkpoint.decision.accumulation, opened.dt_ms)
    policy = _policy(asked, network, checkpoint, record)
    rule = None if policy is None else policy.rule
    deployed = Deployed(network, _labels(checkpoint, inputs), checkpoint.decision, encoder, opened.dt_ms or 1.0, rule, asked.abstain)
    comparison = _comparison(opened, record, network.weight_bits, policy)
    return Ready(deployed, comparison, _clips(asked, opened, deployed), policy, opened, report(deployed, _frames(inputs, network)))


def _prepared_images(asked: DeployRun, opened: OpenedRun) -> Ready:
    """As `prepare_run`, for a converted image network or one in whole numbers."""
    if asked.finetune:
        raise InputError(f"finetune: expected 0 for an image network, got {asked.finetune}. Train the original for longer.")
    checkpoint: Any = replace(opened.checkpoint, decision=replace(opened.checkpoint.decision, accumulation=EVIDENCE))
    network: Any = opened.network
    if not isinstance(network, IntegerImageNetwork):
        network = quantise(network, weights=asked.weights)
    inputs = replace(opened, checkpoint=replace(checkpoint, model=network))
    record = record_outputs(network, inputs.batches(), EVIDENCE)
    policy = _policy(asked, network, checkpoint, record)
    # Exit rules take a sum, whose lead grows over time; without a rule the confidence is that of the run.
    decision, rule = (opened.checkpoint.decision, None) if policy is None else (checkpoint.decision, policy.rule)
    deployed = DeployedImage(network, _labels(checkpoint, inputs), decision, rule, asked.abstain)
    images = [pixels.ravel() for pixels in network.bytes_of(_images(opened, max(asked.clips, _COUNTED)))]
    comparison = _comparison(replace(opened, checkpoint=checkpoint), record, network.weight_bits, policy)
    return Ready(deployed, comparison, images[: asked.clips], policy, opened, image_report(deployed, images[:_COUNTED]))


def _images(opened: OpenedRun, count: int) -> Tensor:
    """Some validation images, [N, C, H, W]."""
    chosen = opened.data.subset(evenly(len(opened.data), min(count, len(opened.data))))
    return torch.cat([batch.x for batch in chosen.batches()])


def _comparison(opened: OpenedRun, record: ExitRecord, weight_bits: int, policy: Policy | None) -> Comparison:
    """The record of an integer network beside the network of the run, if that is a float one."""
    found = _last(record)
    if isinstance(opened.network, IntegerNetwork | IntegerImageNetwork):
        expected = found
    else:
        expected = _last(record_outputs(opened.network, opened.batches(), opened.checkpoint.decision.accumulation, opened.dt_ms))
    return Comparison(
        inputs=len(record),
        agreement=float((found == expected).double().mean()),
        accuracy=float((found == record.truth).double().mean()),
        float_accuracy=float((expected == record.truth).double().mean()),
        weight_bits=weight_bits,
        policy=None if policy is None else {"mean_steps": policy.mean_steps, "statement": policy.statement, "rule": repr(policy.rule)},
    )


def export_run(asked: DeployRun, to: Target, folder: Path) -> Ready:
    """Deploy a run into a new folder; returns what was exported.

    Args:
        asked: what to deploy and how.
        to: the target.
        folder: a new folder.
    Raises:
        FileExistsError: the folder exists.
        OSError, InputError, NoCertificateError: see `prepare_run`.
    """
    expect_new(folder)
    return write_export(prepare_run(asked), to, folder)


def write_export(ready: Ready, to: Target, folder: Path) -> Ready:
    """Write what `prepare_run` prepared into a new folder."""
    if to == "run":
        _write_run(ready, folder)
    elif to == "arduino" and isinstance(ready.deployed, DeployedImage):
        raise InputError("to: expected c, wasm, npz or run for an image network, got arduino. Copy the files of --to c into a library.")
    else:
        EXPORTS[to](ready.deployed, folder, ready.clips)
    if ready.policy is not None:
        try:
            ready.policy.save(folder / "policy.json")
        except BaseException:  # nothing half-written
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return ready


def _quantised(asked: DeployRun, opened: OpenedRun) -> IntegerNetwork:
    """The integer network of a float one, on its training data."""
    training = open_run(asked.run, "train", root=asked.root, trust=asked.trust)
    network = opened.network
    if asked.finetune:
        decision = opened.checkpoint.decision
        network = finetune(network, training.batches, weights=asked.weights, epochs=asked.finetune, decision=decision)
    return quantise(network, training.sample(_CALIBRATION), weights=asked.weights)


def _encoder(checkpoint: Checkpoint, network: IntegerNetwork) -> IntegerEncoder | None:
    if checkpoint.encoder is None:
        return None
    encoder = encoder_from_dict(checkpoint.encoder)
    return encoder if isinstance(encoder, IntegerEncoder) else integer_encoder(encoder, network.inputs.shift)


def _encoded(opened: OpenedRun, encoder: IntegerEncoder, asked: DeployRun) -> OpenedRun:
    """The same run with its validation data encoded by the integer front end."""
    source = source_of(opened.folder, asked.root, asked.trust)
    return replace(opened, data=replace(source, encoder=encoder).load().valid)


def _labels(checkpoint: Checkpoint, opened: OpenedRun) -> tuple[str, ...]:
    return checkpoint.labels or opened.data.labels


def _policy(asked: DeployRun, network: IntegerNetwork | IntegerImageNetwork, checkpoint: Checkpoint, record: ExitRecord) -> Policy | None:
    if asked.policy is not None:
        policy = Policy.load(asked.policy)
        policy.check_network(record.outputs.shape[2], record.accumulation, record.dt_ms, fingerprint(network))
        return policy
    return None if asked.goal is None else fit(record, RULES[asked.rule](network, checkpoint.decision), asked.goal)


def _last(record: ExitRecord) -> Tensor:
    """Answers at the ends of inputs, int64 [N]."""
    return record.answers()[:, -1]


def _frames(opened: OpenedRun, network: IntegerNetwork) -> Any:
    """Integer inputs of some validation data one after another, [T, C]."""
    return np.concatenate([network.inputs.whole(batch.x)[batch.mask].numpy() for batch in opened.sample(_COUNTED)])


def _clips(asked: DeployRun, opened: OpenedRun, deployed: Deployed) -> list[Any]:
    """Test vectors: validation inputs as frames; sounds are made of noise and tones, as a data set keeps none."""
    if deployed.encoder is not None:
        return sounds(deployed.encoder, asked.clips)
    chosen = opened.data.subset(evenly(len(opened.data), asked.clips))
    (batch,) = chosen.batches(asked.clips)
    whole = deployed.network.inputs.whole(batch.x)
    return [x[mask].numpy().ravel() for x, mask in zip(whole, batch.mask, strict=True)]


def sounds(encoder: IntegerEncoder, count: int) -> list[Any]:
    """Noise and tones of half a second or more, as 16-bit samples."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        time = np.arange(encoder.rate // 2 + int(rng.integers(0, encoder.rate // 4))) / encoder.rate
        swell = np.sin(np.pi * time / time[-1]) * 10 ** rng.uniform(-1.5, 0)
        tones = sum(np.sin(2 * np.pi * rng.uniform(50, encoder.rate / 2) * time * (1 + 0.2 * time)) for _ in range(4))
        wave = swell * (tones / 4 + 0.05 * rng.standard_normal(len(time)))
        found.append(np.clip(np.rint(wave * 32767), -32768, 32767).astype(np.int64))
    return found


def _write_run(ready: Ready, folder: Path) -> None:
    """A run folder with the integer network and encoder."""
    deployed, opened = ready.deployed, ready.opened
    encoder = None if isinstance(deployed, DeployedImage) or deployed.encoder is None else encoder_to_dict(deployed.encoder)
    record: dict[str, Any] = dict(read_record(opened.folder))
    recipe = record["recipe"]
    if encoder is not None:
        recipe = {**recipe, "data": {**recipe["data"], "encoder": encoder}}
    with new_folder(folder) as work:
        write_checkpoint(work, Checkpoint(deployed.network, deployed.labels, encoder, opened.checkpoint.decision, opened.checkpoint.shape))
        described = {"recipe": recipe, "deployment": asdict(ready.comparison), "environment": environment(torch.device("cpu"))}
        write_json(work / RUN, {"name": f"{record.get('name', opened.folder.name)}, in whole numbers", **described})


@dataclass(frozen=True)
class Budget:
    """Limits of an export."""

    flash: int | None = None
    """Bytes of flash, engine included."""
    ram: int | None = None
    """Bytes of RAM of a stream."""
    agreement: float = 0.99
    """Least share of validation inputs with the answer of the float network."""

    def excess(self, flash: int, ram: int) -> list[str]:
        """Bytes beyond the limits, in words."""
        sizes = ("flash", flash, self.flash), ("RAM", ram, self.ram)
        return [f"{name} {size:,} bytes, {size - most:,} too many" for name, size, most in sizes if most is not None and size > most]

    def missed(self, ready: Ready) -> list[str]:
        """What a network misses, and by how much."""
        found = self.excess(ready.costs.tables_bytes + ready.costs.engine_bytes, ready.costs.memory_bytes)
        if ready.comparison.agreement < self.agreement:
            found.append(f"agreement {ready.comparison.agreement:.2%}, {self.agreement - ready.comparison.agreement:.2%} too little")
        return found


_BITS = (8, 4)
"""Bits of a weight that the search tries, the best first. Fewer than 4 take as much flash as 4, since weight and delay share a byte."""


def fitting(asked: DeployRun, budget: Budget, folder: Path) -> Ready:
    """The network with the most bits that keeps a budget.

    Args:
        asked: what to deploy; its bits are the most that are tried.
        budget: the limits, compared on validation data.
        folder: where the export will go.
    Raises:
        FileExistsError: the folder exists.
        InputError: no network keeps the budget; says by how much each misses it.
    """
    expect_new(folder)
    tried = []
    for bits in [bits for bits in _BITS if bits <= asked.weights] or [asked.weights]:
        ready = prepare_run(replace(asked, weights=bits))
        if not (missed := budget.missed(ready)):
            return ready
        tried.append(f"{bits} bits: {', '.join(missed)}")
    raise InputError(f"budget: expected a network within it, got {'; '.join(tried)}. Raise the budget, or train a smaller network.")
