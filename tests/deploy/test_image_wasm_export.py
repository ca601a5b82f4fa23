"""The engines of image networks for WebAssembly, with and without SIMD, equal the reference to the bit, in node."""

import importlib.util
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dendrix.deploy import export_wasm, quantise
from dendrix.deploy.compile import build_wasm
from dendrix.deploy.image_export import WEB_ENGINES
from dendrix.deploy.wasm_export import engine
from support.integer_images import converted, deployed_image, pixels, random_images_network

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")


def selftest(folder: Path) -> str:
    return subprocess.run([str(NODE), "selftest.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout


@needs_node
@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    net = random_images_network(rng, extreme=seed % 2 == 1)
    made = deployed_image(net)
    made = replace(made, rule=replace(made.probability, threshold=0.7), abstain=0.4)
    export_wasm(made, tmp_path / "net", pixels(rng, net, 4))
    said = selftest(tmp_path / "net")
    assert "4 images equal" in said
    assert "with SIMD" in said


@needs_node
def test_a_converted_network(tmp_path: Path) -> None:
    net = quantise(converted("resnet"))
    export_wasm(deployed_image(net), tmp_path / "net", pixels(np.random.default_rng(0), net, 4))
    assert "4 images equal" in selftest(tmp_path / "net")


@pytest.mark.parametrize("name", WEB_ENGINES)
def test_the_engines_are_small(name: str) -> None:
    assert len(engine(name)) < 16_384


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
@pytest.mark.parametrize("name", WEB_ENGINES)
def test_the_shipped_engines_are_those_of_the_sources(name: str, tmp_path: Path) -> None:
    build_wasm(tmp_path / "built.wasm", name)
    assert (tmp_path / "built.wasm").read_bytes() == engine(name), "run `make wasm`"
