"""Images in memory and in folders of files, on generated pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dendrix.data import ImageDataset, image_batches, image_folder, mnist_images
from dendrix.data.images.pictures import read_picture
from support.picture_files import PREFIXES, encoded, write_idx


def test_bytes_become_floats_batch_by_batch() -> None:
    data = ImageDataset(torch.arange(0, 240, 20, dtype=torch.uint8).view(3, 1, 2, 2), torch.tensor([0, 1, 0]), ("a", "b"))
    batches = list(image_batches(data, 2))
    assert [len(batch.y) for batch in batches] == [2, 1]
    assert torch.equal(torch.cat([batch.x for batch in batches]), data.x.float() / 255)
    chosen = data.subset(torch.tensor([True, False, True]))
    assert torch.equal(chosen.x, data.x[[0, 2]])
    assert chosen.y.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (
            torch.rand(2, 1, 3, 3).double(),
            [0, 1],
            TypeError,
            r"or of float32 from 0 to 1, got torch\.float64",
        ),
        (torch.zeros(2, 3, 3, dtype=torch.uint8), [0, 1], ValueError, r"expected \[N, C, H, W\]"),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), [0], ValueError, r"y: expected \[N=2\]"),
        (torch.zeros(2, 1, 3, 3, dtype=torch.uint8), [0, 2], ValueError, "expected classes 0 to 1, got 0 to 2"),
        (torch.zeros(0, 1, 3, 3, dtype=torch.uint8), [], ValueError, "Axis N is empty"),
    ],
)
def test_what_is_no_set_of_images_is_refused(x: torch.Tensor, y: list[int], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ImageDataset(x, torch.tensor(y), ("a", "b"))


def test_mnist_keeps_its_last_training_images_for_validation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [
        array for count in (9, 4) for array in (rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8))
    ]
    for name, values in zip([f"{p}-{kind}-ubyte" for p in PREFIXES for kind in ("images-idx3", "labels-idx1")], arrays, strict=True):
        write_idx(tmp_path / name, values)
    splits = mnist_images(tmp_path, held_out=2)
    assert [list(part.x.shape) for part in splits] == [[7, 1, 28, 28], [2, 1, 28, 28], [4, 1, 28, 28]]
    assert np.array_equal(splits.valid.x[:, 0].numpy(), arrays[0][7:])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_kind_of_picture_becomes_colours(mode: str, tmp_path: Path) -> None:
    picture = Image.fromarray(np.tile(np.arange(0, 240, 20, dtype=np.uint8), (5, 1))).convert(mode)
    path = tmp_path / f"picture.{'jpeg' if mode == 'CMYK' else 'png'}"
    picture.save(path)
    x = read_picture(path)
    assert (x.dtype, x.shape) == (torch.uint8, (3, 5, 12))
    if mode == "L":
        assert torch.equal(x[0], x[2])
        assert x[0, 0].tolist() == list(range(0, 240, 20))


@pytest.mark.parametrize(
    "content", [b"", b"no picture", encoded(np.zeros((3, 40, 40), np.uint8))[:60], encoded(np.zeros((40, 40), np.uint8), "JPEG")[:200]]
)
def test_a_damaged_picture_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged\.png: expected an image, but it cannot be decoded"):
        read_picture(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes, a red, a green and a blue one; 10 images of unequal sizes for training and 2 for testing each."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 10), ("val", 2)):
        for number, name in enumerate(("blood", "grass", "sky")):
            place = tmp_path / part / name
            place.mkdir(parents=True)
            for image in range(count):
                x = np.zeros((3, *rng.integers(20, 60, 2)), np.uint8)
                x[number] = 200 + image
                (place / f"{image:02}.{'png' if image % 2 else 'JPEG'}").write_bytes(encoded(x, "PNG" if image % 2 else "JPEG"))
            (place / "readme.txt").write_text("no image")
    return tmp_path


def test_a_folder_of_images(folder: Path) -> None:
    splits = image_folder(folder, side=24, held_out=0.2)
    assert [len(part) for part in splits] == [24, 6, 6]
    assert splits.train.labels == ("blood", "grass", "sky")
    assert not set(splits.train.paths) & set(splits.valid.paths)
    assert [part.parts for part in splits] == [True, False, False]
    for part in splits:
        x = part.take(torch.arange(len(part)))
        assert (x.dtype, x.shape) == (torch.uint8, (len(part), 3, 24, 24))
        assert torch.equal(x.float().mean((2, 3)).argmax(1), part.y)
    again = image_folder(folder, side=24, held_out=0.2)
    assert again.valid.paths == splits.valid.paths


def test_the_middle_is_seven_eighths_and_a_random_part_is_drawn_by_torch(tmp_path: Path) -> None:
    x = np.zeros((3, 32, 64), np.uint8)
    x[:, 2:30, 18:46] = 255  # the middle 28 x 28
    for part in ("train", "val"):
        (tmp_path / part / "square").mkdir(parents=True)
        for number in range(2):
            (tmp_path / part / "square" / f"{number}.png").write_bytes(encoded(x))
    splits = image_folder(tmp_path, side=28, held_out=0.5)
    assert (splits.test.take(torch.tensor([1])) == 255).all()
    both = torch.tensor([0, 0])
    torch.manual_seed(1)
    first = splits.train.take(both)
    torch.manual_seed(1)
    assert torch.equal(splits.train.take(both), first)
    assert not torch.equal(first[0], first[1])


def test_what_is_no_image_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="held_out: expected a fraction"):
        image_folder(folder, held_out=1.0)
    (folder / "val" / "sea").mkdir()
    with pytest.raises(ValueError, match="expected JPEG or PNG files for every class, got none for sea"):
        image_folder(folder)
    (folder / "val" / "sea" / "one.png").write_bytes(encoded(np.zeros((3, 4, 4), np.uint8)))
    with pytest.raises(ValueError, match="expected the same classes in train and val, but only one has sea"):
        image_folder(folder)
    with pytest.raises(FileNotFoundError, match=r"expected the folder .*train with one folder for each class"):
        image_folder(folder / "val")


def test_a_damaged_file_in_a_folder_is_named(folder: Path) -> None:
    (folder / "val" / "sky" / "01.png").write_bytes(b"cut")
    splits = image_folder(folder, side=8)
    with pytest.raises(ValueError, match=r"sky/01\.png: expected an image"):
        splits.test.take(torch.arange(6))
