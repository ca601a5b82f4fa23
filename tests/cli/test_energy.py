"""`dendrix energy` on every kind of run."""

import json
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models import SpikeGPT, SpikeGPTConfig, VGGConfig
from support.image_runs import write_run
from support.picture_files import write_binary

TEXT = "a rose is a rose is a rose\n" * 300


def test_language_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import save_language_model

    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    text, built, fed = (tmp_path / name for name in ("text.txt", "built", "fed"))
    text.write_text(TEXT)
    sizes = "--model.width 16 --model.layers 1 --budget.steps 1 --budget.context 16 --budget.batch-size 4 --no-report --json"
    quick = f"{sizes} --budget.valid-tokens 40 --budget.sample-tokens 0"
    assert main(["train", "spikegpt-small", *quick.split(), "--data.text", str(text), "--out", str(built)]) == 0
    fed.mkdir()
    save_language_model(fed, SpikeGPT(SpikeGPTConfig(256, 16, 1, spikes="input")), byte_tokenizer())
    capsys.readouterr()
    assert main(["energy", str(built), str(text), "--spike-input", str(fed), "--inputs", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    first, second, third = found["lines"]
    assert (found["unit"], found["units"]) == ("token", 4 * 16)
    assert first["macs"] == 13 * 16**2 + 16 * 256
    assert first["picojoules"] == pytest.approx(4.5 * first["macs"])
    assert second["acs"] == pytest.approx(0.15 * 12 * 16**2)
    assert third["macs"] == 16 * 256  # the head alone reads numbers
    assert main(["energy", str(built), "--inputs", "4"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "not measured" in told
    assert "blocks.0.ffn.value" in told
    assert "4.5 pJ for a MAC" in told
    assert "No gain on 45nm" in told
    assert main(["energy", str(built), "--inputs", "4", "--hardware", "loihi"]) == 1
    assert "all inputs of this network are numbers" in capsys.readouterr().err
    text.write_text("a rose")
    assert main(["energy", str(built), str(text)]) == 1
    assert "expected at least 16 tokens" in capsys.readouterr().err


def test_the_network_that_comes_with_dendrix(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["energy", "fsdd", "--root", str(shared / "data"), "--inputs", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["kind"] for layer in found["as_built"]["layers"]] == ["numbers", "spikes", "spikes"]
    assert found["units"] == 20
    assert found["lines"] == []  # the formula of a paper stands where it belongs
    assert found["spiking"]["picojoules"][0] == pytest.approx(sum(low for low, _ in found["spiking"]["terms"].values()))
    assert found["ratio"][0] == pytest.approx(found["spiking"]["picojoules"][0] / found["twin"]["picojoules"][0])
    assert found["break_even"]["measured"] == found["as_built"]["rate"]
    assert found["verdict"].startswith("Spikes ")


def test_an_image_network_and_its_spiking_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    write_binary(tmp_path / "data")
    run = write_run(tmp_path / "run", tmp_path / "data", VGGConfig(stages=((4,), (4,)), threshold=1.0))
    assert main(["convert", str(run), "--T", "2", "--out", str(tmp_path / "converted")]) == 0
    assert main(["energy", str(run), "--inputs", "5"]) == 0
    capsys.readouterr()
    assert main(["energy", str(tmp_path / "converted"), "--inputs", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["as_built"]["inputs"] == 5
    assert [rate["name"] for rate in found["as_built"]["rates"]] == ["network.body.features.2", "network.body.features.6"]


def test_a_policy_leaves_out_the_steps_after_the_exit(capsys: pytest.CaptureFixture[str]) -> None:
    steps = {}
    for options in ((), ("--policy", "cifar10")):
        assert main(["energy", "cifar10", "--inputs", "2", "--json", *options]) == 0
        found = json.loads(capsys.readouterr().out)
        steps[options] = found["steps"]
        layers = found["as_built"]["layers"]
        assert layers[0]["rows"] == 2  # computed once for each image, before the first step
        assert {layer["rows"] for layer in layers[1:]} == {2 * found["steps"]}
    assert steps["--policy", "cifar10"] < steps[()] == 8


def test_other_hardware_and_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure, own = tmp_path / "energy.png", tmp_path / "own.toml"
    own.write_text('title = "a"\nsource = "b"\nmemory_included = true\n[operations.int8]\nac_pj = 1\nmac_pj = [2, 3]\n')
    assert main(["energy", "fsdd", "--inputs", "2", "--hardware", str(own), "--figure", str(figure)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Spikes pay on own" in told
    assert figure.stat().st_size > 5000
    assert main(["energy", "fsdd", "--inputs", "2", "--hardware", "loihi"]) == 0
    assert "No verdict on loihi" in capsys.readouterr().out
    assert main(["energy", "fsdd", "--inputs", "2", "--reuse", "none", "--bits", "4"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "sums" not in told  # with delays, they lie in the delay lines
    assert "4 bits; that its accuracy" in told


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--inputs", "0"], 2, "at least 1"),
        (["--bits", "0"], 2, "expected 1 to 32"),
        (["--hardware", "45mn"], 1, "Did you mean '45nm'?"),
        (["--hardware", "none.toml"], 1, "No such file"),
        (["--numbers", "int32"], 1, "expected int8 or float32"),
        (["--policy", "commands"], 1, "classes: expected 40"),
        (["--policy", "novels"], 1, "No such file"),
    ],
)
def test_misuse_is_one_sentence(options: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["energy", "fsdd", *options]) == code
    assert says in capsys.readouterr().err
