"""The study of sentences: its recipes, its page, and a trial of it on a data pack of its own."""

import io
import tarfile
from pathlib import Path

import pytest

from dendrix.data.text.nlu import TASKS as PUBLISHED
from dendrix.reproduce.studies import nlu as study
from dendrix.reproduce.studies.nlu_page import page

pytest.importorskip("transformers")


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every file of the tasks, small: what a sentence says is its label."""
    with tarfile.open(tmp_path / "nlu.tar.xz", "w:xz") as archive:
        for task in PUBLISHED.values():
            for name in filter(None, task[:3]):
                rows = [f"{i % len(task.names)}\tword{i % len(task.names)} and more words\n" for i in range(60)]
                content = "".join(rows).encode()
                member = tarfile.TarInfo(f"{name}.tsv")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path))
    return tmp_path


def test_all_networks_differ_in_one_thing(tmp_path: Path) -> None:
    recipes = {cell.network: cell.described(tmp_path) for cell in study.cells() if cell.task == "mr"}
    assert recipes["spiking"].model.spikes == "output"
    assert recipes["continuous"].model.spikes == "none"
    assert recipes["pretrained"].data.tokenizer == str(tmp_path / "language-model" / "tokenizer.json")
    assert recipes["spiking"].optim == recipes["continuous"].optim
    assert len(study.cells()) == 4 * 5


def test_a_cell_and_its_rival(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study.fit_bag("sst2", pack / "out")
    study.train(study.Cell("spiking", "sst2"), pack / "out", epochs=1)
    study.train(study.Cell("spiking", "sst2"), pack / "out", epochs=1)  # complete: stays as it is
    checked = study.report(pack / "out")
    assert [one.says for one in checked] == ["test accuracy in %, bag of words", "test accuracy in %, spiking"]
    assert checked[0].computed == 100
    assert "| SST-2 | 100.0 % |" in (pack / "out" / study.PAGE).read_text()
    capsys.readouterr()


def test_the_page_says_where_it_loses() -> None:
    def outcome(accuracy: float, seconds: float | None = 60.0) -> dict[str, float | None]:
        return dict(accuracy=accuracy, sentences=100, valid_accuracy=0.5, valid_sentences=100, parameters=10, seconds=seconds)

    found = {
        "sst2": {"bag of words": outcome(0.8, None), "spiking": outcome(0.7), "continuous": outcome(0.9)},
        "trec": {"bag of words": outcome(0.8, None), "spiking": outcome(0.85)},
    }
    text = page(found)
    assert "beats the bag of words on TREC (+5.0 points, spiking), and loses on SST-2 (-10.0 points, spiking)" in text
    assert "| SST-2 | 80.0 % | 70.0 % | 90.0 % | ± 7.8 |" in text
