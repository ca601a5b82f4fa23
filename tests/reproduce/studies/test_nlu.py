"""The study of sentences: its recipes, its page, and a trial on a small data pack."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from dendrix.core.files import read_json
from dendrix.data.text.nlu import TASKS as PUBLISHED
from dendrix.models.spikegpt.neurons import PUBLISHED as PUBLISHED_NEURONS
from dendrix.models.spikegpt.neurons import NeuronConfig
from dendrix.reproduce.studies import nlu as study
from dendrix.reproduce.studies.nlu import LANGUAGE_MODELS, PIECES, check, page
from dendrix.reproduce.study import OUTCOME, RUNS
from dendrix.train.sentence.recipe import SentenceRecipe
from dendrix.train.text.recipe import TextRecipe
from support.paths import DOCS

pytest.importorskip("transformers")


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every file of the tasks, small: what a sentence says is its label."""
    with tarfile.open(tmp_path / "nlu.tar.xz", "w:xz") as archive:
        for task in PUBLISHED.values():
            for name in filter(None, task[:3]):
                rows = [
                    f"{i % len(task.names)}\tword{i % len(task.names)} and more words{f' rare{i}' * (i % 10 == 1)}\n" for i in range(60)
                ]
                content = "".join(rows).encode()
                member = tarfile.TarInfo(f"{name}.tsv")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path))
    return tmp_path


def test_all_networks_differ_in_one_thing(tmp_path: Path) -> None:
    cells = study.cells(tmp_path)
    recipes = {cell.key[1]: cell.recipe for cell in cells if cell.key[0] == "mr" and isinstance(cell.recipe, SentenceRecipe)}
    assert recipes["spiking"].model.spikes == "output"
    assert recipes["continuous"].model.spikes == "none"
    for name, language_model in LANGUAGE_MODELS.items():
        assert recipes[name].data.tokenizer == str(tmp_path / RUNS / language_model / "tokenizer.json")
        assert [cell.needs for cell in cells if cell.key[1:] == (name,)] == [(language_model,)] * 5
    assert recipes["spiking"].model.neurons == PUBLISHED_NEURONS
    assert recipes["normed"].model == replace(recipes["spiking"].model, neurons=NeuronConfig(norm=True))
    assert recipes["spiking"].optim == recipes["continuous"].optim == recipes["normed"].optim
    assert len({cell.name for cell in cells}) == len(cells) == 5 * 8 + 2


@pytest.mark.usefixtures("pack")
def test_a_trial_of_one_network_and_the_bag_of_words(tmp_path: Path) -> None:
    every = study.cells(tmp_path / "out")
    some = replace(study.STUDY, cells=lambda _: [cell for cell in every if cell.name in ("sst2-bag", "sst2-words", "sst2-spiking")])
    checked = some.reproduce(tmp_path / "out", epochs=1)
    assert [one.says for one in checked] == [f"test accuracy in %, {name}" for name in ("bag of words", "single words", "spiking")]
    assert checked[0].computed == checked[1].computed == 100
    written = (tmp_path / "out" / study.STUDY.page_file).read_text()
    assert "| SST-2 | 100.0 % | 100.0 % |" in written
    assert some.reproduce(tmp_path / "out", epochs=1) == checked  # complete cells stay as they are
    assert (tmp_path / "out" / study.STUDY.page_file).read_text() == written


def test_stored_outcomes_give_the_results_and_the_page_of_the_docs(tmp_path: Path) -> None:
    docs = DOCS
    found = read_json(docs / study.STUDY.results_file)
    stored = {f"{task}-{study.BAGS.get(name, name)}": kept for task in study.TASKS for name, kept in found[task].items()}
    for name, kept in {**stored, LANGUAGE_MODELS[PIECES]: found["texts"]}.items():
        folder = tmp_path / RUNS / name.replace(" ", "-")
        folder.mkdir(parents=True)
        (folder / OUTCOME).write_text(json.dumps(kept))
    checked = study.STUDY.report(tmp_path)
    assert len(checked) == 40
    assert all(one.passed for one in checked)
    assert read_json(tmp_path / study.STUDY.results_file) == found
    assert (tmp_path / study.STUDY.page_file).read_text() == (docs / study.STUDY.page_file).read_text()
    found["trec"]["spiking"]["accuracy"] -= 0.04
    assert sum(not one.passed for one in check(found)) == 1


