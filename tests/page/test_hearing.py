"""Room Hear: the engine in JavaScript equals Python at every threshold; microphone, files, and what can go wrong with them."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dendrix.deploy import Deployed
from dendrix.page.hearing import SHIPPED, deployed_sound
from dendrix.pretrained import find_run
from dendrix.run_folder.checkpoint import load_checkpoint
from support.browser import MICROPHONE, Visitor, chromium, needs_browser, served, write_wav
from support.exports import NODE, needs_node

ROOM = "#hear > div"
SCRIPT = """
import { readFileSync } from "node:fs";
import { SoundRun, bits } from "./lib/sound_run.js";
const file = (name) => readFileSync(new URL(name, import.meta.url));
const engine = new WebAssembly.Module(file("engines/dendrix.wasm"));
const found = [];
for (const about of JSON.parse(file("models/hear.json")).networks) {
  const run = new SoundRun(engine, new Uint8Array(file(about.tables)), about);
  const all = new Int16Array(new Uint8Array(file(about.recordings)).buffer);
  const delays = run.network.layers.map((_, l) => [...run.full.delays(l)].reduce((sum, delay, k) => sum + delay * (1 + (k % 7)), 0));
  let at = 0;
  for (const { name, length } of about.samples.slice(0, 3)) {
    const samples = all.subarray(at, (at += length));
    for (const { threshold, bound } of about.thresholds.filter((_, i) => i % 6 === 0)) {
      run.restart(BigInt(bound));
      const counts = run.network.layers.map(() => 0);
      const each = ({ spikes }) => spikes.forEach((part, l) => (counts[l] += bits(part)));
      for (let done = 0, piece = 1; done < samples.length; done += piece, piece = ((piece * 7 + 3) % 611) + 1)
        run.push(samples.subarray(done, done + piece), each);
      const { exit, full } = run.stop(each);
      found.push({ network: about.network, name, threshold, exit, full, counts, delays });
    }
  }
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def networks() -> dict[str, Deployed]:
    """The integer networks of the room."""
    return {name: deployed_sound(find_run(name), load_checkpoint(find_run(name))) for name in SHIPPED}


@pytest.fixture(scope="module")
def about(folder: Path) -> dict[str, Any]:
    """Descriptions of the networks by name."""
    return {one["network"]: one for one in json.loads((folder / "models" / "hear.json").read_text())["networks"]}


@pytest.fixture(scope="module")
def sounds(folder: Path, about: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """Recordings of each network by name."""
    found = {}
    for name, one in about.items():
        whole = np.frombuffer((folder / one["recordings"]).read_bytes(), "<i2").astype(np.int64)
        parts = np.split(whole, np.cumsum([sample["length"] for sample in one["samples"]])[:-1])
        found[name] = dict(zip([sample["name"] for sample in one["samples"]], parts, strict=True))
    return found


def test_certificates_are_those_of_these_networks(about: dict[str, Any], networks: dict[str, Deployed]) -> None:
    for name, one in about.items():
        assert one["certified"]["statement"].startswith("With a probability of at least 0.9")
        assert one["threshold"] == networks[name].rule.threshold  # type: ignore[union-attr]


@needs_node
def test_the_engine_equals_python(folder: Path, networks: dict[str, Deployed], sounds: dict[str, dict[str, np.ndarray]]) -> None:
    script = folder / "hear_test.mjs"
    script.write_text(SCRIPT)
    try:
        done = subprocess.run([str(NODE), str(script)], check=True, capture_output=True, text=True)
    finally:
        script.unlink()
    totals = {(name, key): networks[name].totals(clip) for name, clips in sounds.items() for key, clip in list(clips.items())[:3]}
    exits = set()
    for one in json.loads(done.stdout):
        deployed, found = networks[one["network"]], totals[one["network"], one["name"]]
        expected = replace(deployed, rule=replace(deployed.rule, threshold=one["threshold"])).answer(found)  # type: ignore[type-var]
        exit_, full = one["exit"], one["full"]
        assert (exit_["index"], exit_["confidence"] * 65536, exit_["steps"], exit_["stopped"]) == tuple(expected)
        assert (full["index"], full["steps"]) == (int(found[-1].argmax()), len(found))
        assert one["delays"] == [int((delay(layer) * (1 + np.arange(delay(layer).size) % 7)).sum()) for layer in deployed.network.layers()]
        sizes = [(form.inputs, form.outputs * form.synapses) for form in deployed.network.forms]
        spikes = [0, *one["counts"]]
        assert full["operations"] == sum((inputs * len(found) if not k else spikes[k]) * fan for k, (inputs, fan) in enumerate(sizes))
        exits.add((one["network"], exit_["steps"]))
    assert len(exits) > 6  # thresholds matter


def delay(layer: Any) -> np.ndarray:
    """Delays [in, out] of the first synapse, flat."""
    return np.asarray(layer.delay[:, :, 0].T.ravel())


RESAMPLE = """
import { Resampler } from "./lib/resample.js";
const tone = (rate, hertz) => Float32Array.from({ length: rate }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));
const level = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
const found = [];
for (const [from, to] of [[48000, 8000], [44100, 16000], [8000, 16000]]) {
  const levels = [];
  for (const hertz of [300, 0.4 * Math.min(from, to), 0.55 * to]) {
    const input = tone(from, hertz);
    const whole = new Resampler(from, to).push(input);
    const pieces = new Resampler(from, to);
    const parts = [];
    for (let done = 0; done < input.length; done += 441) parts.push(...pieces.push(input.subarray(done, done + 441)));
    if (String(parts) !== String([...whole])) throw new Error("pieces differ");
    levels.push(level(whole.subarray(400, -400)), whole.length / to);
  }
  found.push(levels);
}
console.log(JSON.stringify(found));
"""


@needs_node
def test_resampling_keeps_speech_and_removes_what_would_fold(folder: Path) -> None:
    script = folder / "resample_test.mjs"
    script.write_text(RESAMPLE)
    try:
        done = subprocess.run([str(NODE), str(script)], check=True, capture_output=True, text=True)
    finally:
        script.unlink()
    for number, levels in enumerate(json.loads(done.stdout)):
        assert levels[0] == pytest.approx(0.5**0.5, rel=0.01)
        assert levels[2] == pytest.approx(0.5**0.5, rel=0.1)
        assert number == 2 or levels[4] < 0.03  # upwards nothing folds
        assert all(0.98 < length <= 1 for length in levels[1::2])


def heard(page: Any) -> dict[str, str]:
    """What the room has written once it is done."""
    page.wait_for_selector(f"{ROOM}[data-done]", timeout=60_000)
    found: dict[str, str] = page.locator(ROOM).evaluate("node => ({...node.dataset})")
    return found


def expect_answer(found: dict[str, str], deployed: Deployed, samples: np.ndarray) -> None:
    """Check that the page has answered as Python does."""
    totals = deployed.totals(np.asarray(samples, np.int64))
    expected = deployed.answer(totals)
    assert found["label"] == deployed.labels[expected.label]
    assert (int(found["exit"]), int(found["confidence"]), found["stopped"] == "true") == (
        expected.steps,
        expected.confidence,
        expected.stopped,
    )
    assert int(found["full"]) == int(totals[-1].argmax())


def said(page: Any, text: str, timeout: int = 30_000) -> None:
    """Wait until the status of the room has a text."""
    page.locator(f"{ROOM} p[role=status]").filter(has_text=text).wait_for(timeout=timeout)


@needs_browser
@pytest.mark.extended
def test_every_recording(visit: Callable[..., Visitor], networks: dict[str, Deployed], sounds: dict[str, dict[str, np.ndarray]]) -> None:
    page = visit().open("hear")
    for network, clips in sounds.items():
        page.get_by_label("Network", exact=True).select_option(network)
        page.get_by_role("button", name=next(iter(clips)), exact=True).wait_for()
        heard(page)
        for name, clip in clips.items():
            page.get_by_role("button", name=name, exact=True).click()
            expect_answer(heard(page), networks[network], clip)


@needs_browser
@pytest.mark.extended
def test_files(
    visit: Callable[..., Visitor], networks: dict[str, Deployed], sounds: dict[str, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    page, clip = visit().open("hear"), sounds["fsdd"]["7_george_0"]
    heard(page)
    chooser = page.get_by_label("Or a recording of yours")

    def give(path: Path, until: str) -> dict[str, str]:
        chooser.set_input_files(path)
        said(page, until)
        return heard(page)

    expect_answer(give(write_wav(tmp_path / "seven.wav", clip, 8000), "seven.wav: 0"), networks["fsdd"], clip)
    give(write_wav(tmp_path / "silence.wav", np.zeros(8000), 8000), "This is silence")
    loud = np.clip(clip * 60, -32768, 32767)
    expect_answer(give(write_wav(tmp_path / "loud.wav", loud, 8000), "is clipped"), networks["fsdd"], loud)
    (tmp_path / "text.wav").write_text("no sound")
    before = heard(page)
    assert give(tmp_path / "text.wav", "The last sound stays") == before
    give(write_wav(tmp_path / "other.wav", np.repeat(clip, 2), 16_000), "other.wav: 0")  # resampled by the browser


@needs_browser
@pytest.mark.extended
def test_half_an_hour(visit: Callable[..., Visitor], networks: dict[str, Deployed], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = (rng.normal(size=30 * 60 * 8000) * 500).astype(np.int64)
    page = visit().open("hear")
    heard(page)
    page.get_by_label("Or a recording of yours").set_input_files(write_wav(tmp_path / "long.wav", samples, 8000))
    said(page, "Hearing: ", 120_000)
    page.wait_for_selector(f"{ROOM}[data-done]", timeout=300_000)
    found = page.locator(ROOM).evaluate("node => ({...node.dataset})")
    expected = networks["fsdd"].answer(networks["fsdd"].totals(samples[: 8000 * 60]))
    if expected.stopped:
        assert (int(found["exit"]), found["label"]) == (expected.steps, networks["fsdd"].labels[expected.label])


@needs_browser
@pytest.mark.extended
def test_a_microphone(url: str, networks: dict[str, Deployed], sounds: dict[str, dict[str, np.ndarray]], tmp_path: Path) -> None:
    clip = sounds["fsdd"]["7_george_0"]
    played = write_wav(tmp_path / "spoken.wav", np.concatenate([np.zeros(16_000), clip, np.zeros(16_000)]), 8000)
    with chromium(*MICROPHONE, f"--use-file-for-fake-audio-capture={played}") as browser:
        visitor = Visitor(browser, url)
        page = visitor.open("hear")
        heard(page)
        visitor.context.set_offline(True)  # everything is loaded
        page.get_by_role("button", name="Listen").click()
        page.wait_for_selector(f"{ROOM}[data-listening]", timeout=20_000)
        page.wait_for_selector(f"{ROOM}:not([data-listening])", timeout=30_000)
        found = heard(page)
        expect_answer(found, networks["fsdd"], np.array(page.locator(ROOM).evaluate("node => [...node.samples]")))
        assert visitor.problems == []


@needs_browser
@pytest.mark.extended
@pytest.mark.parametrize(("arguments", "reason"), [((), "No microphone was found"), (MICROPHONE[:1], "The microphone was refused")])
def test_no_microphone(arguments: tuple[str, ...], reason: str, url: str) -> None:
    with chromium(*arguments) as browser:
        visitor = Visitor(browser, url, permissions=[])
        page = visitor.open("hear")
        before = heard(page)
        page.get_by_role("button", name="Listen").click()
        said(page, reason)
        assert heard(page) == before
        assert visitor.problems == []


FRAMES = """() => new Promise((resolve) => {
  const found = [];
  const note = (time) => (found.push(time), found.length < 90 ? requestAnimationFrame(note) : resolve(found));
  requestAnimationFrame(note);
})"""


@needs_browser
@pytest.mark.extended
def test_silence_from_the_microphone(url: str, tmp_path: Path) -> None:
    silent = write_wav(tmp_path / "silent.wav", np.zeros(80_000), 8000)
    with chromium(*MICROPHONE, f"--use-file-for-fake-audio-capture={silent}") as browser:
        visitor = Visitor(browser, url)
        page = visitor.open("hear")
        before = heard(page)
        page.get_by_role("button", name="Listen").click()
        said(page, "Nothing stands out from silence")
        page.get_by_role("button", name="Stop").click()
        said(page, "Nothing was heard")
        assert heard(page) == before
        page.get_by_role("button", name="Listen").click()
        page.wait_for_selector(f"{ROOM}[data-listening]")
        page.get_by_role("link", name="See", exact=True).first.click()  # the microphone does not stay open behind another room
        page.wait_for_selector(f"{ROOM}:not([data-listening])", state="attached")
        assert visitor.problems == []


@needs_browser
@pytest.mark.extended
def test_frames_while_hearing(url: str, tmp_path: Path) -> None:
    """The page goes on painting while it hears; the bound is loose, as tests share their cores."""
    spoken = write_wav(tmp_path / "noise.wav", np.random.default_rng(0).normal(size=8000 * 8) * 3000, 8000)
    with chromium(*MICROPHONE, f"--use-file-for-fake-audio-capture={spoken}") as browser:
        visitor = Visitor(browser, url)
        page = visitor.open("hear")
        heard(page)
        page.get_by_role("button", name="Listen").click()
        page.wait_for_selector(f"{ROOM}[data-listening]", timeout=20_000)
        times = page.evaluate(FRAMES)
        assert np.median(np.diff(times)) < 100
        assert visitor.problems == []


@needs_browser
@pytest.mark.extended
def test_a_broken_thread_is_told(folder: Path, tmp_path: Path, browser: Any) -> None:
    copy = tmp_path / "page"
    shutil.copytree(folder, copy)
    (copy / "workers" / "hear.js").write_text("throw new Error('broken');")
    with served(copy) as address:
        page = Visitor(browser, address).open("hear")
        assert "The thread of the network failed" in page.locator("#hear [role=alert]").text_content()
