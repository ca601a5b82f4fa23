"""MNIST from files of the published format that the test writes, from the pack, and for real."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.data import mnist
from support.picture_files import PREFIXES, write_idx


@pytest.fixture
def arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [array for count in (7, 4) for array in (rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8))]


@pytest.fixture(params=["", ".gz"], ids=["plain", "gzip"])
def folder(arrays: list[np.ndarray], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    place = tmp_path / "mnist"
    place.mkdir()
    names = [f"{prefix}-{kind}-ubyte" for prefix in PREFIXES for kind in ("images-idx3", "labels-idx1")]
    for name, values in zip(names, arrays, strict=True):
        write_idx(place / f"{name}{request.param}", values)
    return place


def check(read: tuple, arrays: list[np.ndarray]) -> None:
    for images, x, y in zip(read, arrays[::2], arrays[1::2], strict=True):
        assert images.x.dtype == torch.uint8
        assert images.y.dtype == torch.int64
        assert np.array_equal(images.x.numpy(), x)
        assert np.array_equal(images.y.numpy(), y)


def test_the_four_files_as_published(folder: Path, arrays: list[np.ndarray]) -> None:
    check(mnist(folder), arrays)
    check(mnist(folder.parent), arrays)


def test_the_pack_holds_the_same(arrays: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    pack = tmp_path / "images" / "mnist_small.npz"
    np.savez(pack, **dict(zip(("train_x", "train_y", "test_x", "test_y"), arrays, strict=True)))
    check(mnist(pack), arrays)
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path))
    check(mnist(), arrays)
    monkeypatch.delenv("DENDRIX_DATA")
    with pytest.raises(FileNotFoundError, match="set DENDRIX_DATA"):
        mnist()


def test_missing_files_are_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        mnist(folder / "nowhere")
    next(folder.glob("t10k-labels*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte.*found neither"):
        mnist(folder)


@pytest.mark.parametrize("pattern", ["train-images*", "t10k-labels*"])
def test_a_file_that_is_cut_short_is_named(folder: Path, pattern: str) -> None:
    path = next(folder.glob(pattern))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=rf"{path.name}: expected .* Copy it again"):
        mnist(folder)


def test_other_files_are_refused(folder: Path, arrays: list[np.ndarray]) -> None:
    path = next(folder.glob("train-labels*"))
    for content in (b"", b"\0\0", b"\0\0\x0d\x01\0\0\0\0", b"hello, world"):
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        with pytest.raises(ValueError, match="expected an idx file of unsigned bytes"):
            mnist(folder)
    for wrong in (arrays[1][:-1], arrays[1] + 10, arrays[0]):
        write_idx(path, wrong)
        with pytest.raises(ValueError, match="Are these the MNIST files"):
            mnist(folder)


def test_a_damaged_pack_is_named(arrays: list[np.ndarray], tmp_path: Path) -> None:
    pack = tmp_path / "mnist_small.npz"
    np.savez(pack, train_x=arrays[0])
    with pytest.raises(ValueError, match=r"mnist_small\.npz: expected the MNIST pack, but it cannot be read"):
        mnist(pack)
    pack.write_bytes(pack.read_bytes()[:-50])
    with pytest.raises(ValueError, match="got another kind of file or a truncated one"):
        mnist(pack)


@pytest.mark.shared
def test_the_real_images(shared: Path) -> None:
    train, test = mnist(shared / "data")
    assert [len(train.y), len(test.y)] == [10_000, 5_000]
    assert train.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert train.y.bincount().min() > 800
    assert (train.x.float().mean() / 255).item() == pytest.approx(0.1307, abs=2e-3)
