"""Room Teach: codes, thresholds and decisions equal Python's; words are kept, shared with other tabs, and written as files for Python."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dendrix.deploy import DeployedWords
from dendrix.deploy.words import WholeWord, packed_bits
from dendrix.deploy.words_reference import decide, find, hear, listen, teach
from dendrix.page.teaching import taught_network
from dendrix.runs.teaching import open_vocabulary
from support.browser import MICROPHONE, Visitor, chromium, needs_browser, write_wav
from support.exports import NODE, needs_node

ROOM = "#teach > div"
SCRIPT = """
import { readFileSync, writeFileSync } from "node:fs";
import { Words } from "./engines/words.mjs";
import { vocabularyFile, wordsOf } from "./lib/vocabulary_file.js";
const file = (name) => readFileSync(new URL(name, import.meta.url));
const about = JSON.parse(file("models/teach.json")).networks.find(({ network }) => network === "fsdd");
const words = new Words(new WebAssembly.Module(file("engines/words.wasm")), new Uint8Array(file(about.tables)));
const all = new Int16Array(new Uint8Array(file(about.recordings)).buffer);
const codes = {};
let at = 0;
for (const { name, length } of about.samples) codes[name] = words.code(all.subarray(at, (at += length)));
const of = (digit) => ["george", "nicolas"].map((who) => codes[`${digit}_${who}_0`].bits);
for (const [name, digit] of [["seven", 7], ["three", 3]]) words.teach(name, of(digit), 0.05);
const made = vocabularyFile(words.list, about);
writeFileSync(process.argv[2], made);
const again = wordsOf(made, about, words.codeBytes);
const refused = [];
for (const change of [(b) => b.fill(0, 8, 20), (b) => b.subarray(0, 100), (b) => b.subarray(0, b.length - 1)]) {
  try {
    wordsOf(change(made.slice()), about, words.codeBytes);
    refused.push("nothing");
  } catch (error) {
    refused.push(error.message);
  }
}
try { wordsOf(made, { ...about, backbone: "x" }, words.codeBytes); } catch (error) { refused.push(error.message); }
console.log(JSON.stringify({
  codes: Object.fromEntries(Object.entries(codes).map(([name, { bits }]) => [name, { bits: [...bits] }])),
  words: words.list.map(({ theta, mean, deviation }) => ({ theta, mean, deviation })),
  decisions: Object.fromEntries(Object.entries(codes).map(([name, { bits }]) => [name, words.decide(bits)])),
  same: JSON.stringify(again) === JSON.stringify(words.list),
  report: words.report("seven"),
  refused,
}));
"""


@pytest.fixture(scope="module")
def made() -> DeployedWords:
    """The network of the digits."""
    return taught_network("fsdd")[0]


@pytest.fixture(scope="module")
def sounds(folder: Path) -> dict[str, np.ndarray]:
    """Recordings of the digits."""
    about = next(one for one in json.loads((folder / "models" / "teach.json").read_text())["networks"] if one["network"] == "fsdd")
    whole = np.frombuffer((folder / about["recordings"]).read_bytes(), "<i2").astype(np.int64)
    parts = np.split(whole, np.cumsum([sample["length"] for sample in about["samples"]])[:-1])
    return dict(zip([sample["name"] for sample in about["samples"]], parts, strict=True))


@pytest.fixture(scope="module")
def codes(made: DeployedWords, sounds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Codes of the recordings by the reference."""
    return {name: find(made, heard).code for name, heard in zip(sounds, hear(made, list(sounds.values())), strict=True)}


@pytest.fixture(scope="module")
def words(made: DeployedWords, codes: dict[str, np.ndarray]) -> dict[str, WholeWord]:
    """Two words of two speakers."""
    share = made.share(0.05)
    stored = {name: np.array([codes[f"{digit}_{who}_0"] for who in ("george", "nicolas")]) for name, digit in (("seven", 7), ("three", 3))}
    return {name: teach(part, made.background, share) for name, part in stored.items()}


