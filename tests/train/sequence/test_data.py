"""Every description of data survives JSON, loads what it describes, and trains."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from dendrix.data import MelLIF, PublishedMel
from dendrix.models import DelayNetConfig
from dendrix.runs.opened import source_of
from dendrix.train.loop import train_recipe
from dendrix.train.recipe import DataSource
from dendrix.train.sequence.data import NmnistData, ShdData, SpeechCommandsData, SscData, WavFolderData
from dendrix.train.sequence.recipe import Budget, SequenceRecipe
from dendrix.train.sources import SOURCES, source_from_dict

CHANGED = [
    ShdData(2.0, 7, False, "speaker", 3, root=Path("a")),
    SscData(2.0, 7, False, root=Path("b")),
    SpeechCommandsData(PublishedMel(), 1.0, Path("c")),
    WavFolderData(MelLIF(gain=3.0), 0.2, 0.3, 4, "-", 5.0, Path("d")),
    NmnistData(5.0, 17, 300.0, 1, Path("e")),
]


@pytest.mark.parametrize("source", [*(kind() for kind in SOURCES.values()), *CHANGED], ids=lambda source: type(source).__name__)
def test_descriptions_survive_json(source: DataSource) -> None:
    assert source_from_dict(json.loads(json.dumps(source.to_dict()))) == source


@pytest.mark.parametrize("data", [{"name": "digits", "colour": 3}, 5])
def test_a_record_that_was_edited_is_refused_in_plain_words(tmp_path: Path, data: object) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"recipe": {"data": data}}))
    with pytest.raises(ValueError, match=r"run\.json: expected the recipe of the run, got one .* Was it edited by hand\?$") as error:
        source_of(tmp_path).load()
    assert not re.search(r"__|argument|object|NoneType|'int'", str(error.value))


def test_every_field_reaches_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, source in zip(("shd", "ssc", "speech_commands", "wav_folder", "nmnist"), CHANGED, strict=True):
        came: list[object] = []
        monkeypatch.setattr(f"dendrix.train.sequence.data.{name}", lambda *args, came=came, **named: came.extend([*args, *named.values()]))
        source.load()
        assert set(map(repr, came)) == {repr(value) for value in vars(source).values()}


def test_a_network_trains_on_a_file_of_the_published_form(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        with h5py.File(tmp_path / f"shd_{part}.h5", "w") as file:
            for name, kind in (("times", np.float16), ("units", np.uint16)):
                ragged = file.create_dataset(f"spikes/{name}", (20,), h5py.vlen_dtype(kind))
                for i in range(20):
                    ragged[i] = np.sort(rng.uniform(0, 0.3, 30) if name == "times" else rng.integers(0, 700, 30)).astype(kind)
            file["labels"], file["extra/speaker"] = np.arange(20) % 3, np.arange(20) % 4
            file["extra/keys"] = np.array(["zero", "one", "two"], "S")
    model = DelayNetConfig(inputs=20, outputs=3, hidden=(8,), max_delay_ms=50.0, dt_ms=20.0)
    (tmp_path / "run").mkdir()
    recipe = SequenceRecipe(ShdData(dt_ms=20.0, group=35, root=tmp_path), model, budget=Budget(epochs=1))
    record = train_recipe(recipe, tmp_path / "run", quiet=True)
    assert 0 <= record["progress"]["best_accuracy"] <= 1
    assert source_from_dict(record["recipe"]["data"]) == ShdData(dt_ms=20.0, group=35, root=tmp_path)
