"""Random changes of images against their definitions, one image at a time."""

import torch

from dendrix.train.image.augmentation import vary_images
from dendrix.train.image.recipe import ImageAugment

OFF = ImageAugment(shift=0, flip=False)


def test_off_changes_nothing() -> None:
    x = torch.rand(5, 3, 8, 6)
    assert torch.equal(vary_images(x, OFF), x)


def test_a_shift_moves_the_whole_image_and_brings_black_in() -> None:
    x = torch.rand(200, 2, 5, 7) + 0.1
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    seen = set()
    for image, source in zip(vary_images(x, ImageAugment(shift=2, flip=False)), padded, strict=True):
        places = [
            (row, column) for row in range(5) for column in range(5) if torch.equal(image, source[:, row : row + 5, column : column + 7])
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 25


def test_a_flip_mirrors_about_half_of_the_images() -> None:
    x = torch.rand(400, 1, 3, 4)
    y = vary_images(x, ImageAugment(shift=0, flip=True))
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(y, x, strict=True)])
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(y, x, strict=True)])
    assert (kept ^ mirrored).all()
    assert 140 < kept.sum() < 260


def test_cutout_paints_one_square_in_all_channels() -> None:
    x = torch.rand(300, 3, 9, 9) * 0.4
    painted = vary_images(x, ImageAugment(shift=0, flip=False, cutout=4)) == 0.5
    assert torch.equal(painted[:, 0], painted[:, 2])
    rows, columns = painted[:, 0].any(2).sum(1), painted[:, 0].any(1).sum(1)
    assert torch.equal(painted[:, 0].sum((1, 2)), rows * columns)
    assert rows.max() == columns.max() == 4
    assert rows.min() < 4  # it may reach beyond the edge
