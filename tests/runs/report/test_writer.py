"""The report of a run: one page that needs nothing else, with all that the run has, whatever it lacks."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.data import LogMel
from dendrix.layers import delay_layers
from dendrix.models import Decision, DelayNetConfig, VGGConfig
from dendrix.run_folder.checkpoint import read_checkpoint
from dendrix.run_folder.record import read_lines
from dendrix.runs.report import writer as report
from dendrix.runs.report.network_figures import draw_delays
from dendrix.runs.report.writer import write_report
from dendrix.train.image.data import CifarData
from dendrix.train.image.recipe import ImageBudget, ImageRecipe
from dendrix.train.loop import train_recipe
from dendrix.train.sequence.data import FsddData
from dendrix.train.sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe
from support.picture_files import write_binary


def train(tones: Path, folder: Path, delays: str) -> Path:
    recipe = SequenceRecipe(
        data=FsddData(LogMel(n_mels=8), root=tones),
        model=DelayNetConfig(inputs=8, outputs=10, hidden=(12,), max_delay_ms=40.0, delays=delays),  # type: ignore[arg-type]
        decision=Decision(tail_ms=20.0),
        optim=SequenceOptim(delay_lr=0.5),
        budget=Budget(epochs=2, batch_size=10),
        augment=SequenceAugment(mask_steps=2),
        seed=3,
    )
    folder.mkdir()
    train_recipe(recipe, folder, name="tones", quiet=True)
    return folder


@pytest.fixture(scope="module")
def run(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENDRIX_CACHE", str(folder / "cache"))
        train(tones, folder / "learned", "learned")
        train(tones, folder / "random", "random")
    return folder


@pytest.fixture
def copy(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENDRIX_CACHE", str(run / "cache"))
    return Path(shutil.copytree(run / "learned", tmp_path / "run"))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, which is what takes long."""
    monkeypatch.setattr("dendrix.runs.report.page.as_png", lambda _: b"a picture")


def pictures(page: str) -> list[str]:
    return re.findall(r'<img alt="(.*?)"', page)


def test_the_page_has_everything_and_needs_nothing(copy: Path) -> None:
    path = write_report(copy)
    assert path == copy / "report.html"
    page = path.read_text()
    assert [what.split()[0] for what in pictures(page)] == ["Loss", "Firing", "Accuracy", "Confusion", "Input,", "Energy", "Histogram"]
    assert not re.search(r"https?://|<script|<link|@import", page)
    assert set(re.findall(r'(?:src|href)="([^,"]*)', page)) == {"data:image/png;base64"}
    assert re.search(r"(Spikes|Undecided|No gain) .*on 45nm: [\d.]+ times the energy of the twin", page)
    assert "Not contained: registers" in page
    record = json.loads((copy / "run.json").read_text())
    assert record["data_sha256"] in page
    assert "<th>model.max_delay_ms</th><td>40.0</td>" in page
    best = record["progress"]
    assert f"Best validation accuracy {best['best_accuracy']:.1%}, after epoch {best['best_epoch'] + 1} of 2 trained." in page
    assert f"Accuracy {best['best_accuracy']:.1%} of 10 validation items" in page
    assert len(page) < 1_000_000


