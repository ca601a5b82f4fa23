"""Images in memory and in folders of files, on generated pictures."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dendrix.core.limits import allow
from dendrix.data import ImageDataset, as_dataset, image_batches, image_folder, mnist_images
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


def stored(picture: Image.Image, path: Path, **settings: object) -> Path:
    picture.save(path, **settings)
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "ppm"])
def test_16_bits_become_8(tmp_path: Path, ending: str) -> None:
    greys = np.array([[0, 21845, 43690, 65535]], np.uint16)
    x = read_picture(stored(Image.fromarray(greys), tmp_path / f"a.{ending}"))
    assert x[:, 0].tolist() == [[0, 85, 170, 255]] * 3


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright(tmp_path: Path, ending: str, orientation: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 255  # bright at the top left
    turned = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.T}
    turned |= {6: lambda a: np.rot90(a), 7: lambda a: a[::-1, ::-1].T, 8: lambda a: np.rot90(a, -1)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(turned.get(orientation, lambda a: a)(upright))).convert("RGB")
    x = read_picture(stored(picture, tmp_path / f"a.{ending}", exif=exif))
    assert x.shape == (3, 16, 32)
    assert (x.float() - torch.from_numpy(upright.astype(np.float32))).abs().mean() < 10


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white(tmp_path: Path, mode: str) -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = 0, 255, 51
    x = read_picture(stored(Image.fromarray(pixels).convert(mode), tmp_path / "a.png"))
    assert x[:, 0].tolist() == [[255, 0, 204]] * 3


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_shows_white(tmp_path: Path, mode: str) -> None:
    picture = Image.frombytes("P", (3, 1), bytes([0, 1, 1]))
    picture.putpalette([10, 10, 10, 40, 40, 40])
    path = stored(picture.convert(mode), tmp_path / "a.png", transparency={"P": 0, "L": 10, "RGB": (10, 10, 10)}[mode])
    assert read_picture(path)[:, 0].tolist() == [[255, 40, 40]] * 3


def test_floats_and_long_integers(tmp_path: Path) -> None:
    assert read_picture(stored(Image.fromarray(np.array([[0, 1 / 3, 1]], np.float32)), tmp_path / "a.tif"))[0, 0].tolist() == [0, 85, 255]
    for values in (np.float32([[0, 3]]), np.float32([[-1, 1]]), np.float32([[np.nan, 0]]), np.int32([[0, 70_000]])):
        with pytest.raises(ValueError, match=r"b\.tif: expected greys of 8 or 16 bits, or floats from 0 to 1, got"):
            read_picture(stored(Image.fromarray(values), tmp_path / "b.tif"))


def test_one_image_to_a_file(tmp_path: Path) -> None:
    pages = [Image.new("L", (4, 4), grey) for grey in (0, 255)]
    for ending in ("gif", "tif", "webp", "png"):
        path = stored(pages[0], tmp_path / f"a.{ending}", save_all=True, append_images=pages[1:])
        with pytest.raises(ValueError, match="expected one image, got 2 in one"):
            read_picture(path)


def test_a_large_image_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    content = bytearray(encoded(np.zeros((4, 4), np.uint8)))
    content[16:24] = struct.pack(">II", 8_193, 8_192)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"a\.png, 8193 x 8192: expected at most 67,108,864 image pixels, got 67,117,056.*--allow image_pixels="
    ):
        read_picture(tmp_path / "a.png")
    with allow(image_pixels=15), pytest.raises(ValueError, match="at most 15 image pixels, got 16"):
        read_picture(stored(Image.new("L", (4, 4)), tmp_path / "b.png"))


def test_other_formats_start_no_program(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(ValueError, match="expected an image, but it cannot be decoded"):
        read_picture(tmp_path / "a.png")


def test_pictures_of_a_hugging_face_data_set_are_read_as_files_are() -> None:
    class Table:
        column_names = ("image", "label")
        features = {"label": None}

        def __len__(self) -> int:
            return 2

        def __getitem__(self, name: str) -> list:
            palette = Image.frombytes("P", (3, 1), bytes([2, 0, 1]))
            palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
            return {"image": [palette, Image.new("RGBA", (3, 1))], "label": [0, 1]}[name]

    x = as_dataset(Table()).x
    assert x[0, :, 0].tolist() == [[70, 10, 40], [80, 20, 50], [90, 30, 60]]
    assert (x[1] == 255).all()


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


def test_every_image_is_read_and_hidden_files_are_not(folder: Path) -> None:
    place = folder / "train" / "sky"
    for ending in ("webp", "bmp", "tif", "TIFF", "gif", "pgm"):
        Image.new("L", (30, 30), 77).save(place / f"new.{ending}", {"TIFF": "TIFF"}.get(ending))
    for hidden in ("._0.png", ".DS_Store", "Thumbs.db"):
        (place / hidden).write_bytes(b"none")
    splits = image_folder(folder, side=8, held_out=0.2)
    assert len(splits.train) + len(splits.valid) == 36
    assert splits.train.take(torch.arange(len(splits.train))).shape[0] == len(splits.train)
    (place / "odd.heic").write_bytes(b"none")
    with pytest.raises(ValueError, match=r"sky: expected images \(\.bmp, .*\), got 1 of another kind: odd\.heic\."):
        image_folder(folder, side=8)


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
    with pytest.raises(ValueError, match="expected images for every class, got none for sea"):
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
