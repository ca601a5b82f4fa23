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

from dendrix.deploy import DeployedText, continued
from dendrix.energy import Costs, measure
from dendrix.page.writing import deployed_text
from dendrix.pretrained import find_run
from support.browser import Visitor, needs_browser
from support.exports import NODE, needs_node

PROMPT = "The old captain looked at the café and said: "
COUNT, TEMPERATURE, SEED = 150, 0.7, 2**62 + 5

SCRIPT = """
import { readFileSync } from "node:fs";
import { Branches, TextRun, nanojoules } from "./lib/text_run.js";
const read = (name) => new Uint8Array(readFileSync(new URL(name, import.meta.url)));
const about = JSON.parse(new TextDecoder().decode(read("./models/write.json")));
const { prompt, count, temperature, seed } = JSON.parse(process.argv[2]);
const found = [];
for (const name of ["text.wasm", "text_simd.wasm"]) {
  const run = new TextRun(new WebAssembly.Module(read(`./engines/${name}`)), read("./models/write.bin"), about);
  const branches = new Branches(run);
  const go = (options, number) => {
    run.choose({ temperature: options.temperature, seed: BigInt(options.seed) });
    for (; number > 0; number--) branches.push(run.choice(), true);
    return [...branches.current.bytes];
  };
  for (const byte of new TextEncoder().encode(prompt)) branches.push(byte, false);
  const start = branches.current.bytes.length;
  const greedy = go({ temperature: 0, seed: 0 }, count);
  const energy = nanojoules(about, run.inputs, run.bytes);
  const counts = [...run.inputs];
  const state = [...run.state()];
  branches.back(start);
  const sampled = go({ temperature, seed }, count);
  branches.fork(start + 70);
  const forked = go({ temperature, seed }, count - 70);
  const other = (branches.fork(start + 70), go({ temperature, seed: 1 }, count - 70));
  branches.select(0);
  const more = go({ temperature, seed }, 10);
  found.push({ greedy, sampled, forked, other, more, energy, counts, state, branches: branches.all.length, saved: branches.savedBytes });
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def deployed() -> DeployedText:
    return deployed_text(find_run("novels"))


def text_of(deployed: DeployedText, count: int, temperature: float, seed: int, prompt: str = PROMPT) -> list[int]:
    tokens = np.array(list(prompt.encode()))
    return [*tokens.tolist(), *islice(continued(deployed.network, tokens, round(1000 * temperature), seed), count)]


@needs_node
def test_the_engine_equals_python(folder: Path, deployed: DeployedText) -> None:
    script = folder / "write_test.mjs"
    script.write_text(SCRIPT)
    given = json.dumps({"prompt": PROMPT, "count": COUNT, "temperature": TEMPERATURE, "seed": str(SEED)})
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
        reached = [layer.rate * layer.dense for layer in report.layers]
        outputs = [layer.dense / len(greedy) for layer in report.layers]
        about = json.loads((folder / "models" / "write.json").read_text())
        widths = [product["outputs"] for product in about["products"]]
        assert outputs == [product["outputs"] * product["inputs"] for product in about["products"]]
        assert np.allclose(np.array(found["counts"]) * widths, reached, rtol=1e-9)
        assert found["energy"] == pytest.approx(report.operations.picojoules(Costs()) / len(greedy) / 1000, rel=1e-12)


def test_the_parts_cover_the_state(folder: Path, deployed: DeployedText) -> None:
    about = json.loads((folder / "models" / "write.json").read_text())
    assert sum(part["size"] for part in about["state"]) == deployed.network.plan.memory
    assert {part["size"] for part in about["state"]} == {about["width"]}
    assert about["memory_bytes"] == deployed.memory_bytes


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
