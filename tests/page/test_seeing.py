"""Room See: decisions, exit steps and spikes of the engine equal the integer network in Python; errors are those of the original."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dendrix.deploy import DeployedImage, image_reference
from dendrix.layers import QCFS
from dendrix.models import VGG, Converted, ConvertedConfig, VGGConfig
from dendrix.page.originals import activations
from dendrix.page.seeing import THRESHOLDS, deployed_images
from dendrix.pretrained import find_run
from dendrix.run_folder import load_checkpoint
from support.browser import Visitor, needs_browser
from support.exports import NODE, needs_node

SCRIPT = """
import { readFileSync } from "node:fs";
import { Network } from "./engines/dendrix.mjs";
import { ImageRun } from "./lib/image_run.js";
const read = (name) => new Uint8Array(readFileSync(new URL(`./models/${name}`, import.meta.url)));
const about = JSON.parse(new TextDecoder().decode(read("see.json")));
const samples = read("see-samples.bin");
const size = samples.length / about.samples.length;
const found = [];
for (const engine of ["dendrix_image.wasm", "dendrix_image_simd.wasm"]) {
  const wasm = new WebAssembly.Module(readFileSync(new URL(`./engines/${engine}`, import.meta.url)));
  const network = new ImageRun(new Network(wasm, read("see.bin")), about);
  for (const [i, name] of about.samples.entries()) {
    for (const { threshold, bound } of about.thresholds) {
      const { exit, totals, spikes } = network.run(samples.subarray(i * size, (i + 1) * size), BigInt(bound));
      const sums = spikes.map((layers) => layers.map((layer) => [layer.reduce((a, b) => a + b, 0), layer.filter(Boolean).length]));
      found.push({ name, threshold, exit, totals: totals.map((row) => [...row].map(Number)), sums });
    }
  }
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def deployed() -> DeployedImage:
    run = find_run("cifar10")
    return deployed_images(run, load_checkpoint(run))


@pytest.fixture(scope="module")
def about(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "models" / "see.json").read_text())
    return found


@pytest.fixture(scope="module")
def pictures(folder: Path, about: dict[str, Any]) -> dict[str, np.ndarray]:
    whole = np.frombuffer((folder / "models" / "see-samples.bin").read_bytes(), np.uint8).astype(np.int64)
    return dict(zip(about["samples"], whole.reshape(len(about["samples"]), -1), strict=True))


def test_the_certificate_is_that_of_this_network(about: dict[str, Any], deployed: DeployedImage) -> None:
    assert about["certified"]["statement"].startswith("With a probability of at least 0.9")
    assert about["threshold"] == deployed.rule.threshold  # type: ignore[union-attr]


def test_thresholds_trade_steps_for_accuracy(about: dict[str, Any]) -> None:
    measured = [one for one in about["thresholds"] if "accuracy" in one]
    assert len(measured) == len(THRESHOLDS)
    assert about["weighed_inputs"] == 5000
    steps = [one["mean_steps"] for one in measured]
    assert steps == sorted(steps)
    assert measured[-1]["accuracy"] > measured[0]["accuracy"] > 0.6


@needs_node
def test_the_engine_equals_python_at_every_threshold_and_step(
    folder: Path, deployed: DeployedImage, pictures: dict[str, np.ndarray]
) -> None:
    script = folder / "see_test.mjs"
    script.write_text(SCRIPT)
    try:
        done = subprocess.run([str(NODE), str(script)], check=True, capture_output=True, text=True)
    finally:
        script.unlink()
    found = json.loads(done.stdout)
    totals = {name: deployed.totals(pixels) for name, pixels in pictures.items()}
    sums = {name: spike_sums(deployed, pixels) for name, pixels in pictures.items()}
    exits = set()
    for one in found:
        expected = replace(deployed, rule=replace(deployed.rule, threshold=one["threshold"])).answer(totals[one["name"]])  # type: ignore[type-var]
        exit_ = one["exit"]
        assert (exit_["index"], exit_["confidence"], exit_["step"], exit_["stopped"]) == tuple(expected)
        assert one["totals"] == totals[one["name"]].tolist()
        assert one["sums"] == sums[one["name"]]
        exits.add(exit_["step"])
    assert len(exits) > 2  # thresholds matter


def spike_sums(deployed: DeployedImage, pixels: np.ndarray) -> list[list[list[int]]]:
    """Sum and number of the spikes, by step and layer."""
    network = deployed.network
    memory = network.init_state(1).memory.numpy().astype(np.int64)
    current, found = network.currents(pixels.reshape(1, *network.image)), []
    for _ in range(network.presented):
        maps, memory = image_reference.step(network.stages(), network.plan, current, memory)
        firing = [part for part, form in zip(maps[1:], network.forms, strict=True) if form.fires]
        found.append([[int(part.sum()), int(np.count_nonzero(part))] for part in firing])
    return found


def qcfs_network() -> nn.Module:
    return VGG(VGGConfig(4, stages=((6,), (5,)), threshold=2.0, levels=4, mean=(0.5,) * 3, std=(0.3,) * 3))


def clipped_network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU6(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(6, 4))


@pytest.mark.parametrize(("make", "kind"), [(qcfs_network, QCFS), (clipped_network, nn.ReLU6)])
def test_activations_are_those_of_the_original(make: Callable[[], nn.Module], kind: type[nn.Module]) -> None:
    ann = make().eval()
    net = Converted(ConvertedConfig.of(ann, height=8, width=8, steps=8, outputs=4), ann).eval()
    image, seen = 20 * torch.rand(1, 3, 8, 8), dict[str, np.ndarray]()

    def note(path: str) -> Any:
        return lambda _, __, y: seen.update({path: y[0].permute(1, 2, 0).detach().numpy()})

    for path, module in ann.named_modules():
        if isinstance(module, kind):
            module.register_forward_hook(note(path))
    ann(image)
    found = activations(net, image)
    assert found.keys() == seen.keys()
    for path, (values, thresholds) in found.items():
        assert values.max() > 0
        assert np.abs(values - seen[path]).max() < 1e-5
        assert thresholds.shape == values.shape


def test_errors_fall_to_a_fraction(about: dict[str, Any]) -> None:
    for errors in about["errors"].values():
        assert len(errors) == len(about["layers"])
        assert all(row[-1] < row[0] for row in errors)


@needs_browser
@pytest.mark.extended
def test_every_sample_in_the_browser(visit: Callable[..., Visitor], deployed: DeployedImage, pictures: dict[str, np.ndarray]) -> None:
    page = visit().open("see")
    for name, pixels in pictures.items():
        page.get_by_role("button", name=name, exact=True).click()
        expected = deployed.answer(deployed.totals(pixels))
        data = page.locator("#see > div").evaluate("node => ({...node.dataset})")
        assert data["label"] == deployed.labels[expected.label]
        assert (int(data["exit"]), int(data["confidence"]), data["stopped"] == "true") == (
            expected.steps,
            expected.confidence,
            expected.stopped,
        )