@needs_node
def test_the_engine_equals_python(folder: Path, codes: dict[str, np.ndarray], words: dict[str, WholeWord], tmp_path: Path) -> None:
    script = folder / "teach_test.mjs"
    script.write_text(SCRIPT)
    try:
        done = subprocess.run([str(NODE), str(script), str(tmp_path / "w.safetensors")], check=True, capture_output=True, text=True)
    finally:
        script.unlink()
    found = json.loads(done.stdout)
    for name, code in codes.items():
        assert found["codes"][name]["bits"] == packed_bits(code).tolist()
        match = decide(list(words.values()), code)
        said = found["decisions"][name]
        assert (said["index"], said["score"], said["theta"]) == (match.label, match.score, match.theta)
    assert [found["decisions"][f"{digit}_george_0"]["name"] for digit in (7, 3, 9)] == ["seven", "three", None]
    assert found["words"] == [{"theta": word.theta, "mean": word.mean, "deviation": word.deviation} for word in words.values()]
    assert found["same"]
    assert found["report"]["expected"][0] < 0.05 < found["report"]["expected"][1]
    assert found["report"]["confusable"][0]["name"] == "7"
    assert all("Expected a vocabulary" in line for line in found["refused"]), found["refused"]

    vocabulary, _ = open_vocabulary(tmp_path / "w.safetensors")  # Python reads the file
    assert list(vocabulary.words) == ["seven", "three"]
    assert all((vocabulary[name].codes.dense() == word.codes).all() for name, word in words.items())
    assert all(vocabulary[name].theta == word.theta for name, word in words.items())


def said(page: Any, text: str) -> None:
    page.locator(f"{ROOM} p[role=status]").filter(has_text=text).wait_for()


def teach_word(page: Any, name: str, clips: list[str]) -> None:
    for clip in clips:
        page.get_by_role("button", name=clip, exact=True).click()
    page.get_by_label("Name of the word").fill(name)
    page.get_by_role("button", name="Teach", exact=True).click()


def data(page: Any) -> dict[str, str]:
    found: dict[str, str] = page.locator(ROOM).evaluate("node => ({...node.dataset})")
    return found


def digits(page: Any) -> Any:
    """Choose the network of the digits."""
    page.locator(f"{ROOM} select").first.select_option("fsdd")
    page.get_by_role("button", name="7_theo_0", exact=True).wait_for()
    page.get_by_label("Accepted false alarms").select_option("0.05")
    return page


@needs_browser
@pytest.mark.extended
def test_words_are_taught_kept_renamed_and_forgotten(
    visit: Callable[..., Visitor], words: dict[str, WholeWord], codes: dict[str, np.ndarray], tmp_path: Path
) -> None:
    visitor = visit(accept_downloads=True)
    page = digits(visitor.open("teach"))
    for name, digit in (("seven", 7), ("three", 3)):
        teach_word(page, name, [f"{digit}_george_0", f"{digit}_nicolas_0"])
        found, expected = data(page), words[name]
        assert (int(found["theta"]), int(found["mean"]), int(found["deviation"])) == (expected.theta, expected.mean, expected.deviation)
    for clip, name in (("7_george_0", "seven"), ("3_nicolas_0", "three"), ("9_theo_0", "")):
        page.get_by_label("Or a recording that comes").select_option(clip)
        found, match = data(page), decide(list(words.values()), codes[clip])
        assert (found["heard"], int(found["score"])) == (name, match.score)
        assert bytes.fromhex(found["code"]) == packed_bits(codes[clip]).tobytes()

    other = visitor.context.new_page()  # a second tab has the words, and both hear of changes
    other.goto(f"{visitor.url}#teach")
    other.wait_for_selector("html[data-ready=loaded]")
    digits(other)
    assert json.loads(data(other)["words"]) == ["seven", "three"]
    other.get_by_role("button", name="Forget three").click()
    said(page, "changed in another tab")
    assert json.loads(data(page)["words"]) == ["seven"]
    other.close()

    page.get_by_role("button", name="Rename seven").click()
    said(page, "new name")
    page.get_by_label("Name of the word").fill("sept")
    page.get_by_role("button", name="Rename seven").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    download.value.save_as(tmp_path / "words.safetensors")
    assert list(open_vocabulary(tmp_path / "words.safetensors")[0].words) == ["sept"]

    page.reload()
    page.wait_for_selector("html[data-ready=loaded]")
    digits(page)
    assert json.loads(data(page)["words"]) == ["sept"]
    page.get_by_label("Read a file").set_input_files(tmp_path / "words.safetensors")
    said(page, "'sept' was taught before")
    page.get_by_role("button", name="Forget sept").click()
    page.get_by_label("Read a file").set_input_files(tmp_path / "words.safetensors")
    said(page, "1 words were read")
    (tmp_path / "bad.safetensors").write_text("no")
    page.get_by_label("Read a file").set_input_files(tmp_path / "bad.safetensors")
    said(page, "another file, or a damaged one")
    assert json.loads(data(page)["words"]) == ["sept"]


