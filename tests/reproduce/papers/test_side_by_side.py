"""Both protocols of every published training, for one epoch of a small network, on generated files of the true format."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dendrix.cli import main
from dendrix.data.speech.gsc import WORDS
from dendrix.models import DelayNetConfig
from dendrix.recipes import find_recipe, recipes
from dendrix.recipes.claims import CLAIMS
from dendrix.reproduce import REPRODUCTIONS, reproduce
from dendrix.reproduce.papers import side_by_side
from dendrix.reproduce.papers.side_by_side import PAGE
from dendrix.run_folder.record import METRICS, read_lines
from dendrix.train.sequence.recipe import SequenceRecipe
from support.spike_files import clips, write


def speech_commands(folder: Path) -> None:
    noise = np.random.default_rng(0)
    for word in WORDS:
        (folder / word).mkdir(parents=True)
        for speaker in ("0a", "1b", "2c"):
            soundfile.write(folder / word / f"{speaker}_nohash_0.wav", 0.1 * noise.standard_normal(4000), 16_000)
    for name, speaker in (("validation_list.txt", "1b"), ("testing_list.txt", "2c")):
        (folder / name).write_text("".join(f"{word}/{speaker}_nohash_0.wav\n" for word in WORDS))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The three data sets, small."""
    folder = tmp_path / "data"
    folder.mkdir()
    digits, words = [f"digit {n}" for n in range(20)], sorted(WORDS)
    for part, count in (("train", 100), ("test", 20)):
        write(folder / f"shd_{part}.h5", *clips(count, count, 20), digits)
    for part, count in (("train", 70), ("valid", 35), ("test", 36)):
        write(folder / f"ssc_{part}.h5", *clips(count, count, 35), words)
    speech_commands(folder / "speech_commands_v0.02")
    monkeypatch.setenv("DENDRIX_DATA", str(folder))
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published networks with few neurons."""

    def with_few(build: Callable[[], DelayNetConfig]) -> Callable[[], DelayNetConfig]:
        return lambda: replace(build(), hidden=(6,) * len(build().hidden))

    for file, builder in (("shd", "published_shd"), ("ssc", "published_commands"), ("gsc", "published_commands")):
        module = import_module(f"dendrix.recipes.{file}_delays")
        monkeypatch.setattr(module, builder, with_few(getattr(module, builder)))


@pytest.mark.usefixtures("data", "small")
@pytest.mark.parametrize(("name", "test_clips"), [("shd-delays", 20), ("ssc-delays", 36), ("gsc-delays", 35)])
def test_one_epoch_of_both_protocols_stands_side_by_side(name: str, test_clips: int, tmp_path: Path) -> None:
    published, clean = reproduce(name, tmp_path / "out", epochs=1)
    assert (published.call, clean.call) == (f"dendrix train {name}:published", f"dendrix train {name}")
    assert published.published == CLAIMS[f"{name}:published"].percent
    page = (tmp_path / "out" / PAGE).read_text()
    for result in (published, clean):
        assert result.passed is None
        assert "trial of 1 of" in result.verdict
        assert (result.computed * test_clips / 100) == pytest.approx(round(result.computed * test_clips / 100))
        assert f"| `{result.call}` | {result.published} | {result.computed:.2f} | {result.verdict} |" in page
    assert ("no estimate for new clips" in published.verdict) == (name == "shd-delays")
    assert "no estimate" not in clean.verdict
    record = json.loads((tmp_path / "out" / "runs" / f"{name}-published" / "run.json").read_text())
    assert record["recipe"]["decision"]["padded"]
    again = reproduce(name, tmp_path / "out", epochs=1)  # complete runs are not trained again
    assert again == [published, clean]


@pytest.mark.usefixtures("data", "small")
def test_a_full_training_is_judged_by_its_tolerance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "shd-delays"
    module = import_module("dendrix.recipes.shd_delays")
    monkeypatch.setattr(module, "EPOCHS", 4)
    published, clean = reproduce(name, tmp_path / "out")
    assert published.passed is False
    assert published.verdict.startswith("differs: -")
    lines = read_lines(tmp_path / "out" / "runs" / f"{name}-published" / METRICS)
    assert [line["width"] for line in lines] == pytest.approx([12, 0.23, 0.23, 0.23])  # rates and widths move with the epochs
    assert [line["rates"]["delays"] for line in lines] == pytest.approx([0.1 * (1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)])
    assert lines[0]["rates"]["weights"] == pytest.approx(2e-4)
    for result, claimed in ((published, f"{name}:published"), (clean, name)):
        monkeypatch.setitem(side_by_side.CLAIMS, claimed, replace(CLAIMS[claimed], percent=f"{result.computed + 1:.2f}"))
    assert [result.passed for result in reproduce(name, tmp_path / "out")] == [True, True]


@pytest.mark.parametrize(
    ("name", "files"), [("shd-delays", r"shd_train\.h5"), ("ssc-delays", r"ssc_valid\.h5"), ("gsc-delays", r"speech_commands_v0\.02")]
)
def test_without_the_data_one_sentence_says_what_to_get(
    name: str, files: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DENDRIX_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", name]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert files.replace("\\", "") in said
    assert "DENDRIX_DATA" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("data", "small")
def test_what_the_clips_for_testing_chose_is_said_wherever_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, told in (("shd-delays:published", True), ("shd-delays", False)):
        run = str(tmp_path / name.replace(":", "-"))
        assert main(["train", name, "--budget.epochs", "1", "--out", run, "--no-report"]) == 0
        assert ("no estimate for new clips" in capsys.readouterr().out) == told
        assert main(["evaluate", run]) == 0
        assert ("no estimate for new clips" in capsys.readouterr().out) == told


def test_the_list_shows_claims(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = {row["name"]: row["claim"] for row in json.loads(capsys.readouterr().out)}
    assert listed["shd-delays:published"] == "95.07 %, arXiv 2306.17670"
    assert listed["shd-delays:none"] == ""


@pytest.mark.parametrize("options", [{"epochs": 1}, {"jobs": 2}])
def test_what_trains_nothing_takes_no_options(options: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sdr trains nothing"):
        reproduce("sdr", tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_every_claim_belongs_to_a_recipe_that_can_be_reproduced() -> None:
    assert set(CLAIMS) <= {listed.name for listed in recipes()}
    for name, claim in CLAIMS.items():
        assert name.partition(":")[0] in REPRODUCTIONS
        assert 0 < claim.tolerance < 5 < float(claim.percent) < 100


@pytest.mark.parametrize("name", ["shd-delays", "ssc-delays", "gsc-delays"])
def test_the_published_training_is_that_of_the_released_configuration(name: str) -> None:
    published, clean = find_recipe(f"{name}:published")(), find_recipe(name)()
    assert isinstance(published, SequenceRecipe)
    assert isinstance(clean, SequenceRecipe)
    assert (published.optim, published.budget, published.seed, published.augment) == (clean.optim, clean.budget, clean.seed, clean.augment)
    assert replace(published.model, padding="causal") == clean.model
    epochs = published.budget.epochs
    assert (published.optim.clip, published.optim.moves, published.optim.cycle_beta1) == (None, "epoch", True)
    assert published.budget.anneal * epochs == pytest.approx(epochs // 4)
    assert published.budget.patience == epochs
    appended = (len(clean.model.hidden) + 1) * (int(clean.model.max_delay_ms / 10) // 2)
    assert clean.decision.tail_steps(10.0) == appended
