"""Room Write: text, state, counts and energy of the engine equal the integer network in Python, in branches too."""

import json
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dendrix.core.files import write_json
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.deploy import DeployedText, continued
from dendrix.energy import Costs, measure
from dendrix.models.spikegpt import NeuronConfig
from dendrix.models.spikegpt.hf_files import save_language_model
from dendrix.page.writing import deployed_text, write_files
from dendrix.pretrained import find_run
from dendrix.train.text.data import TextData
from support.browser import Visitor, needs_browser
from support.exports import NODE, needs_node
from support.integer_texts import float_network

PROMPT = "The old captain looked at the café and said: "
COUNT, TEMPERATURE, SEED = 150, 0.7, 2**62 + 5

SCRIPT = """
import { readFileSync } from "node:fs";
import { Branches, TextRun, nanojoules } from "./lib/text_run.js";
const { models, prompt, count, temperature, seed } = JSON.parse(process.argv[2]);
const read = (name) => new Uint8Array(readFileSync(name));
const about = JSON.parse(new TextDecoder().decode(read(`${models}/write.json`)));
const found = [];
for (const name of ["text.wasm", "text_simd.wasm"]) {
  const run = new TextRun(new WebAssembly.Module(read(new URL(`./engines/${name}`, import.meta.url))), read(`${models}/write.bin`), about);
  const branches = new Branches(run);
  const go = (options, number) => {
    run.choose({ temperature: options.temperature, seed: BigInt(options.seed) });
    for (; number > 0; number--) branches.push(run.choice(), true);
    return [...branches.current.bytes];
  };
  for (const byte of new TextEncoder().encode(prompt)) branches.push(byte, false);
  const start = branches.current.bytes.length;
  const greedy = go({ temperature: 0, seed: 0 }, count);
  const energy = nanojoules(about, run);
  const [counts, sums] = [[...run.inputs], [...run.sums]];
  const neurons = run.spikes / run.bytes;
  const state = [...run.state()];
  branches.back(start);
  const sampled = go({ temperature, seed }, count);
  branches.fork(start + 70);
  const forked = go({ temperature, seed }, count - 70);
  const other = (branches.fork(start + 70), go({ temperature, seed: 1 }, count - 70));
  branches.select(0);
  const more = go({ temperature, seed }, 10);
  found.push({ greedy, sampled, forked, other, more, energy, counts, sums, neurons, state, branches: branches.all.length });
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def deployed() -> DeployedText:
    return deployed_text(find_run("novels"))


def text_of(deployed: DeployedText, count: int, temperature: float, seed: int, prompt: str = PROMPT) -> list[int]:
    tokens = np.array(list(prompt.encode()))
    return [*tokens.tolist(), *islice(continued(deployed.network, tokens, round(1000 * temperature), seed), count)]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the user's with spike counts of separate neurons."""
    folder = tmp_path_factory.mktemp("runs") / "rose"
    folder.mkdir()
    (folder / "text.txt").write_text("a rose is a rose is a rose\n" * 300)
    network = float_network(vocab_size=256, spikes="input", neurons=NeuronConfig(levels=3, separate=True))
    save_language_model(folder, network, byte_tokenizer())
    write_json(folder / "run.json", {"name": "rose", "recipe": {"data": TextData(str(folder / "text.txt")).to_dict()}})
    return folder


