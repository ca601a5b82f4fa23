"""`dendrix export` of language models."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dendrix.cli import main

transformers = pytest.importorskip("transformers")

from dendrix.core.files import write_json  # noqa: E402
from dendrix.data.text.tokenizers import byte_tokenizer  # noqa: E402
from dendrix.exchange.onnx_models import run_steps  # noqa: E402
from dendrix.models.gpt2 import GPT2Config  # noqa: E402
from dendrix.models.spikegpt.hf_files import load_network, save_language_model  # noqa: E402
from dendrix.train.text.data import TextData  # noqa: E402
from support.integer_texts import float_network  # noqa: E402


def saved(folder: Path, network: object) -> Path:
    """A run of a language model on a text of its own."""
    folder.mkdir()
    (folder / "text.txt").write_text("a rose is a rose is a rose\n" * 300)
    save_language_model(folder, network, byte_tokenizer())
    write_json(folder / "run.json", {"name": "rose", "recipe": {"data": TextData(str(folder / "text.txt")).to_dict()}})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("runs") / "rose", float_network(vocab_size=256, width=16))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))


FILES = {
    "c": {"dendrix_text.c", "dendrix_text.h", "model.c", "model.h", "main.c", "Makefile", "README.md", "LICENSE", "test"},
    "wasm": {"text.wasm", "text_simd.wasm", "network.bin", "dendrix_text.mjs", "dendrix_text.d.mts", "selftest.mjs", "vectors.json"},
    "npz": {"network.npz", "network.json", "vectors.json", "README.md", "LICENSE"},
}


@pytest.mark.parametrize("to", FILES)
def test_every_target_is_written(run: Path, to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--to", to, "--out", str(tmp_path / "out"), "--clips", "2", "--json"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} >= FILES[to]
    said = json.loads(capsys.readouterr().out)
    assert said["tokens"] > 300
    assert said["integer_bits_per_byte"] == pytest.approx(said["int8_bits_per_byte"], abs=0.02)
    assert said["int8_bits_per_byte"] != said["float_bits_per_byte"]
    assert said["tables_bytes"] > 10_000


@pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("make") is None, reason="needs gcc and make")
def test_make_test_passes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--to", "c", "--out", str(tmp_path / "out"), "--clips", "3"]) == 0
    assert "bits per byte" in capsys.readouterr().out
    said = subprocess.run(["make", "-s", "-C", str(tmp_path / "out"), "test", "CC=gcc"], check=True, capture_output=True, text=True)
    assert "3 texts equal" in said.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--to nir --out OUT", "expected c, wasm, npz, onnx for a language model, got nir. NIR has no nodes for it"),
        ("--to onnx --out RUN", "it is a folder"),
        ("--to onnx --out USED", "used.tokenizer.json: expected this name to be free"),
        ("--to c --out OUT --weights 4", "--weights: expected it only for other networks"),
        ("--to c --out OUT --clips 0", "texts: expected"),
        ("--to c --out RUN", "it exists"),
        ("--to run --out OUT", "expected c, wasm, npz, onnx for a language model, got run"),
        ("--to c --out OUT --max-flash 6k --max-ram 1k", "too many; RAM"),
        ("--to c --out OUT --max-flash lots", "number of bytes"),
        ("--to c --out OUT --agreement 0.9", "--agreement: expected it only for other networks"),
    ],
)
def test_bad_words(run: Path, words: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = {"OUT": str(tmp_path / "out"), "RUN": str(run), "USED": str(tmp_path / "used.onnx")}
    (tmp_path / "used.tokenizer.json").write_text("{}")
    assert main(["export", str(run), *[places.get(word, word) for word in words.split()]]) != 0
    assert says in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {"used.tokenizer.json"}
    assert not (tmp_path / "out").exists()


def test_a_shipped_network_is_found_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "novels", "--to", "run", "--out", str(tmp_path / "out")]) == 2
    assert "expected c, wasm, npz, onnx for a language model, got run" in capsys.readouterr().err
    assert main(["export", "novels", "--to", "c", "--root", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_gpt2_has_no_integer_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved(tmp_path / "gpt2", GPT2Config(256, width=16, layers=1, heads=2).build())
    assert main(["export", str(folder), "--to", "c", "--out", str(tmp_path / "out")]) == 1
    assert "got GPT2, which has no integer form" in capsys.readouterr().err


def test_vectors_are_of_the_validation_text(run: Path, tmp_path: Path) -> None:
    assert main(["export", str(run), "--to", "wasm", "--out", str(tmp_path / "out"), "--clips", "2"]) == 0
    found = json.loads((tmp_path / "out" / "vectors.json").read_text())["texts"]
    assert all(set(np.array(text["tokens"])) <= set(b"a rose is\n") for text in found)


@pytest.mark.extended
@pytest.mark.parametrize("form", ["step", "sequence"])
def test_onnx_generates_without_dendrix(run: Path, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", str(run), "--to", "onnx", "--form", form, "--out", str(tmp_path / "net.onnx")]) == 0
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {"net.onnx", "net.md", "net.tokenizer.json"}
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec((tmp_path / "net.md").read_text().split("```python\n")[1].split("```")[0], names)
    assert names["outputs"].shape == (1, len("It was a"), 256)
    assert names["x"].tolist() == [list(b"It was a")]
    if form == "step":
        assert len(names["ids"]) == len("It was a") + 100
    network, _ = load_network(run)
    x = torch.randint(256, (2, 40))
    session = onnxruntime.InferenceSession("net.onnx")
    found = session.run(None, {"sequence": x.numpy()})[0] if form == "sequence" else run_steps(session, x[:1].numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found, network(x)[0][: len(found)].numpy(), rtol=1e-3, atol=1e-4)


def test_no_onnx_of_gpt2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = saved(tmp_path / "gpt2", GPT2Config(256, width=8, layers=1, heads=2, context=16).build())
    assert main(["export", str(run), "--to", "onnx", "--out", str(tmp_path / "net.onnx")]) == 1
    assert "expected a SpikeGPT, got GPT2" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} - {"cache"} == {"gpt2"}
