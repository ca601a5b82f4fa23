"""Data of the user's own in every form that is taken, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dendrix.data import Dataset, ImageDataset, as_dataset, read_arrays
from dendrix.data.arrays import as_splits, held_out
from dendrix.errors import InputError, InputTypeError

X, Y = torch.arange(24.0).view(2, 4, 3), [0, 1]


class Pairs(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return X[index], Y[index]


@pytest.mark.parametrize(
    "data",
    [
        (X, Y),
        (X.numpy(), np.array(Y, dtype=np.uint8)),
        (X.double(), torch.tensor(Y, dtype=torch.int16)),
        ([X[0], X[1]], [np.int64(0), np.int64(1)]),
        (X.tolist(), [0.0, 1.0]),
        Pairs(),
        [(X[0], 0), (X[1], 1)],
        iter([(X[0], 0), (X[1], 1)]),
    ],
)
def test_sequences_in_every_form_are_the_same(data: Any) -> None:
    found = as_dataset(data, dt_ms=5.0)
    assert isinstance(found, Dataset)
    assert (found.labels, found.dt_ms, found.y.tolist()) == (("0", "1"), 5.0, [0, 1])
    assert all(torch.equal(found[i][0], X[i]) for i in range(2))


def test_lengths_cut_the_padding_away() -> None:
    found = as_dataset((X, Y, np.array([2, 4])))
    assert [len(x) for x in found.x] == [2, 4]


def test_names_of_classes_are_sorted_or_given() -> None:
    assert as_dataset((X, ["no", "yes"])).labels == ("no", "yes")
    found = as_dataset((X, np.array(["no", "yes"])), labels=("yes", "no"))
    assert (found.labels, found.y.tolist()) == (("yes", "no"), [1, 0])


def test_images_are_bytes_or_from_zero_to_one() -> None:
    pixels = torch.randint(256, (3, 1, 4, 4), dtype=torch.uint8)
    found = as_dataset((pixels, [0, 1, 2]))
    assert isinstance(found, ImageDataset)
    assert torch.equal(found.x, pixels)
    shares = as_dataset((pixels / 255, [0, 1, 2]))
    (ours,), (theirs,) = (list(data.batches()) for data in (found, shares))
    torch.testing.assert_close(ours.x, theirs.x)
    assert ours.valid is None


def test_hugging_face_data_sets_are_taken() -> None:
    class Features(dict):
        pass

    class Named:
        names = ("cat", "dog")

    class HuggingFace:
        """The part of `datasets.Dataset` that is used; the real package is in the tests of the tools."""

        column_names = ("frames", "label")
        features = Features(label=Named(), frames=object())

        def __getitem__(self, name: str) -> list[Any]:
            return {"frames": X.tolist(), "label": [1, 0]}[name]

    found = as_dataset(HuggingFace())
    assert (found.labels, found.y.tolist()) == (("cat", "dog"), [1, 0])
    with pytest.raises(InputError, match=r"columns: expected some of frames, label, got 'sound'"):
        as_dataset(HuggingFace(), columns=("sound", "label"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, r"data: expected \(x, y\), .* got int"),
        ((X, [0]), "y: expected"),
        ((X, []), "y: expected the class of at least one item, got none"),
        ((X, [0, 1.5]), "y: expected whole numbers or names of classes, got 1.5"),
        ((X, [0, True]), "y: expected whole numbers or names of classes, got True"),
        ((X, [0, float("nan")]), "y: expected whole numbers"),
        ((X, [-1, 0]), r"y: expected classes 0 to 0, .* got -1 to 0"),
        ((X, Y, [2]), "lengths: expected one for each of 2 rows, got 1"),
        ((X, Y, [2, 5]), r"lengths: expected a whole number in \[1, 4\], got 5"),
        ((X, Y, [2, 2.5]), r"lengths: expected a whole number in \[1, 4\], got 2.5"),
        ((X[..., 0], Y), r"x, item 0: expected \[T, C\], got \[4\]"),
        ((torch.full((2, 1, 4, 4), 3.0), Y), "x: expected images of bytes"),
        ((torch.zeros(2, 4, 3, dtype=torch.complex64), Y), "x: expected real numbers"),
        ((["a", "b"], Y), "x: expected"),
    ],
)
def test_bad_data_are_refused_in_one_sentence(data: Any, message: str) -> None:
    with pytest.raises((InputError, InputTypeError, ValueError, TypeError), match=message) as error:
        as_dataset(data)
    assert "\n" not in str(error.value)


def test_files_of_arrays_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, y=Y, lengths=[3, 4], labels=["a", "b"], dt_ms=2.0)
    found = read_arrays(tmp_path / "a.npz")
    assert (found.labels, found.dt_ms, len(found.x[0])) == (("a", "b"), 2.0, 3)
    np.savez(tmp_path / "b.npz", x=X)
    with pytest.raises(InputError, match=r"b\.npz: expected an array 'y', which is missing"):
        read_arrays(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"PK broken")
    with pytest.raises(InputError, match=r"c\.npz: expected an .npz of arrays, but it cannot be read"):
        read_arrays(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", x=X, y=[0, 7], labels=["a", "b"])
    with pytest.raises(InputError, match=r"d\.npz: y: expected classes 0 to 1"):
        read_arrays(tmp_path / "d.npz")


def test_names_that_differ_by_spaces_are_one_class() -> None:
    data = as_dataset((np.zeros((4, 3, 2)), ["good ", "bad", " good", "cafe\u0301"]))
    assert (data.labels, data.y.tolist()) == (("bad", "café", "good"), [2, 0, 2, 1])
    assert as_dataset((np.zeros((1, 3, 2)), ["good "]), labels=["bad", "good"]).y.tolist() == [1]
    with pytest.raises(InputError, match="labels: expected different names of classes, got 'a' twice"):
        as_dataset((np.zeros((1, 3, 2)), [0]), labels=["a", "a "])


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (np.zeros((2, 3, 2)), [0, 300_000_000], "y, classes up to the highest number: expected at most 10,000,000 labels, got 300,000,001"),
        (np.zeros((2, 3, 2)), [0, 1e30], "expected at most 10,000,000 labels"),
        (np.zeros((2, 3, 2)), [-(2**70), 0], "y: expected classes 0 to 0"),
        (np.array([[[0.0]], [[np.nan]]]), [0, 1], "x, item 1: expected finite numbers, got nan"),
        (np.array([[[0.0]], [[1e300]]]), [0, 1], r"x, item 1: expected finite numbers, got 1e\+300"),
        (np.full((2, 3, 4, 4), np.nan), [0, 1], "x: expected images of bytes"),
    ],
)
def test_numbers_that_cannot_be_are_refused(x: np.ndarray, y: list[float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        as_dataset((x, y))


def test_a_share_of_every_class_is_held_out() -> None:
    y = torch.tensor([0] * 20 + [1] * 10 + [2])
    data = as_dataset((torch.arange(31.0).view(31, 1, 1), y))
    rest, valid = held_out(data, 0.2, seed=3)
    assert valid.y.bincount(minlength=3).tolist() == [4, 2, 0]  # a class of one item stays in training
    assert sorted(x.item() for x in [*rest.x, *valid.x]) == list(range(31))
    again, _ = held_out(data, 0.2, seed=3)
    assert torch.equal(again.y, rest.y)
    with pytest.raises(InputError, match="validation: expected data, or a share"):
        held_out(data, 1.0, seed=0)


def test_parts_of_another_kind_are_refused() -> None:
    with pytest.raises(InputError, match="validation: expected sequences of 3 channels, as the training data, got sequences of 2"):
        as_splits((X, Y), (X[..., :2], Y), None, seed=0)
