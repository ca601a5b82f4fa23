"""`dendrix lm finetune`: from sentences to a folder that evaluates, resumes and predicts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from accelerate import Accelerator

from dendrix.cli import main
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt.hf_files import save_language_model
from dendrix.models.spikegpt.network import SpikeGPTBody
from dendrix.models.spikegpt.neurons import NeuronConfig
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.train.sentence.data import SentenceData
from dendrix.train.sentence.learner import SentenceLearner
from dendrix.train.sentence.recipe import SentenceModel, SentenceRecipe
from dendrix.train.text.recipe import TextOptim

GOOD, BAD = ("bright", "fine", "warm", "kind"), ("dull", "grim", "cold", "mean")
LENGTH = "--optim.lr 0.01 --optim.warm-up 2 --budget.batch-size 16 --no-report --json"
SIZES = f"--model.width 16 --model.layers 1 {LENGTH}"


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    """Two kinds of words in a TSV; half of each sentence is noise."""
    generator = torch.Generator().manual_seed(0)
    lines = ["text\tlabel"]
    for i in range(200):
        words = BAD if i % 2 else GOOD
        picked = [words[int(torch.randint(4, (), generator=generator))] for _ in range(3)]
        noise = [f"the{int(torch.randint(5, (), generator=generator))}" for _ in range(1 + i % 4)]
        lines.append(" ".join([*noise, *picked]) + "\t" + ("bad" if i % 2 else "good"))
    path = tmp_path / "films.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def trained(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["lm", "finetune", *map(str, words), *SIZES.split()]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_learns_and_evaluates(sentences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = trained(capsys, sentences, "--out", tmp_path / "run", "--budget.epochs", 6, "--model.pooling", "last")
    assert record["progress"]["best_accuracy"] >= 0.9
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] >= 0.9
    assert found["labels"] == ["bad", "good"]
    assert main(["energy", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unit"] == "input"
    assert main(["exits", "record", str(tmp_path / "run"), "--out", str(tmp_path / "valid.npz"), "--json"]) == 0


def test_other_neurons(sentences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    record = trained(capsys, sentences, "--out", run, "--budget.epochs", 4, "--model.neurons.norm", "--model.neurons.levels", 2)
    assert record["progress"]["best_accuracy"] >= 0.9
    neurons = load_checkpoint(run).model.config.neurons
    assert neurons == NeuronConfig(norm=True, levels=2)
    assert main(["lm", "finetune", str(sentences), "--out", str(tmp_path / "no"), "--model.spikes", "none", "--model.neurons.norm"]) == 1
    assert 'neurons: expected none to be described, because spikes="none"' in capsys.readouterr().err


def test_a_resumed_training_is_the_same(sentences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    trained(capsys, sentences, "--out", tmp_path / "whole", "--budget.epochs", 3)
    validate, seen = SentenceLearner.validate, []

    def stops_once(self: SentenceLearner, step: int) -> dict[str, Any]:
        seen.append(step)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return validate(self, step)

    monkeypatch.setattr(SentenceLearner, "validate", stops_once)
    options = ["lm", "finetune", str(sentences), "--out", str(tmp_path / "parts"), "--budget.epochs", "3", *SIZES.split()]
    assert main(options) == 130
    assert main([*options, "--resume"]) == 0
    whole, parts = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_a_language_model_goes_on_learning(sentences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("the warm and the cold\n" * 300)
    sizes = "--model.width 16 --model.layers 1 --budget.steps 3 --budget.every 3 --budget.context 16 --budget.batch-size 4 --no-report"
    sizes += " --budget.valid-tokens 40 --budget.sample-tokens 0"
    assert main(["train", "spikegpt-small", *sizes.split(), "--data.text", str(tmp_path / "text.txt"), "--out", str(tmp_path / "lm")]) == 0
    capsys.readouterr()
    tuned = ["lm", "finetune", str(sentences), "--out", str(tmp_path / "run"), "--model.pretrained", str(tmp_path / "lm")]
    for option, value in (("--model.width", "16"), ("--model.neurons.levels", "2"), ("--data.tokenizer", "bytes")):
        assert main([*tuned, option, value]) == 2
        assert f"{option[2:]}: expected none beside model.pretrained".replace(".levels", "") in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*tuned, "--budget.epochs", "2", *LENGTH.split()]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["recipe"]["data"]["tokenizer"] == str(tmp_path / "lm" / "tokenizer.json")
    from dendrix.models.spikegpt.hf_files import load_classifier

    network, _, _, tokenizer = load_classifier(tmp_path / "run")
    assert network.config.vocab_size == tokenizer.get_vocab_size() == 256


def test_the_scale_of_a_pretrained_embedding_changes_no_output(sentences: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    language_model = SpikeGPT(SpikeGPTConfig(256, width=16, layers=1))
    save_language_model(tmp_path, language_model, byte_tokenizer())
    recipe = SentenceRecipe(SentenceData(str(sentences)), SentenceModel(str(tmp_path)), TextOptim(warm_up=0))
    splits, networks = recipe.data.load(), []
    for scale in (0.1, 1.0):
        changed = replace(recipe, model=replace(recipe.model, embedding_scale=scale))
        network = SentenceLearner(changed, splits, Accelerator(cpu=True)).network.eval()
        assert torch.equal(network.emb.weight, language_model.emb.weight * scale)
        networks.append(SpikeGPTBody.forward(network, splits.train.x[0][None])[0])
    assert torch.equal(*networks)
    assert networks[0].abs().sum() > 0
    with pytest.raises(ValueError, match=r"model\.embedding_scale: expected none without model\.pretrained, got 0\.2"):
        SentenceModel(embedding_scale=0.2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("text\tlabel\nfine\n", "expected 2 columns"),
        ("phrase\tlabel\n" + "fine\tgood\n" * 9, "expected the column 'text'"),
        ("text\tlabel\n" + "fine\tgood\n" * 20, "at least two classes"),
    ],
)
def test_bad_input_leaves_nothing_behind(content: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.tsv").write_text(content)
    assert main(["lm", "finetune", str(tmp_path / "bad.tsv"), "--out", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "says"), [(["sst22"], "Did you mean"), (["none.tsv"], "does not exist"), (["sst2", "--model.widht", "3"], "--model.width")]
)
def test_misuse(words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lm", "finetune", *words, "--out", str(tmp_path / "run")]) in (1, 2)
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
