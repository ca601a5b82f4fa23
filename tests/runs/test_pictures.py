"""Picture files for a network, as it knows images from its training."""

from pathlib import Path

import pytest
import torch

from dendrix.core.files import write_json
from dendrix.runs.pictures import read_pictures
from support.picture_files import coloured, encoded


def run_of(folder: Path, data: dict[str, object]) -> Path:
    write_json(folder / "run.json", {"recipe": {"data": data}})
    return folder


def test_colours_become_greys_for_a_network_of_greys(tmp_path: Path) -> None:
    picture = coloured(1, side=28)[0][0]
    (tmp_path / "colours.png").write_bytes(encoded(picture))
    (tmp_path / "grey.png").write_bytes(encoded(picture[0]))
    found = read_pictures(run_of(tmp_path, {"name": "mnist"}), 1, [tmp_path / "colours.png", tmp_path / "grey.png"])
    assert torch.allclose(found.x[0, 0], torch.from_numpy(picture).float().mean(0) / 255)
    assert torch.allclose(found.x[1, 0], torch.from_numpy(picture[0]).float() / 255)
    assert found.notes == (f"{tmp_path / 'colours.png'} has colours, which became greys.",)


def test_a_picture_of_the_right_size_stays_as_it_is(tmp_path: Path) -> None:
    picture = coloured(1)[0][0]
    (tmp_path / "one.png").write_bytes(encoded(picture))
    found = read_pictures(run_of(tmp_path, {"name": "cifar10"}), 3, [tmp_path / "one.png"])
    assert torch.equal(found.x[0], torch.from_numpy(picture).float() / 255)
    assert found.notes == ()


def test_pictures_for_a_network_of_image_files_are_cut_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encoded(coloured(1, side=64)[0][0]))
    found = read_pictures(run_of(tmp_path, {"name": "image-folder", "side": 48}), 3, [tmp_path / "one.png"])
    assert found.x.shape == (1, 3, 48, 48)
    assert found.notes == ()  # every training image was cut so


def test_a_record_without_data_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"recipe": {}})
    with pytest.raises(ValueError, match=r"run.json: expected the field 'data'"):
        read_pictures(tmp_path, 3, [])
