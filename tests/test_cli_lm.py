"""`dendrix train spikegpt-small` and `dendrix lm eval` through the command line."""

import json
import math
from pathlib import Path

import pytest

from dendrix.cli import main

pytest.importorskip("transformers")
TEXT = "a rose is a rose is a rose\n" * 300


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


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["RUN"], 2, "expected at least one text"),
        (["RUN", "FILE", "--stride", "3"], 2, "expected --context with it"),
        (["RUN", "FILE", "--context", "8", "--stride", "9"], 1, "stride: expected 1 to the context"),
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
