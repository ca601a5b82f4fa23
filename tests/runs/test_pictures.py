"""Picture files for a network, as it knows images from its training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.core.files import write_json
from dendrix.models import VGG, VGGConfig
from dendrix.run_folder import Checkpoint
from dendrix.runs.pictures import read_pictures
from support.picture_files import coloured, encoded

COLOURED = Checkpoint(VGG(VGGConfig(stages=((2,),))), ())
SMALL_GREY = Checkpoint(VGG(VGGConfig(stages=((2,),), mean=(0.1,), std=(0.3,))), ())


def run_of(folder: Path, data: dict[str, object]) -> Path:
    write_json(folder / "run.json", {"recipe": {"data": data}})
    return folder


def test_colours_become_greys_for_a_network_of_greys(tmp_path: Path) -> None:
    picture = coloured(1, side=28)[0][0]
    (tmp_path / "colours.png").write_bytes(encoded(picture))
    (tmp_path / "grey.png").write_bytes(encoded(picture[0]))
    found = read_pictures(SMALL_GREY, run_of(tmp_path, {"name": "mnist"}), [tmp_path / "colours.png", tmp_path / "grey.png"])
    assert torch.allclose(found.x[0, 0], torch.from_numpy(picture).float().mean(0) / 255)
    assert torch.allclose(found.x[1, 0], torch.from_numpy(picture[0]).float() / 255)
    assert found.notes == (f"{tmp_path / 'colours.png'} has colours, which were averaged to grey.",)


def test_a_picture_of_the_right_size_stays_as_it_is(tmp_path: Path) -> None:
    picture = coloured(1)[0][0]
    (tmp_path / "one.png").write_bytes(encoded(picture))
    found = read_pictures(COLOURED, run_of(tmp_path, {"name": "cifar10"}), [tmp_path / "one.png"])
    assert torch.equal(found.x[0], torch.from_numpy(picture).float() / 255)
    assert found.notes == ()


def test_pictures_for_a_network_of_image_files_are_cut_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(encoded(coloured(1, side=64)[0][0]))
    found = read_pictures(COLOURED, run_of(tmp_path, {"name": "image-folder", "side": 48}), [tmp_path / "one.png"])
    assert found.x.shape == (1, 3, 48, 48)
    assert found.notes == ()  # every training image was cut so


def test_a_record_without_data_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"recipe": {}})
    with pytest.raises(ValueError, match=r"run.json: expected the field 'data'"):
        read_pictures(COLOURED, tmp_path, [])


def test_the_shape_of_a_checkpoint_goes_first(tmp_path: Path) -> None:
    picture = coloured(1, side=20)[0][0]
    (tmp_path / "one.png").write_bytes(encoded(picture))
    found = read_pictures(replace(COLOURED, shape=(3, 10, 12)), tmp_path, [tmp_path / "one.png"])
    assert found.x.shape == (1, 3, 10, 12)
    assert "has 20 x 20 pixels" in found.notes[0]
