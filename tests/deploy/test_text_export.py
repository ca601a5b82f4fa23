"""Language models in C and WebAssembly equal the reference to the bit, after every token."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.deploy import DeployedText, IntegerSpikeGPT, export_text_c, export_text_npz, export_text_wasm
from dendrix.deploy.compile import build_wasm
from dendrix.deploy.export_folder import shipped_bytes
from dendrix.deploy.text_layout import END_SCALARS, named_constants, named_weights
from dendrix.deploy.text_reference import rest, step
from dendrix.deploy.text_sampling import continued
from dendrix.errors import InputError
from dendrix.models import SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig
from dendrix.models.spikegpt.blocks import Spikes
from support.integer_texts import NEURONS, random_network

GCC, NODE = shutil.which("gcc"), shutil.which("node")
needs_gcc = pytest.mark.skipif(GCC is None, reason="needs gcc")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")
STRICT = "-std=c99 -Wall -Wextra -Wconversion -pedantic -Werror"
SANE = "-O1 -fsanitize=undefined,address -fno-sanitize-recover=all"
SELFTEST = "-DDX_TRACE -DDX_DEBUG=1 test/selftest.c dendrix_text.c model.c"


def gcc(folder: Path, options: str, program: str = "a.out", words: str = "", given: bytes = b"") -> str:
    """Compile in the folder, run, and return what was printed."""
    subprocess.run([str(GCC), *options.split(), "-o", program], cwd=folder, check=True, capture_output=True)
    return subprocess.run([f"./{program}", *words.split()], cwd=folder, check=True, capture_output=True, input=given).stdout.decode()


def texts(rng: np.random.Generator, vocabulary: int, count: int = 2) -> list[np.ndarray]:
    return [rng.integers(0, vocabulary, int(rng.integers(1, 12))) for _ in range(count)]


def expect_equal_in_c(folder: Path, seed: int, extreme: bool, config: SpikeGPTConfig | None = None) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, extreme, config)
    export_text_c(DeployedText(network, False), folder, texts(rng, network.config.vocab_size))
    assert "2 texts equal" in gcc(folder, f"{STRICT} {SANE} {SELFTEST}")


@needs_gcc
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(("spikes", "neurons"), NEURONS)
def test_c_equals_the_reference(spikes: Spikes, neurons: NeuronConfig, extreme: bool, tmp_path: Path) -> None:
    expect_equal_in_c(tmp_path / "net", 0, extreme, SpikeGPTConfig(31, 11, 2, spikes=spikes, neurons=neurons))


@needs_gcc
@pytest.mark.extended
@pytest.mark.timeout(1800)  # each example compiles or starts a program, slowly where the machine does other work as well
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans())
def test_c_equals_the_reference_on_random_networks(tmp_path_factory: pytest.TempPathFactory, seed: int, extreme: bool) -> None:
    expect_equal_in_c(tmp_path_factory.mktemp("c") / "net", seed, extreme)


@needs_gcc
@pytest.mark.extended
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
@pytest.mark.parametrize(("spikes", "neurons"), NEURONS)
def test_levels_of_optimisation(spikes: Spikes, neurons: NeuronConfig, level: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(len(spikes))
    network = random_network(rng, config=SpikeGPTConfig(40, 24, 2, spikes=spikes, neurons=neurons))
    export_text_c(DeployedText(network, False), tmp_path / "net", texts(rng, 40, 6))
    assert "6 texts equal" in gcc(tmp_path / "net", f"{STRICT} {level} {SELFTEST}")


@needs_node
@pytest.mark.parametrize(("spikes", "neurons"), NEURONS)
def test_webassembly_equals_the_reference(spikes: Spikes, neurons: NeuronConfig, tmp_path: Path) -> None:
    """Both engines, with widths that are no multiples of the vectors."""
    rng = np.random.default_rng(0)
    network = random_network(rng, extreme=spikes == "none", config=SpikeGPTConfig(31, 21, 2, spikes=spikes, neurons=neurons))
    export_text_wasm(DeployedText(network, False), tmp_path / "net", texts(rng, 31))
    done = subprocess.run([str(NODE), "selftest.mjs"], cwd=tmp_path / "net", check=True, capture_output=True, text=True)
    assert "2 texts equal" in done.stdout


def all_fire(levels: int) -> IntegerSpikeGPT:
    """A network whose 320 neurons inside the channel mix fire at every level, with the largest weights behind them."""
    neurons = NeuronConfig(levels=levels, separate=True)
    network = random_network(np.random.default_rng(0), config=SpikeGPTConfig(31, 80, 1, spikes="input", neurons=neurons))
    *_, channel, end = named_constants(network.config, network.constants.numpy())
    channel["inner_weight"][:], channel["inner_bias"][:] = 0, 2**20
    end["scalars"][END_SCALARS.index("threshold")] = 1
    *_, matrices, _ = named_weights(network.config, network.weights.numpy())
    matrices["value"][::2], matrices["value"][1::2] = 127, -127
    return network


@needs_node
@pytest.mark.parametrize("levels", [1, 4])
def test_more_rows_than_a_sum_of_16_bits_holds(levels: int, tmp_path: Path) -> None:
    network = all_fire(levels)
    found = []
    tables = [table.numpy().astype(np.int64) for table in (network.embedding, network.weights, network.constants)]
    state = rest(network.plan, network.config.width)[None]
    step(network.config, network.plan, tables, np.array([3]), state, lambda name, x, _: found.append((name, int(x.sum()))))
    assert ("value", 320 * levels) in found
    export_text_wasm(DeployedText(network, False), tmp_path / "net", texts(np.random.default_rng(0), 31))
    done = subprocess.run([str(NODE), "selftest.mjs"], cwd=tmp_path / "net", check=True, capture_output=True, text=True)
    assert "2 texts equal" in done.stdout


@needs_node
@pytest.mark.extended
@pytest.mark.timeout(1800)  # each example compiles or starts a program, slowly where the machine does other work as well
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans())
def test_webassembly_on_random_networks(tmp_path_factory: pytest.TempPathFactory, seed: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, extreme)
    folder = tmp_path_factory.mktemp("wasm") / "net"
    export_text_wasm(DeployedText(network, False), folder, texts(rng, network.config.vocab_size))
    assert "2 texts equal" in subprocess.run([str(NODE), "selftest.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout


@needs_gcc
@pytest.mark.parametrize("is_bytes", [True, False])
def test_the_program_continues_a_text(is_bytes: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, config=SpikeGPTConfig(256 if is_bytes else 120, 8, 1))
    export_text_c(DeployedText(network, is_bytes), tmp_path / "net", texts(rng, 99))
    tokens = np.array([72, 101, 33])
    given = bytes(tokens.tolist()) if is_bytes else b"72 101\n33"
    options = f"-O2 {STRICT} main.c dendrix_text.c model.c"
    subprocess.run([str(GCC), *options.split(), "-o", "text"], cwd=tmp_path / "net", check=True, capture_output=True)
    said = subprocess.run(["./text", "20", "700", "11"], cwd=tmp_path / "net", check=True, capture_output=True, input=given).stdout
    expected = [token for token, _ in zip(continued(network, tokens, 700, 11), range(20), strict=False)]
    assert (list(said[:-1]) if is_bytes else [int(word) for word in said.split()]) == expected
    assert subprocess.run(["./text"], cwd=tmp_path / "net", capture_output=True, input=b"").returncode == 1


ERRORS = r"""
#include "dendrix_text.h"
#include "model.h"
#include <stdio.h>
static uint64_t memory[(DX_TEXT_SIZE + 7) / 8];
int main(void) {
  dx_text_answer a;
  uint16_t x[2] = {1, 2}, bad[2] = {1, 60000};
  printf("%d ", dx_text_init(memory, sizeof memory, &dx_text_network, 0, 0));
  printf("%d ", dx_text_init(memory, 8, &dx_text_network, 0, 0));
  printf("%d ", dx_text_init(NULL, 0, NULL, 0, 0));
  printf("%d ", dx_text_init((char *)memory + 4, sizeof memory - 4, &dx_text_network, 0, 0));
  printf("%d ", dx_text_result(memory, &a));
  printf("%d ", dx_text_push(memory, NULL, 0));
  printf("%d ", dx_text_push(memory, NULL, 1));
  printf("%d ", dx_text_push(memory, bad, 2));
  printf("%d ", dx_text_result(memory, &a));
  printf("%d ", dx_text_push(memory, x, 2));
  printf("%d ", dx_text_result(memory, NULL));
  printf("%d ", dx_text_result(memory, &a));
  printf("%d ", dx_text_stop(memory));
  printf("%d ", dx_text_push(memory, x, 2));
  printf("%d ", dx_text_stop(NULL));
  return (size_t)DX_TEXT_SIZE != dx_text_size(&dx_text_network);
}
"""


@needs_gcc
def test_misuse_returns_error_codes(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), config=SpikeGPTConfig(9, 5, 1))
    export_text_c(DeployedText(network, False), tmp_path / "net", [np.array([1])])
    (tmp_path / "net" / "errors.c").write_text(ERRORS)
    said = gcc(tmp_path / "net", "-DDX_DEBUG=1 errors.c dendrix_text.c model.c")
    assert said.split() == ["0", "-3", "-1", "-1", "-5", "0", "-1", "-2", "-5", "0", "-1", "0", "0", "-4", "-1"]


MISUSE = """
import { readFileSync } from "node:fs";
import { TextNetwork, hasSimd } from "./dendrix_text.mjs";
const engine = new WebAssembly.Module(readFileSync("text.wasm"));
const said = [String(hasSimd()), String(WebAssembly.Module.imports(engine).length)];
const note = (act) => { try { act(); said.push("nothing"); } catch (error) { said.push(error.message); } };
note(() => new TextNetwork(engine, new Uint8Array(64)));
const pooled = Buffer.concat([Buffer.alloc(3), readFileSync("network.bin")]).subarray(3);
const text = new TextNetwork(engine, pooled).text();
note(() => text.result());
note(() => text.push([3, 256]));
text.push("Hé");
text.stop();
note(() => text.push("!"));
said.push(String(text.result().steps));
console.log(JSON.stringify(said));
"""


@needs_node
def test_misuse_raises(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), config=SpikeGPTConfig(256, 5, 1))
    export_text_wasm(DeployedText(network), tmp_path / "net", [np.array([1])])
    (tmp_path / "net" / "misuse.mjs").write_text(MISUSE)
    done = subprocess.run([str(NODE), "misuse.mjs"], cwd=tmp_path / "net", check=True, capture_output=True, text=True)
    simd, imports, tables, early, token, late, steps = json.loads(done.stdout)
    assert (simd, imports, steps) == ("true", "0", "3")
    assert "expected tables" in tables
    assert "expected a text before result()" in early
    assert "expected tokens of the vocabulary" in token
    assert "expected no tokens after stop()" in late


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
@pytest.mark.parametrize("name", ["text.wasm", "text_simd.wasm"])
def test_the_shipped_engines_are_those_of_the_sources(name: str, tmp_path: Path) -> None:
    build_wasm(tmp_path / name, f"text/{name}")
    assert (tmp_path / name).read_bytes() == shipped_bytes(f"web/text/{name}"), "run `make wasm`"
    assert (tmp_path / name).stat().st_size < 20_000


def test_arrays(tmp_path: Path) -> None:
    network = random_network(np.random.default_rng(0), config=SpikeGPTConfig(9, 5, 1, spikes="input"))
    export_text_npz(DeployedText(network, False), tmp_path / "net", [np.array([1, 2])])
    with np.load(tmp_path / "net" / "network.npz") as found:
        assert found["half1_value"].shape == (5, 20)
        assert found["end_head"].shape == (9, 5)
        assert sum(found[name].size for name in found.files if found[name].dtype == np.int8) == network.weights.numel()
    described = json.loads((tmp_path / "net" / "network.json").read_text())
    neurons = NeuronConfig(**described["config"].pop("neurons"))
    assert SpikeGPTConfig(**described["config"], neurons=neurons) == network.config


@pytest.mark.parametrize("export", [export_text_c, export_text_wasm, export_text_npz])
def test_nothing_is_written_without_texts_or_over_a_folder(export: object, tmp_path: Path) -> None:
    made = DeployedText(random_network(np.random.default_rng(0), config=SpikeGPTConfig(9, 5, 1)), False)
    for wrong in ([], [np.array([], np.int64)], [np.array([9])]):
        with pytest.raises(InputError):
            export(made, tmp_path / "net", wrong)
        assert not list(tmp_path.iterdir())
    (tmp_path / "net").mkdir()
    with pytest.raises(FileExistsError):
        export(made, tmp_path / "net", [np.array([1])])
    assert not list((tmp_path / "net").iterdir())