@needs_browser
@pytest.mark.extended
def test_recordings_that_are_no_word(visit: Callable[..., Visitor], sounds: dict[str, np.ndarray], tmp_path: Path) -> None:
    page, clip = digits(visit().open("teach")), sounds["7_theo_0"]
    chooser = page.get_by_label("Or recordings of yours")
    pause = np.zeros(4000)
    for samples, text, clips in (
        (np.zeros(8000), "This is silence", 0),
        (np.clip(clip * 80, -32768, 32767), "is clipped", 0),
        (np.tile(clip, 20), "got a longer one", 0),
        (np.concatenate([pause, clip, pause, clip]), "2 words were found", 1),
    ):
        chooser.set_input_files(write_wav(tmp_path / "x.wav", samples, 8000))
        said(page, text)
        assert int(data(page)["clips"]) == clips
    page.get_by_role("button", name="Teach", exact=True).click()
    said(page, "expected a name")
    page.get_by_role("button", name="Remove recording 1").click()
    assert page.get_by_role("button", name="Teach", exact=True).is_disabled()


@needs_browser
@pytest.mark.extended
def test_a_stream(url: str, made: DeployedWords, sounds: dict[str, np.ndarray], words: dict[str, WholeWord], tmp_path: Path) -> None:
    parts = [part for name in ("7_george_0", "9_theo_0", "3_nicolas_0") for part in (np.zeros(6000), sounds[name])]
    played = write_wav(tmp_path / "spoken.wav", np.concatenate([*parts, np.zeros(6000)]), 8000)
    with chromium(*MICROPHONE, f"--use-file-for-fake-audio-capture={played}") as browser:
        visitor = Visitor(browser, url)
        page = digits(visitor.open("teach"))
        for name, digit in (("seven", 7), ("three", 3)):
            teach_word(page, name, [f"{digit}_george_0", f"{digit}_nicolas_0"])
        page.get_by_role("button", name="Listen all the time").click()
        page.locator(f"{ROOM} ol[reversed] li").nth(3).wait_for(timeout=60_000)
        page.get_by_role("button", name="Stop listening").click()
        found = page.locator(f"{ROOM} ol[reversed] li").evaluate_all("items => items.map((item) => ({...item.dataset}))")[::-1]
        samples = np.array(page.locator(ROOM).evaluate("node => [...node.samples]"))
        for (_, event), one in zip(listen(made, hear(made, [samples])[0]), found, strict=False):
            match = decide(list(words.values()), event.code)
            name = "" if match.label < 0 else list(words)[match.label]
            assert (int(one["onset"]), int(one["offset"]), one["name"], int(one["score"])) == (event.onset, event.offset, name, match.score)
        assert visitor.problems == []


@needs_browser
@pytest.mark.extended
def test_words_from_a_microphone(url: str, made: DeployedWords, sounds: dict[str, np.ndarray], tmp_path: Path) -> None:
    played = write_wav(tmp_path / "spoken.wav", np.concatenate([np.zeros(8000), sounds["7_george_0"], np.zeros(12_000)]), 8000)
    with chromium(*MICROPHONE, f"--use-file-for-fake-audio-capture={played}") as browser:
        visitor = Visitor(browser, url)
        page = digits(visitor.open("teach"))
        visitor.context.set_offline(True)
        recorded = []
        for number in range(3):
            page.get_by_role("button", name="Say it").click()
            page.locator(f"{ROOM} ol li").nth(number).wait_for(timeout=30_000)
            recorded.append(np.array(page.locator(ROOM).evaluate("node => [...node.samples]")))
        page.get_by_label("Name of the word").fill("seven")
        page.get_by_role("button", name="Teach", exact=True).click()
        found = data(page)
        stored = np.array([find(made, heard).code for heard in hear(made, recorded)])
        expected = teach(stored, made.background, made.share(0.05))
        assert (int(found["theta"]), int(found["mean"])) == (expected.theta, expected.mean)
        page.get_by_role("button", name="Say a word").click()
        page.locator(ROOM).and_(page.locator("[data-heard]")).wait_for(timeout=30_000)
        assert data(page)["heard"] == "seven"
        assert visitor.problems == []
