"""The report of a language model: curves, neurons, samples; whatever a run lacks is left out."""

import re
import shutil
from pathlib import Path

import pytest

from dendrix.core.files import read_json, write_json
from dendrix.models import SpikeGPTConfig
from dendrix.run_folder.record import METRICS, RUN, read_lines, write_lines
from dendrix.runs.report.text import draw_text_training
from dendrix.runs.report.writer import write_report
from dendrix.train.loop import train_recipe
from dendrix.train.text.data import TextData
from dendrix.train.text.recipe import TextBudget, TextOptim, TextRecipe

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("the spikes of the rain in spain\n" * 200)
    budget = TextBudget(steps=6, every=2, batch_size=2, context=16, valid_tokens=200, sample_tokens=8)
    recipe = TextRecipe(TextData(str(folder / "text.txt")), SpikeGPTConfig(256, 16, 2), TextOptim(warm_up=1), budget)
    (folder / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENDRIX_CACHE", str(folder / "cache"))
        train_recipe(recipe, folder / "run", name="spikegpt-small", quiet=True)
    return folder / "run"


def test_the_page_has_curves_rates_and_samples(run: Path) -> None:
    text = write_report(run).read_text()
    lines = read_lines(run / METRICS)
    assert "Run of spikegpt-small" in text
    assert f"{min(line['valid_bits_per_byte'] for line in lines):.4f} bits per byte" in text
    assert len(re.findall("data:image/png", text)) == 2
    assert all(f"after {step} steps" in text for step in (2, 4, 6))
    assert "model.spikes" in text


def test_what_a_run_lacks_is_left_out(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    record, lines = read_json(run / RUN), read_lines(run / METRICS)
    write_json(copy / RUN, {**record, "progress": None, "warnings": ["Epoch 1: watch out <now>."]})
    (copy / METRICS).unlink()
    assert "watch out &lt;now&gt;" in write_report(copy).read_text()
    write_json(copy / RUN, record)
    write_lines(copy / METRICS, [{key: value for key, value in line.items() if key not in ("health", "sample")} for line in lines])
    text = write_report(copy).read_text()
    assert len(re.findall("data:image/png", text)) == 1
    assert "Samples" not in text


def test_curves_are_those_of_the_metrics(run: Path) -> None:
    lines = read_lines(run / METRICS)
    loss, bits = draw_text_training(lines).axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[line[key] for line in lines] for key in ("loss", "valid_loss")]
    assert list(bits.lines[0].get_xdata()) == [2, 4, 6]
