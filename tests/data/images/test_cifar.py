"""CIFAR-10 from generated files of its three forms, and for real."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.data import ImageDataset, Splits, cifar10
from support.picture_files import coloured, write_binary, write_pack, write_python

WRITERS = {"binary": write_binary, "python": write_python, "pack": write_pack}


@pytest.mark.parametrize("form", WRITERS)
def test_all_forms_hold_the_same(form: str, tmp_path: Path) -> None:
    WRITERS[form](tmp_path)
    splits = cifar10(tmp_path, held_out=30)
    parts = [coloured(20, number) for number in range(6)]
    x, y = (np.concatenate(part) for part in zip(*parts[:5], strict=True))
    assert [len(part) for part in splits] == [70, 30, 20]
    assert np.array_equal(torch.cat([splits.train.x, splits.valid.x]).numpy(), x)
    assert np.array_equal(torch.cat([splits.train.y, splits.valid.y]).numpy(), y)
    assert np.array_equal(splits.test.x.numpy(), parts[5][0])
    assert splits.test.labels[0] == "airplane"


def test_the_folder_is_found_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    write_python(folder)
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path))
    assert len(cifar10(held_out=10).train) == 90
    monkeypatch.delenv("DENDRIX_DATA")
    with pytest.raises(FileNotFoundError, match="set DENDRIX_DATA"):
        cifar10()
    with pytest.raises(FileNotFoundError, match="found none of them"):
        cifar10(tmp_path.parent)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        cifar10(tmp_path / "nowhere")


class Danger:
    """A pickle of it runs a command when it is read."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("content", [Danger(), {b"data": Danger()}, OrderedDict(a=1), np.array([Danger()], dtype=object), print])
def test_a_pickle_runs_nothing(content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_python(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"data_batch_3: expected a pickle of plain data and arrays, but"):
        cifar10(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({}, "expected a batch of CIFAR-10"),
        ([1, 2], "expected a batch of CIFAR-10"),
        ({b"data": np.zeros((2, 3072), np.float32), b"labels": [0, 1]}, "expected images"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, "expected images"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]}, "expected images"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, "expected images"),
    ],
)
def test_another_pickle_is_refused(batch: object, message: str, tmp_path: Path) -> None:
    write_python(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(batch))
    with pytest.raises(ValueError, match=rf"data_batch_1: {message}"):
        cifar10(tmp_path)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    for form, name, message in (
        ("binary", "data_batch_2.bin", "expected images of 3073 bytes each"),
        ("python", "data_batch_2", "expected a pickle"),
        ("pack", "cifar10_train.npz", "expected the CIFAR-10 pack"),
    ):
        folder = tmp_path / form
        folder.mkdir()
        WRITERS[form](folder)
        path = folder / name
        path.write_bytes(path.read_bytes()[:-700])
        with pytest.raises(ValueError, match=rf"{name}: {message}"):
            cifar10(folder)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    write_pack(tmp_path)
    with np.load(tmp_path / "cifar10_train.npz") as pack:
        parts = dict(pack)
    start = parts["offsets"][7]
    parts["jpeg"][start : start + 20] = 0
    np.savez(tmp_path / "cifar10_train.npz", **parts)
    with pytest.raises(ValueError, match=r"cifar10_train.npz, image 7: expected an image, but it cannot be decoded"):
        cifar10(tmp_path)


@pytest.mark.parametrize("held_out", [0, 100, 1000])
def test_both_parts_need_images(held_out: int, tmp_path: Path) -> None:
    write_binary(tmp_path)
    with pytest.raises(ValueError, match=r"held_out: expected 1 to 99 of 100 training images"):
        cifar10(tmp_path, held_out)


@pytest.mark.shared
@pytest.mark.slow
def test_the_real_pack(shared: Path) -> None:
    splits: Splits[ImageDataset] = cifar10(shared / "data")
    assert [len(part) for part in splits] == [45_000, 5_000, 5_000]
    for part in splits:
        assert part.x.shape[1:] == (3, 32, 32)
        assert set(part.y.bincount().tolist()) == {len(part) // 10}