@pytest.mark.usefixtures("undrawn")
def test_delays_before_training_are_those_that_the_seed_gave(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed random delays never move, so before and after must be the same; learned ones start there and move."""
    seen = []
    monkeypatch.setattr(report, "draw_delays", lambda model, before: seen.append((model, before)) or draw_delays(model, before))
    for name in ("random", "learned"):
        write_report(run / name, run / f"{name}.html")
    (fixed, start), (learned, same) = seen
    for a, b, c, d in zip(*(delay_layers(model) for model in (fixed, start, learned, same)), strict=True):
        assert torch.equal(a.delay, b.delay)
        assert torch.equal(b.delay, d.integer_delay())
        assert not torch.equal(c.delay, d.delay)


@pytest.mark.usefixtures("undrawn")
def test_all_text_is_escaped(copy: Path) -> None:
    bad = "<script>alert('&')</script>"
    record = json.loads((copy / "run.json").read_text())
    record |= {"name": bad, "warnings": [bad], "environment": {bad: bad}}
    (copy / "run.json").write_text(json.dumps(record))
    config = json.loads((copy / "config.json").read_text())
    config["labels"] = [f"{bad}{i}" for i in range(10)]
    (copy / "config.json").write_text(json.dumps(config))
    page = write_report(copy).read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;") >= 5


@pytest.mark.usefixtures("undrawn")
def test_without_its_data_the_rest_is_shown(copy: Path, tmp_path: Path) -> None:
    page = write_report(copy, root=tmp_path / "gone").read_text()
    assert "The validation data could not be read, so their figures are left out." in page
    assert [what.split()[0] for what in pictures(page)] == ["Loss", "Firing", "Histogram"]


@pytest.mark.usefixtures("undrawn")
def test_an_older_run_with_fewer_facts_is_shown(copy: Path) -> None:
    lines = [{"epoch": line["epoch"], "valid_accuracy": line["valid_accuracy"]} for line in read_lines(copy / "metrics.jsonl")]
    (copy / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({"recipe": record["recipe"]}))
    assert [what.split()[0] for what in pictures(write_report(copy).read_text())] == [
        "Loss",
        "Accuracy",
        "Confusion",
        "Input,",
        "Energy",
        "Histogram",
    ]
    progress = {"best_epoch": 2, "best_accuracy": 0.5, "stopped": "finished"}
    (copy / "run.json").write_text(json.dumps({"recipe": {**record["recipe"], "seed": None}, "progress": progress}))
    page = write_report(copy).read_text()
    assert "Best validation accuracy 50.0%, after epoch 3. The training ended: finished." in re.sub(r" +", " ", page)
    assert pictures(page)[-1] == "Histogram of the delays of each layer after training"
    (copy / "metrics.jsonl").unlink()
    assert len(pictures(write_report(copy).read_text())) == 5


@pytest.mark.usefixtures("undrawn")
def test_a_network_without_delays_has_no_histogram(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = read_checkpoint(copy)
    bare = replace(checkpoint, model=type(checkpoint.model)(replace(checkpoint.model.config, delays="none")))
    monkeypatch.setattr(report, "read_checkpoint", lambda _, trust: bare)
    assert "Histogram of the delays" not in pictures(write_report(copy).read_text())


@pytest.mark.usefixtures("undrawn")
def test_an_image_network_has_curves_and_confusion(tmp_path: Path) -> None:
    folder = tmp_path / "cifar"
    folder.mkdir()
    write_binary(folder)
    data, model = CifarData(held_out=40, root=folder), VGGConfig(stages=((8,), (16,)), threshold=2.0)
    run = tmp_path / "run"
    run.mkdir()
    train_recipe(ImageRecipe(data, model, budget=ImageBudget(epochs=1, batch_size=16)), run, name="images", quiet=True)
    page = write_report(run).read_text()
    assert [what.split()[0] for what in pictures(page)] == ["Loss", "Confusion"]
    assert "of 40 validation items" in page


@pytest.mark.usefixtures("undrawn")
def test_a_training_that_is_not_over_says_so(copy: Path) -> None:
    record = json.loads((copy / "run.json").read_text())
    record["progress"]["stopped"] = None
    (copy / "run.json").write_text(json.dumps(record))
    assert "The training is not over." in write_report(copy).read_text()
    (copy / "run.json").write_text(json.dumps(record | {"progress": None}))
    assert "Best validation accuracy" not in write_report(copy).read_text()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("run.json", "{", "run.json: expected JSON"),
        ("run.json", "{}", "run.json: expected the field 'recipe'"),
        ("run.json", '{"recipe": 3}', "run.json: expected another type of recipe, got 3"),
        ("run.json", '{"recipe": {}, "progress": 3}', "expected another type of progress, got 3"),
        ("run.json", '{"recipe": {}, "progress": {"best_epoch": 1}}', "expected progress with best_accuracy, stopped"),
        ("run.json", '{"recipe": {}, "warnings": {}}', "expected another type of warnings, got {}"),
        ("metrics.jsonl", '{"epoch": 0}\n{"epo', "metrics.jsonl, line 2: expected JSON"),
        ("metrics.jsonl", "\udcff", "metrics.jsonl, line 1: expected JSON"),
        ("metrics.jsonl", "[3]", "metrics.jsonl, line 1: expected a JSON object, got list"),
    ],
)
def test_a_damaged_run_leaves_no_page(copy: Path, name: str, content: str, complaint: str) -> None:
    (copy / name).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=complaint):
        write_report(copy)
    assert not (copy / "report.html").exists()
