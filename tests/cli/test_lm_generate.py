"""`dendrix lm generate` through the command line."""

import io
import json
from pathlib import Path

import pytest
import torch

from dendrix.cli import main

transformers = pytest.importorskip("transformers")

from dendrix.data.text.tokenizers import byte_tokenizer, character_tokenizer  # noqa: E402
from dendrix.models.spikegpt.hf_files import load_language_model, save_language_model  # noqa: E402
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig  # noqa: E402


def saved(folder: Path, seed: int = 0) -> Path:
    """A run of a model that knows nothing, but whose logits are far apart."""
    torch.manual_seed(seed)
    model = SpikeGPT(SpikeGPTConfig(256, 37, 3))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3 if weight.dim() == 2 else 1)
    folder.mkdir()
    save_language_model(folder, model, byte_tokenizer())
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("generate") / "run")


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    capsys.readouterr()
    assert main(["lm", "generate", *map(str, words), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_greedy_tokens_are_those_of_transformers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, run, "Once upon a time", "--temperature", "0", "--max-new-tokens", "40")
    model, _ = load_language_model(run)
    prompt = torch.tensor([list(b"Once upon a time")])
    tokens = model.generate(prompt, max_new_tokens=40, do_sample=False, pad_token_id=0)[0, 16:]
    assert found["text"] == bytes(tokens.tolist()).decode(errors="replace")
    assert found["tokens"] == 40


def test_penalties_and_truncation_are_options(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (run, "Once", "--max-new-tokens", "30", "--seed", "1")
    plain = answer(capsys, *options)["text"]
    for name, value in {"min-p": 0.5, "repetition-penalty": 9, "frequency-penalty": 9, "presence-penalty": 9}.items():
        assert answer(capsys, *options, f"--{name}", value)["text"] != plain
    greedy = answer(capsys, *options, "--temperature", "0")["text"]
    assert answer(capsys, *options, "--min-p", "1")["text"] == greedy


def test_a_prompt_comes_from_anywhere(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompt.txt").write_text("Héllo")
    options = ("--seed", "3", "--max-new-tokens", "20")
    typed = answer(capsys, run, "Héllo", *options)
    assert answer(capsys, run, "--file", tmp_path / "prompt.txt", *options)["text"] == typed["text"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Héllo".encode())))
    assert answer(capsys, run, "-", *options)["text"] == typed["text"]
    assert main(["lm", "generate", str(run), "Héllo", *options]) == 0
    assert capsys.readouterr().out == f"{typed['text']}\n"
    assert typed["seed"] == 3


def test_a_conversation_goes_on_where_it_was(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, greedy = tmp_path / "state.safetensors", ("--temperature", "0", "--max-new-tokens")
    whole = answer(capsys, run, "Once", *greedy, "30")
    first = answer(capsys, run, "Once", *greedy, "10", "--save-state", file)
    rest = answer(capsys, run, *greedy, "20", "--load-state", file)
    assert str(first["text"]) + str(rest["text"]) == whole["text"]
    size = file.stat().st_size
    answer(capsys, run, "And then " * 100, *greedy, "1", "--load-state", file, "--save-state", file)
    assert abs(file.stat().st_size - size) <= 16  # digits of the numbers in its header


def test_a_stop_string_ends_the_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = str(answer(capsys, run, "Once", "--temperature", "0", "--max-new-tokens", "30")["text"])
    stop = whole[8:10]
    found = answer(capsys, run, "Once", "--temperature", "0", "--max-new-tokens", "30", "--stop", stop)
    assert found["text"] == whole[: whole.index(stop)]


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_smaller_weights_are_nearly_as_good(run: Path, capsys: pytest.CaptureFixture[str], weights: str) -> None:
    options = ("Once", "--temperature", "0", "--max-new-tokens", "1")
    assert answer(capsys, run, *options, "--weights", weights)["text"] == answer(capsys, run, *options)["text"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["RUN"], 2, "PROMPT: expected some text, got none"),
        (["RUN", ""], 2, "PROMPT: expected some text, got none"),
        (["RUN", "a", "--file", "TEXT"], 2, "expected a prompt or a --file, got both"),
        (["RUN", "a", "--temperature", "-1"], 1, "temperature: expected a number in"),
        (["RUN", "a", "--top-p", "0"], 1, "top_p: expected a number in"),
        (["RUN", "a", "--max-new-tokens", "0"], 1, "max_new_tokens: expected"),
        (["RUN", "a", "--stop", ""], 1, "stops: expected non-empty strings"),
        (["RUN", "a", "--weights", "int4"], 2, "int4"),
        (["RUN", "a", "--seed", "x"], 2, "seed"),
        (["RUN", "--file", "BROKEN"], 1, "expected UTF-8, got the byte 0xff at 1"),
        (["RUN", "--file", "absent.txt"], 1, "absent.txt"),
        (["RUN", "a", "--load-state", "TEXT"], 1, "expected a saved conversation"),
        (["RUN", "a", "--load-state", "absent"], 1, "expected a saved conversation, but it does not exist"),
        (["RUN", "a", "--load-state", "OTHER"], 1, "expected a conversation with this model"),
        (["RUN", "a", "--save-state", "absent/state"], 1, "expected a file in a folder that exists"),
        (["absent", "a"], 1, "expected a language model"),
    ],
)
def test_bad_words(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str) -> None:
    (tmp_path / "text.txt").write_text("a")
    (tmp_path / "broken.txt").write_bytes(b"a\xff")
    places = {"RUN": str(run), "TEXT": str(tmp_path / "text.txt"), "BROKEN": str(tmp_path / "broken.txt")}
    if "OTHER" in words:
        other = saved(tmp_path / "other", seed=1)
        places["OTHER"] = str(tmp_path / "other.safetensors")
        answer(capsys, other, "a", "--max-new-tokens", "1", "--save-state", places["OTHER"])
    capsys.readouterr()
    assert main(["lm", "generate", *[places.get(word, word) for word in words]]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_a_tokenizer_of_characters_gives_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    save_language_model(tmp_path / "run", SpikeGPT(SpikeGPTConfig(4, 37, 3)), character_tokenizer("a€\n"))
    found = answer(capsys, tmp_path / "run", "a€", "--max-new-tokens", "20", "--seed", "1")
    assert set(str(found["text"]).replace("<unk>", "")) <= set("a€\n")
