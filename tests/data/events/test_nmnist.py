"""N-MNIST from folders of the published layout, from the pack, and for real."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.data import event_frames, nmnist, read_events
from support.event_files import record, some


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings of each digit for training, one for testing."""
    number = 0
    for part, takes in (("Train", 3), ("Test", 1)):
        for digit in range(10):
            place = tmp_path / "nmnist" / part / str(digit)
            place.mkdir(parents=True)
            for _ in range(takes):
                number += 1
                (place / f"{number:05}.bin").write_bytes(record(some(40, seed=number)))
    return tmp_path


def test_the_published_folders(folder: Path) -> None:
    train, valid, test = nmnist(folder)
    assert [len(part) for part in (train, valid, test)] == [27, 3, 10]
    assert test.y.tolist() == list(range(10))
    assert (train.y.bincount(minlength=10) + valid.y.bincount(minlength=10)).tolist() == [3] * 10
    assert test.channels == 2 * 17 * 17
    assert torch.equal(test.x[7], event_frames(read_events(folder / "nmnist" / "Test" / "7" / "00038.bin"), 34, 34, pool=2))
    assert all(x.sum() == 40 for x in (*train.x, *valid.x))
    assert torch.equal(nmnist(folder).valid.x[2], valid.x[2])
    assert any(not torch.equal(a, b) for a, b in zip(nmnist(folder, seed=1).valid.x, valid.x, strict=True))
    assert {x.shape for x in nmnist(folder / "nmnist", dt_ms=20.0, pool=34, duration_ms=300.0).test.x} == {(15, 2)}


def test_what_is_missing_or_damaged_is_named(folder: Path) -> None:
    (path,) = (folder / "nmnist" / "Test" / "3").iterdir()
    path.write_bytes(record(some(5, size=100)))
    with pytest.raises(ValueError, match=rf"3/{path.name}: expected x from 0 to 33"):
        nmnist(folder)
    path.write_bytes(b"1234")
    with pytest.raises(ValueError, match=rf"3/{path.name}: expected records of 5 bytes"):
        nmnist(folder)
    path.unlink()
    with pytest.raises(ValueError, match=r"Test/3: expected \.bin files, got none"):
        nmnist(folder)
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError, match="Test/3"):
        nmnist(folder)
    (folder / "nmnist" / "Test").rename(folder / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r'found neither.*dendrix\.data\.fetch\("nmnist"\)'):
        nmnist(folder)


def test_a_pack_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    starts = np.arange(403)
    pack = {"x": np.zeros(402), "yp": np.zeros(402, np.uint8), "dt": np.ones(402), "offsets": starts, "labels": np.zeros(402)}
    np.savez(tmp_path / "nmnist_small.npz", **pack)
    assert [len(part) for part in nmnist(tmp_path / "nmnist_small.npz")] == [360, 40, 2]
    for key, value in (("offsets", starts[:-1]), ("labels", np.zeros(401)), ("dt", np.ones(401)), ("offsets", np.minimum(starts, 401))):
        np.savez(tmp_path / "nmnist_small.npz", **{**pack, key: value})
        with pytest.raises(ValueError, match="but the arrays do not match"):
            nmnist(tmp_path)
    np.savez(tmp_path / "nmnist_small.npz", **{key: values[: 4 if key == "offsets" else 3] for key, values in pack.items()})
    with pytest.raises(ValueError, match="400 recordings for training and some for testing, got 3"):
        nmnist(tmp_path)


@pytest.mark.shared
def test_the_real_pack_holds_what_the_real_file_holds(shared: Path) -> None:
    train, valid, test = nmnist(shared / "data", dt_ms=30.0)
    assert [len(part) for part in (train, valid, test)] == [360, 40, 50]
    assert {len(x) for x in train.x} <= {10, 11}
    first = read_events(shared / "data" / "events" / "formats" / "nmnist_1.bs2")
    frames = event_frames(first, 34, 34, dt_ms=30.0, pool=2)
    found = [int(y) for part in (train, valid) for x, y in zip(part.x, part.y, strict=True) if torch.equal(x, frames)]
    assert found == [5]


def test_numbers_of_a_pack_that_would_wrap_are_refused(tmp_path: Path) -> None:
    pack = {"x": np.zeros(402), "yp": np.zeros(402, np.uint8), "dt": np.ones(402), "offsets": np.arange(403), "labels": np.zeros(402)}
    back = np.arange(403, dtype=np.uint64)
    back[[5, 6]] = back[[6, 5]]  # their difference wraps to a large one
    for key, value, says in (
        ("offsets", back, "but the arrays do not match"),
        ("x", np.full(402, 70_000), "x: expected numbers from 0 to 32767, got 70000"),
        ("dt", np.full(402, 0.5), "dt: expected whole numbers"),
        ("labels", np.array(["a"] * 402), "labels: expected whole numbers"),
        ("yp", np.zeros((402, 2), np.uint8), r"yp: expected whole numbers \[N\], got uint8 of shape \[402, 2\]"),
    ):
        np.savez(tmp_path / "nmnist_small.npz", **{**pack, key: value})
        with pytest.raises(ValueError, match=says):
            nmnist(tmp_path)
