"""The engine for WebAssembly equals the reference to the bit, in node."""

import importlib.util
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dendrix.deploy import IntegerMel, export_wasm, quantise
from dendrix.deploy.compile import build_wasm
from dendrix.deploy.wasm_export import engine
from support.exports import NODE, needs_node, selftest
from support.integer_networks import NEURONS, deployed, frames, network, random_network


@needs_node
@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(rng, extreme=seed % 2 == 1, bits=8 if seed % 3 else 16)
    clips = [rng.integers(-300, 300, int(rng.integers(1, 20)) * net.inputs.channels + 1) for _ in range(4)]
    export_wasm(deployed(net), tmp_path / "net", clips)
    assert "4 clips equal" in selftest(tmp_path / "net")


@needs_node
@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "AdLIF", "RecurrentDelay"])
@pytest.mark.parametrize("bits", [4, 8])
def test_kinds_of_neurons_with_sound(kind: str, bits: int, tmp_path: Path) -> None:
    assert kind in NEURONS
    net = quantise(network(kind), [frames()], weights=bits)
    mel = IntegerMel(dt_ms=20.0, n_mels=6, centred=True)
    made = deployed(net, encoder=mel, dt_ms=20.0)
    made = replace(made, rule=replace(made.probability, threshold=0.7), abstain=0.5)
    rng = np.random.default_rng(0)
    export_wasm(made, tmp_path / "net", [rng.integers(-32768, 32768, 1500), rng.integers(-9, 9, 801), np.full(3, 9)])
    assert "3 clips equal" in selftest(tmp_path / "net")


def test_the_engine_is_small_and_has_no_imports() -> None:
    assert len(engine()) < 16_384
    if NODE:
        code = "const b = require('fs').readFileSync(0); console.log(WebAssembly.Module.imports(new WebAssembly.Module(b)).length)"
        assert subprocess.run([NODE, "-e", code], input=engine(), capture_output=True, check=True).stdout.strip() == b"0"


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
def test_the_shipped_engine_is_that_of_the_sources(tmp_path: Path) -> None:
    build_wasm(tmp_path / "built.wasm")
    assert (tmp_path / "built.wasm").read_bytes() == engine(), "run `make wasm`"


MISUSE = """
import { readFileSync } from "node:fs";
import { Network } from "./dendrix.mjs";
const engine = new WebAssembly.Module(readFileSync("dendrix.wasm"));
const said = [];
const note = (act) => { try { act(); said.push("nothing"); } catch (error) { said.push(error.message); } };
note(() => new Network(engine, new Uint8Array(64)));
const pooled = Buffer.concat([Buffer.alloc(3), readFileSync("network.bin")]).subarray(3); // as small files and network packets
const stream = new Network(engine, pooled).stream();
note(() => stream.stop());
stream.push(new Int16Array(6));
stream.stop();
note(() => stream.push(new Int16Array(6)));
console.log(JSON.stringify(said));
"""


@needs_node
def test_misuse_raises(tmp_path: Path) -> None:
    export_wasm(deployed(quantise(network(), [frames()])), tmp_path / "net", [np.zeros(6, np.int64)])
    (tmp_path / "net" / "misuse.mjs").write_text(MISUSE)
    done = subprocess.run([str(NODE), "misuse.mjs"], cwd=tmp_path / "net", check=True, capture_output=True, text=True)
    tables, early, late = json.loads(done.stdout)
    assert "expected tables" in tables
    assert "expected input before stop()" in early
    assert "expected no input after stop()" in late
