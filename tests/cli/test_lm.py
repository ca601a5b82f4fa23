"""`dendrix train spikegpt-small` and `dendrix lm eval` through the command line."""

import errno
import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from dendrix.cli import main
from dendrix.core.files import read_json, write_json
from dendrix.data.text.tokenizers import learned_tokenizer
from dendrix.train.text import learner as text_learner

pytest.importorskip("transformers")
TEXT = "a rose is a rose is a rose\n" * 300
TINY = "--model.width 16 --model.layers 1 --budget.steps 8 --budget.every 4 --budget.context 16 --budget.batch-size 2 --no-report"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    (folder / "text.txt").write_text(TEXT)
    sizes = "--model.width 16 --model.layers 1 --budget.steps 20 --budget.every 20 --budget.context 16 --budget.batch-size 4"
    options = f"{sizes} --optim.lr 0.02 --optim.warm-up 2 --data.text {folder / 'text.txt'} --out {folder / 'run'} --json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENDRIX_CACHE", str(folder / "cache"))
        assert main(["train", "spikegpt-small", *options.split()]) == 0
    return folder / "run"


def test_scores_a_text(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.txt").write_text(TEXT[:900])
    (tmp_path / "bytes.bin").write_bytes(b"\xff\xfe" * 200)
    capsys.readouterr()
    assert main(["lm", "eval", str(run), str(tmp_path / "new.txt"), str(tmp_path / "bytes.bin"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    text, other = (found[str(tmp_path / name)] for name in ("new.txt", "bytes.bin"))
    assert text["tokens"] == 899
    assert text["bits_per_byte"] == text["bits_per_character"] == pytest.approx(text["nats"] / math.log(2) / 900)
    assert text["bits_per_byte"] < 5 < 8 < other["bits_per_byte"]
    assert other["bits_per_character"] is None
    assert main(["lm", "eval", str(run), str(tmp_path / "new.txt"), "--context", "32"]) == 0
    assert "word perplexity" in capsys.readouterr().out


def test_a_prefix_gives_the_first_token_a_score(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.txt").write_text(TEXT[:300])
    (tmp_path / "prefixed.txt").write_text("\n" + TEXT[:300])
    capsys.readouterr()
    assert main(["lm", "eval", str(run), str(tmp_path / "plain.txt"), "--prefix-token", "10", "--json"]) == 0
    (plain,) = json.loads(capsys.readouterr().out).values()
    assert main(["lm", "eval", str(run), str(tmp_path / "prefixed.txt"), "--json"]) == 0
    (prefixed,) = json.loads(capsys.readouterr().out).values()
    assert (plain["tokens"], plain["nats"]) == (300, prefixed["nats"])
    assert plain["bits_per_byte"] == pytest.approx(plain["nats"] / math.log(2) / 300)


def test_rounded_weights_cost_a_little(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.txt").write_text(TEXT[:900])
    found = {}
    for kind in ("float32", "bfloat16", "int8"):
        capsys.readouterr()
        assert main(["lm", "eval", str(run), str(tmp_path / "new.txt"), "--weights", kind, "--json"]) == 0
        found[kind] = json.loads(capsys.readouterr().out)[str(tmp_path / "new.txt")]["nats"]
    assert len(set(found.values())) == 3
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.01)
    assert found["int8"] == pytest.approx(found["float32"], rel=0.01)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["RUN"], 2, "expected at least one text"),
        (["RUN", "FILE", "--stride", "3"], 2, "expected --context as well"),
        (["RUN", "FILE", "--context", "8", "--stride", "9"], 1, "stride: expected from 1 to the context"),
        (["RUN", "FILE", "--context", "8", "--stride", "0"], 1, "stride: expected from 1 to the context"),
        (["RUN", "FILE", "--prefix-token", "256"], 1, "prefix_token: expected a whole number in [0, 255], got 256"),
        (["RUN", "FILE", "--context", "0"], 1, "context: expected at least 1 token, got 0"),
        (["RUN", "absent.txt"], 1, "absent.txt"),
        (["RUN", "EMPTY"], 1, "expected at least two tokens, got 0"),
        (["absent", "FILE"], 1, "expected a language model"),
    ],
)
def test_bad_words(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str) -> None:
    (tmp_path / "text.txt").write_text(TEXT[:200])
    (tmp_path / "empty.txt").write_text("")
    places = {"RUN": str(run), "FILE": str(tmp_path / "text.txt"), "EMPTY": str(tmp_path / "empty.txt")}
    capsys.readouterr()
    assert main(["lm", "eval", *[places.get(word, word) for word in words]]) == code
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def renamed(run: Path) -> None:
    weights = load_file(run / "model.safetensors")
    weights["more"] = weights.pop("head.weight")
    save_file(weights, run / "model.safetensors", {"format": "pt"})


def of_another_size(run: Path) -> None:
    write_json(run / "config.json", {**read_json(run / "config.json"), "vocab_size": 100})


def of_other_tokens(run: Path) -> None:
    learned_tokenizer([TEXT], 300).save(str(run / "tokenizer.json"))


def no_weights(run: Path) -> None:
    (run / "model.safetensors").write_bytes(pickle.dumps({"a": 1}))


def of_another_kind(run: Path) -> None:
    write_json(run / "config.json", {"model_type": "llama"})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (renamed, "there are missing head.weight; unexpected more"),
        (of_another_size, "mismatched head.weight ([256, 16] and not [100, 16]), model.body.emb.weight"),
        (of_other_tokens, "tokens: expected 0 to 255"),
        (no_weights, "it cannot be read"),
        (of_another_kind, "expected a model of type 'spikegpt', but config.json has type 'llama'"),
    ],
)
def test_spoiled_runs(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], spoil: Callable[[Path], None], says: str) -> None:
    spoil(shutil.copytree(run, tmp_path / "run"))
    (tmp_path / "text.txt").write_text(TEXT[:200])
    capfd.readouterr()
    assert main(["lm", "eval", str(tmp_path / "run"), str(tmp_path / "text.txt")]) == 1
    said = capfd.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", "", "text.txt: expected some text, got none"),
        (b"ab", "", "text: expected some text for validation, got none"),
        (b"abc \xff\n" * 99, "--data.tokenizer characters", "expected UTF-8, got the byte 0xff at 4"),
        (b"abc \xff\n" * 99, "--data.tokenizer learned", "expected UTF-8, got the byte 0xff at 4"),
        (b"abc\n" * 999, "--model.vocab-size 100", "Set --model.vocab-size 256"),
    ],
)
def test_texts_that_cannot_be_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes, options: str, says: str
) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_bytes(content)
    words = f"{TINY} {options} --data.text {tmp_path / 'text.txt'} --out {tmp_path / 'run'}"
    assert main(["train", "spikegpt-small", *words.split()]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_training_that_diverges_names_the_step_and_keeps_its_best(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text_learner, "rate", lambda optim, step, steps: 1e30 if step == 6 else 1e-3)
    (tmp_path / "text.txt").write_text(TEXT)
    words = f"{TINY} --data.text {tmp_path / 'text.txt'} --out {tmp_path / 'run'}"
    assert main(["train", "spikegpt-small", *words.split()]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "diverged at step 7" in said
    assert f"The best network so far, of epoch 1, is in {tmp_path / 'run'}" in said
    assert main(["lm", "eval", str(tmp_path / "run"), str(tmp_path / "text.txt")]) == 0


def test_a_full_disk_names_the_folder_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import PreTrainedModel

    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text(TEXT)
    saved, save = [], PreTrainedModel.save_pretrained

    def until_full(model: PreTrainedModel, folder: str) -> None:
        saved.append(folder)
        if len(saved) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(model, folder)

    words = f"{TINY} --data.text {tmp_path / 'text.txt'} --out {tmp_path / 'run'}".split()
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", until_full)
    assert main(["train", "spikegpt-small", *words]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"dendrix: {tmp_path / 'run'}: No space left on device")
    assert main(["lm", "eval", str(tmp_path / "run"), str(tmp_path / "text.txt")]) == 0
    assert main(["train", "spikegpt-small", *words, "--resume"]) == 0
    assert not list((tmp_path / "run").glob(".*"))


def test_other_commands_send_a_language_model_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 1
    assert "got a language model. Use dendrix lm" in capsys.readouterr().err
