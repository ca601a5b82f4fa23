"""Taught words in whole numbers: the reference against `dendrix.teach`, and C and WebAssembly against the reference, to the bit."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.deploy import DeployedWords, IntegerMel, export_words_c, export_words_wasm, quantise, words_sizes
from dendrix.deploy.words import IntegerSpeech, Rate, WholeBackground, whole_whitening
from dendrix.deploy.words_reference import Heard, decide, edges, find, levels, listen, smoothed, spans, teach
from dendrix.errors import InputError
from dendrix.layers import Sequential
from dendrix.teach import Span, SpeechDetector, Vocabulary, bin_counts, fit_whitening, on_off_winners, threshold
from dendrix.teach.speech import smoothed as float_smoothed
from support.exports import NODE, SANE, STRICT, gcc, needs_gcc, needs_node, selftest
from support.integer_networks import deployed, frames, network
from support.taught import backbone, codes

SOURCES = "-DDX_TRACE -DDX_DEBUG=1 test/selftest.c dendrix.c dendrix_words.c model.c words.c"


def made_words(rng: np.random.Generator, kind: str = "LIF", bits: int = 8, layers: int = 1, clips: int = 2) -> DeployedWords:
    """A small network with random whitening, background and words."""
    net = quantise(network(kind, inputs=6, hidden=13, max_delay_ms=120.0) if layers == 1 else two_layers(), [frames()], weights=bits)
    features, rank, background = 3 * 13 * layers, 5, 40
    directions = np.linalg.qr(rng.normal(size=(features, rank)))[0]
    active = features // 4
    made = DeployedWords(
        replace(deployed(net, encoder=IntegerMel(dt_ms=20.0, n_mels=6, centred=True), dt_ms=20.0), rule=None),
        layers,
        3,
        tail=6,
        active=active,
        memory=60,
        step=2,
        speech=IntegerSpeech(round(0.35 * 65536), round(0.2 * 65536), 40, 3, 5, 3),
        whitening=whole_whitening(rng.uniform(0, 4, features), directions, rng.uniform(0.3, 0.9, rank), 21),
        background=WholeBackground(
            random_codes(rng, background, 2 * features, active),
            np.full(background, 2**30 // background),
            np.arange(background) % 4,
            tuple("abcd"),
        ),
        rates=(Rate(0.1, 2**27, 0.0, 0.2),),
        words={},
    )
    stored = {f"word {k}": teach(random_codes(rng, clips, 2 * features, active), made.background, 2**27) for k in range(3)}
    return replace(made, words=stored)


def two_layers() -> Sequential:
    """Two hidden layers of 13 neurons."""
    first, second = (network(inputs=inputs, hidden=13, max_delay_ms=120.0).stages for inputs in (6, 13))
    return Sequential(*first[:3], *second).eval()


def random_codes(rng: np.random.Generator, count: int, n: int, active: int) -> np.ndarray:
    return np.argsort(rng.random((count, n)), axis=1) < active


def sounds(rng: np.random.Generator) -> list[np.ndarray]:
    """Bursts of noise in silence, one or several, loud and quiet, and silence and noise throughout."""
    found = []
    for _ in range(3):
        clip = rng.normal(size=160 * 40 + int(rng.integers(0, 160))) * 30
        for _ in range(int(rng.integers(1, 3))):
            start, length = int(rng.integers(0, 4000)), int(rng.integers(600, 2400))
            clip[start : start + length] += rng.normal(size=len(clip[start : start + length])) * 6000
        found.append(clip)
    found += [np.zeros(1000), rng.normal(size=3000) * 9000, np.full(1, -32768.0), rng.integers(-32768, 32768, 8000)]
    return [np.clip(np.rint(clip), -32768, 32767).astype(np.int64) for clip in found]


@needs_gcc
@pytest.mark.parametrize(("kind", "bits", "layers"), [("LIF", 8, 1), ("LIF, soft", 4, 1), ("RecurrentDelay", 8, 1), ("LIF", 8, 2)])
def test_c_equals_the_reference(kind: str, bits: int, layers: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = made_words(rng, kind, bits, layers)
    export_words_c(made, tmp_path / "words", sounds(rng))
    assert "7 clips" in gcc(tmp_path / "words", f"{STRICT} {SANE} {SOURCES}")


@needs_gcc
def test_the_test_vectors_find_a_changed_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    export_words_c(made_words(rng), tmp_path / "words", sounds(rng))
    table = tmp_path / "words" / "words.c"
    text = table.read_text()
    table.write_text(text.replace(".active = 9", ".active = 8"))
    assert table.read_text() != text
    with pytest.raises(subprocess.CalledProcessError):
        gcc(tmp_path / "words", f"{STRICT} {SOURCES}")


@needs_gcc
def test_the_program_prints_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    export_words_c(made_words(rng), tmp_path / "words", sounds(rng))
    folder = tmp_path / "words"
    subprocess.run(["make", "-s", "words"], cwd=folder, check=True, capture_output=True)
    clip = sounds(rng)[0].astype("<i2").tobytes()
    said = json.loads(subprocess.run(["./words", "clip"], cwd=folder, input=clip, capture_output=True, check=True).stdout)
    assert said.keys() == {"word", "nearest", "score", "threshold", "frames", "words"}
    late = subprocess.run(["./words", "clip"], cwd=folder, input=clip * 9, capture_output=True)
    assert late.returncode == 1
    assert b"got a longer one" in late.stderr


@needs_node
@pytest.mark.parametrize("layers", [1, 2])
def test_webassembly_equals_the_reference(layers: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(layers)
    export_words_wasm(made_words(rng, layers=layers), tmp_path / "words", sounds(rng))
    assert "7 clips" in selftest(tmp_path / "words")


MANAGE = """
import { readFileSync } from "node:fs";
import { Words } from "./words.mjs";
const pooled = Buffer.concat([Buffer.alloc(3), readFileSync("words.bin")]).subarray(3);
const words = new Words(new WebAssembly.Module(readFileSync("words.wasm")), pooled);
const said = [];
const note = (act) => { try { act(); said.push("nothing"); } catch (error) { said.push(error.message); } };
const codes = words.word("word 1").codes;
words.forget("word 0");
words.rename("word 1", "one");
words.teach("again", codes, 0.1);
note(() => words.teach("again", codes, 0.1));
note(() => words.teach("more", codes, 0.5));
note(() => words.teach("more", [], 0.1));
note(() => words.forget("word 0"));
note(() => words.code(new Int16Array(20000)));
note(() => words.code(new Int16Array(0)));
const { name, score } = words.decide(codes[0]);
const { scores } = words.report("again");
console.log(JSON.stringify({ said, names: words.names, name, score, again: words.word("again"), scores, first: words.scores(codes[0]) }));
"""


@needs_node
def test_words_are_managed_in_javascript(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = made_words(rng)
    export_words_wasm(made, tmp_path / "words", sounds(rng))
    (tmp_path / "words" / "manage.mjs").write_text(MANAGE)
    done = subprocess.run([str(NODE), "manage.mjs"], cwd=tmp_path / "words", check=True, capture_output=True, text=True)
    found, word = json.loads(done.stdout), made.words["word 1"]
    assert found["names"] == ["one", "word 2", "again"]
    taught = teach(word.codes, made.background, 2**27)
    assert (found["again"]["theta"], found["again"]["mean"], found["again"]["deviation"]) == (taught.theta, taught.mean, taught.deviation)
    assert found["scores"] == (made.background.codes.astype(int) @ word.codes.T.astype(int)).sum(1).tolist()
    match = decide([made.words["word 1"], made.words["word 2"], taught], word.codes[0])
    assert (found["name"], found["score"]) == (["one", "word 2", "again"][match.label], match.score)
    expected = (
        "taught before",
        "expected a rate of 0.1",
        "got none or too many",
        "expected a word",
        "got a longer one",
        "sound before stop",
    )
    assert all(part in line for part, line in zip(expected, found["said"], strict=True)), found["said"]


@settings(max_examples=50, deadline=None, derandomize=True)  # a level within rounding of the threshold may end a word elsewhere
@given(st.integers(0, 2**32 - 1))
def test_the_detector_agrees_with_that_of_teach(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 20, (int(rng.integers(1, 120)), 8))
    for _ in range(int(rng.integers(0, 4))):
        start, length = int(rng.integers(0, 120)), int(rng.integers(1, 40))
        x[start : start + length] += rng.integers(-100, 100, 8)
    whole = IntegerSpeech(round(0.35 * 65536), round(0.35 * 65536), round(0.1 * 8 * 64 * 16), 3, 12, 4)
    expected = SpeechDetector(smoothing_ms=60.0).words(torch.from_numpy(x / 64).float(), 20.0)
    found = spans(whole, levels(x))
    # A level within rounding of the threshold may fall on the other side of it.
    assert len(found) == len(expected) or abs(len(found) - len(expected)) == 1
    if len(found) == len(expected):
        assert all(abs(a - b) <= 1 for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=True))


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=30), st.integers(1, 9))
def test_smoothing_is_that_of_teach(values: list[int], width: int) -> None:
    expected = float_smoothed(np.array(values, float), width)
    assert (smoothed(np.array(values), width) == np.floor(expected + 1e-9)).all()


@given(st.integers(0, 300), st.integers(1, 300), st.integers(1, 9))
def test_bins_are_those_of_teach(onset: int, length: int, bins: int) -> None:
    spikes = torch.rand(onset + length, 2).round()
    expected = bin_counts(spikes, Span(onset, onset + length), bins).reshape(bins, 2)
    places = edges(onset, onset + length, bins)
    for row, first, last in zip(expected, places[:-1], places[1:], strict=True):
        assert (row == spikes[first:last].sum(0).numpy()).all()


def test_whitening_and_winners_are_near_those_of_teach() -> None:
    rng = np.random.default_rng(0)
    features, word = rng.poisson(2 + 3 * rng.random((1, 60)), (400, 60)), np.arange(400) % 20
    fitted = fit_whitening(features, word, rank=16)
    whole = whole_whitening(fitted.mean, fitted.directions, fitted.reduction, int(features.max()))
    z, expected = whole(features.astype(np.int64)), fitted(features)
    scale = 2.0 ** (whole.fraction + whole.extra)
    assert np.abs(z / scale - expected).max() < 0.05
    both = on_off_winners(z / scale, 0.1).dense() & on_off_winners(expected, 0.1).dense()
    assert both.sum() > 0.97 * 400 * 12


def test_a_whitening_that_could_overflow_is_refused() -> None:
    with pytest.raises(InputError, match="sums below 2"):
        whole_whitening(np.zeros(4), np.eye(4), np.full(4, 0.5), 2**30)


def test_thresholds_and_decisions_are_those_of_teach() -> None:
    known = backbone()
    vocabulary, words = Vocabulary(known), []
    share = round(2**30 * 0.05)
    weights = np.full(len(known.background), 2**30 // len(known.background))
    whole = WholeBackground(known.background.codes.dense(), weights, known.background.word, known.background.names)
    for number in range(100, 104):
        stored = codes(number, 3)
        word = vocabulary.teach(str(number), stored, 0.1)
        found = teach(stored.dense(), whole, share)
        assert found.theta == threshold(known.background.scores(stored), 0.05)
        assert found.mean / 64 == pytest.approx(word.mean, abs=0.05)
        assert found.deviation / 64 == pytest.approx(word.deviation, abs=0.05)
        words.append(replace(found, theta=word.theta))
    probes = [codes(number, 5, seed=1) for number in range(98, 106)]
    for probe in probes:
        for one, code in zip(vocabulary.decide(probe), probe.dense(), strict=True):
            match = decide(words, code)
            assert one.label == (None if match.label < 0 else str(100 + match.label))
            assert (one.score, one.theta) == (match.score, match.theta)


def test_streams_find_each_word_once() -> None:
    rng = np.random.default_rng(0)
    made = made_words(rng)
    level = np.full(200, 0)
    for onset in (20, 60, 130):
        level[onset : onset + 10] = 5000
    heard = Heard(level, rng.random((200, 13)) < 0.3)
    found = list(listen(made, heard))
    assert [one.onset for _, one in found] == [20, 60, 130]
    assert all(one.offset + made.tail < now <= one.offset + made.tail + 2 for now, one in found)


def test_parts_that_do_not_fit_are_refused() -> None:
    made = made_words(np.random.default_rng(0))
    with pytest.raises(InputError, match="expected 1 to 1, the spiking layers"):
        replace(made, layers=2)
    with pytest.raises(InputError, match="features, as the network has"):
        replace(made, bins=2)
    with pytest.raises(InputError, match="expected none for taught words"):
        replace(made, deployed=deployed(made.deployed.network, encoder=made.deployed.encoder))
    with pytest.raises(InputError, match="expected log-mel energies, got NoneType"):
        replace(made, deployed=replace(made.deployed, encoder=None))
    with pytest.raises(InputError, match="Use longer pauses"):
        replace(made, memory=900)
    with pytest.raises(InputError, match=r"expected one of 0\.1, got 0\.2"):
        made.share(0.2)
    with pytest.raises(InputError, match="Cut it to the word"):
        find(made, Heard(np.zeros(61, np.int64), np.zeros((61, 13), bool)))


def test_sizes() -> None:
    made = made_words(np.random.default_rng(0))
    size = words_sizes(made)
    assert size.background == 40 * (10 + 4)  # 78 bits
    assert size.words == 3 * (2 * 10 + 16)
    assert size.memory > 4 * 60 + 60 * 2