def test_the_page_compares_the_best_spiking_network_with_the_bag_of_words() -> None:
    def outcome(accuracy: float, seconds: float | None = 60.0, valid: float = 0.5) -> dict[str, float | None]:
        return dict(accuracy=accuracy, sentences=100, valid_accuracy=valid, valid_sentences=100, parameters=10, seconds=seconds)

    found = {
        "sst2": {"bag of words": outcome(0.8, None), "spiking": outcome(0.7), "continuous": outcome(0.9)},
        "trec": {"bag of words": outcome(0.8, None), "single words": outcome(0.9, None, valid=0.46), "spiking": outcome(0.85)},
    }
    assert "Pretraining on word pieces" not in page(found)
    text = page(found)
    assert "sentences of TREC (+5.0 points, spiking), and not better on those of SST-2 (-10.0 points, spiking)" in text
    assert "| SST-2 | 80.0 % |  | 70.0 % | 90.0 % | ± 7.8 |" in text
    assert "| mean | 80.0 % |  | 77.5 % |  | ± 5.5 |" in text
    assert "Of 3 networks from scratch, 2 differ from the bag of words on test sentences by more points than the sampling error: " in text
    assert "sampling error: SST-2 (spiking -10.0), SST-2 (continuous +10.0).\n" in text
    assert "changes on test sentences by +10.0 points on average, and on validation sentences by -4.0 (TREC -4.0)." in text
    assert text.endswith("Minutes per training on one shared core, under different loads: spiking 1.0 to 1.0; continuous 1.0 to 1.0.\n")


def test_the_page_says_what_pretraining_is_worth() -> None:
    def outcome(accuracy: float, valid: float) -> dict[str, float]:
        return dict(accuracy=accuracy, sentences=100, valid_accuracy=valid, valid_sentences=100, parameters=10, seconds=60.0)

    found = {
        "sst2": {"bag of words": outcome(0.8, 0.8), "normed": outcome(0.7, 0.7), "word pieces": outcome(0.85, 0.72)},
        "trec": {"bag of words": outcome(0.8, 0.8), "normed": outcome(0.9, 0.9), "word pieces": outcome(0.7, 0.94)},
    }
    text = page(found)
    assert "changes the network `normed` by +3.0 points on validation sentences and -2.5 points on test sentences, on average." in text
    assert "it has, on test sentences: SST-2 +5.0 (± 7.8), TREC -10.0 (± 7.8). It is above it on 1 of 2 tasks.\n" in text
    assert "better than the bag of words on the test sentences of SST-2 (+5.0 points, word pieces), and" in text
    found["texts"] = {"pieces": 15_200_000, "rare": {"sst2": 0.14, "trec": 0.22}, "known": {"sst2": 0.75, "trec": 0.818}}
    assert "words of validation sentences, 14 to 22 % occur fewer than 5 times in" in page(found)
    assert "Of these, 75 to 82 % occur at least 5 times in the texts of the pretraining, which have 15.2 million pieces." in page(found)
    assert "Of 2 networks from scratch, 2 differ" in text  # those from language models are not among them


def test_rare_words_are_looked_up_in_the_texts_of_the_pretraining(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (pack / "text.txt").write_text("Rare1 and rare11\n" * 4 + "Rare1 word5 and more words\n" * 1_000)
    cell = next(cell for cell in study.cells(tmp_path) if cell.name == LANGUAGE_MODELS[PIECES])
    assert isinstance(cell.recipe, TextRecipe)
    assert cell.score is not None
    data = replace(cell.recipe.data, text=str(pack / "text.txt"), vocabulary=300)
    found = cell.score(replace(cell, recipe=replace(cell.recipe, data=data)), tmp_path)
    assert found["rare"].keys() == found["known"].keys() == study.TASKS.keys()
    assert found["rare"]["mr"] == 6 / (6 * 5)  # the last word of every validation sentence
    assert found["known"]["mr"] == found["known"]["sst2"] == 1 / 6  # the first of them
    assert found["rare"]["trec"] == found["known"]["trec"] == 0  # its validation sentences have no rare word
    assert found["pieces"] == len(data.load().train)