@needs_node
@pytest.mark.parametrize("run", ["novels", "own"])
def test_the_engine_equals_python(run: str, request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> None:
    deployed = deployed_text(path := find_run(run if run == "novels" else request.getfixturevalue(run)))
    for name, content in write_files(path):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    script = folder / "write_test.mjs"
    script.write_text(SCRIPT)
    given = json.dumps({"models": str(tmp_path), "prompt": PROMPT, "count": COUNT, "temperature": TEMPERATURE, "seed": str(SEED)})
    try:
        done = subprocess.run([str(NODE), str(script), given], check=True, capture_output=True, text=True)
    finally:
        script.unlink()
    greedy, sampled = text_of(deployed, COUNT, 0, 0), text_of(deployed, COUNT + 10, TEMPERATURE, SEED)
    _, state = deployed.network.run(torch.tensor([greedy]))
    report = measure(deployed.network, [torch.tensor([greedy])])
    for found in json.loads(done.stdout):
        assert found["greedy"] == greedy
        assert found["sampled"] == found["forked"] == sampled[:-10]
        assert found["more"] == sampled
        assert found["other"][: len(PROMPT.encode()) + 70] == sampled[: len(PROMPT.encode()) + 70]
        assert found["other"] != found["sampled"]
        assert found["state"] == state[0].tolist()
        assert found["branches"] == 3
        outputs = [layer.dense / len(greedy) for layer in report.layers]
        about = json.loads((tmp_path / "write.json").read_text())
        widths = [product["outputs"] for product in about["products"]]
        assert outputs == [product["outputs"] * product["inputs"] for product in about["products"]]
        of_spikes = [product["kind"] != "numbers" for product in about["products"]]
        assert of_spikes == [layer.kind != "numbers" for layer in report.layers]
        arrived = np.where(of_spikes, found["sums"], found["counts"])
        assert np.allclose(arrived * widths, [layer.rate * layer.dense for layer in report.layers], rtol=1e-9)
        assert 0 < found["neurons"] < about["neurons"]
        assert found["energy"] == pytest.approx(report.operations.picojoules(Costs()) / len(greedy) / 1000, rel=1e-12)


def test_the_parts_cover_the_state(folder: Path, deployed: DeployedText) -> None:
    about = json.loads((folder / "models" / "write.json").read_text())
    assert sum(part["size"] for part in about["state"]) == deployed.network.plan.memory
    assert about["memory_bytes"] == deployed.memory_bytes


def test_the_parts_of_separate_neurons(own: Path) -> None:
    """Three groups before a time mix, two before a channel mix."""
    about = json.loads(dict(write_files(own))["write.json"])
    assert [part["size"] // 24 for part in about["state"]] == [1, 3, 1, 1, 1, 1, 2, 4] * 2
    assert about["neurons"] == 24 * 20


def idle(page: Any, task: str) -> dict[str, str]:
    page.wait_for_selector(f"#write > div[data-task={task}]", timeout=30_000)
    found: dict[str, str] = page.locator("#write > div").evaluate("node => ({...node.dataset})")
    return found


@needs_browser
@pytest.mark.extended
def test_text_in_the_browser(visit: Callable[..., Visitor], deployed: DeployedText) -> None:
    from playwright.sync_api import expect

    page = visit().open("write")
    page.get_by_label("Text to continue").fill(PROMPT)
    page.get_by_label("Seed").fill(str(SEED))
    page.get_by_label("Bytes to write").fill("100")
    page.get_by_label("Temperature").fill("0.7")
    page.get_by_role("button", name="Continue the text").click()
    idle(page, "written")
    expected = bytes(text_of(deployed, 100, 0.7, SEED)).decode(errors="replace")
    assert page.get_by_label("The text so far").text_content() == expected
    page.get_by_label("Place in the text").fill("60")
    page.get_by_role("button", name="Roll back to this place").click()
    expect(page.get_by_label("The text so far")).to_have_text(expected[:60])
    page.get_by_role("button", name="Fork here").click()
    expect(page.locator("#write select option")).to_have_count(2)
    page.get_by_label("Branch").select_option(index=0)
    expect(page.get_by_label("The text so far")).to_have_text(expected[:60])


@needs_browser
@pytest.mark.extended
def test_stop_and_bad_input(visit: Callable[..., Visitor]) -> None:
    page = visit().open("write")
    page.get_by_label("Seed").fill("-3")
    page.get_by_role("button", name="Continue the text").click()
    assert "expected a whole number" in page.locator("#write [role=alert]").text_content()
    page.get_by_label("Seed").fill("3")
    page.get_by_label("Text to continue").fill("")
    page.get_by_role("button", name="Continue the text").click()
    page.wait_for_selector("#write [role=alert]:not([hidden])")
    assert "Expected a beginning" in page.locator("#write [role=alert]").text_content()
    page.get_by_label("Text to continue").fill("long " * 5000)
    page.get_by_role("button", name="Continue the text").click()
    assert "expected at most 20,000 bytes" in page.locator("#write [role=alert]").text_content()
    page.get_by_label("Text to continue").fill("Здравствуй, мир \U0001f600 ")
    page.get_by_label("Bytes to write").fill("2000")
    page.get_by_role("button", name="Continue the text").click()
    page.get_by_role("button", name="Stop").click(timeout=10_000)
    page.wait_for_selector("#write > div[data-busy=false]")
    written = int(page.locator("#write > div").get_attribute("data-bytes"))
    page.wait_for_timeout(300)
    assert int(page.locator("#write > div").get_attribute("data-bytes")) == written < 2000
    assert "beyond the Latin" in page.locator("#write [role=status]").text_content()
