"""Data of the user's own in every form that is taken, and what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

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


def hugging_face(frames: Any, label: Any, names: Sequence[str] | None = None) -> datasets.Dataset:
    found = datasets.Dataset.from_dict({"frames": frames, "label": label})
    return found if names is None else found.cast_column("label", datasets.ClassLabel(names=list(names)))


@pytest.mark.parametrize("form", [None, "numpy", "torch", "stream"])
def test_hugging_face_data_sets_are_taken(form: str | None) -> None:
    data: Any = hugging_face(X.tolist(), [1, 0], ["wolf", "cat", "dog"])
    found = as_dataset(data.to_iterable_dataset() if form == "stream" else data.with_format(form))
    assert (found.labels, found.y.tolist()) == (("wolf", "cat", "dog"), [1, 0])  # in their own order
    assert all(torch.equal(found[i][0], X[i]) for i in range(2))


def test_other_columns_of_hugging_face_data_sets_are_taken() -> None:
    ragged = as_dataset(hugging_face([X[0, :2].tolist(), X[1].tolist()], ["no", "yes"]))
    assert ([len(x) for x in ragged.x], ragged.labels) == ([2, 4], ("no", "yes"))
    pictures = [Image.fromarray(np.full((4, 4, 3), shade, np.uint8)) for shade in (9, 99)]
    found = as_dataset(hugging_face(pictures, [0, 1]))
    assert isinstance(found, ImageDataset)
    assert (found.x.shape, found.x[1].unique().tolist()) == ((2, 3, 4, 4), [99])
    with pytest.raises(InputError, match=r"columns: expected some of frames, label, got 'sound'"):
        as_dataset(hugging_face(X.tolist(), [0, 1]), columns=("sound", "label"))
    with pytest.raises(InputError, match=r"columns: expected the names of two columns, inputs and classes, got 'frames'"):
        as_dataset(hugging_face(X.tolist(), [0, 1]), columns="frames")
    with pytest.raises(InputError, match=r"y: expected one of 2 classes for every item, got -1"):
        as_dataset(hugging_face(X.tolist(), [0, -1], ["a", "b"]))
    with pytest.raises(InputError, match=r"y: expected one of 2 classes for every item, got None"):
        as_dataset(hugging_face(X.tolist(), [0, None], ["a", "b"]))
    with pytest.raises(InputTypeError, match=r"data: expected \(x, y\) or one data set, got a DatasetDict of train"):
        as_dataset(datasets.DatasetDict(train=hugging_face(X.tolist(), [0, 1])))
    with pytest.raises(InputTypeError, match=r"x, item 0: expected arrays of numbers, got str"):
        as_dataset(hugging_face(["a", "b"], [0, 1]))


@pytest.mark.parametrize(
    "x",
    [
        np.frombuffer(X.numpy().tobytes(), np.float32).reshape(X.shape),  # read-only
        np.ascontiguousarray(X.numpy()[:, ::-1])[:, ::-1],
        X.numpy().astype(">f4"),
        X.clone().requires_grad_(),
        torch.nested.nested_tensor(list(X), layout=torch.jagged),
        np.array([X[0].numpy(), X[1].numpy(), None], dtype=object)[:2],
    ],
)
def test_arrays_that_torch_does_not_take_as_they_are(x: Any) -> None:
    found = as_dataset((x, Y))
    assert all(torch.equal(found[i][0], X[i]) for i in range(2))
    assert not found.x[0].requires_grad


class Broken(Pairs):
    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index == 1:
            raise ValueError("disk\nhiccup")
        return super().__getitem__(index)


class Negative(Pairs):
    def __len__(self) -> int:
        return -1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, r"data: expected \(x, y\), .* got int"),
        ((X, [0]), "y: expected"),
        ((X, []), "y: expected the class of at least one item, got none"),
        ((X, [0, 1.5]), "y: expected whole numbers or names of classes, got 1.5"),
        ((X, [0, True]), "y: expected whole numbers or names of classes, got True"),
        ((X, [0, float("nan")]), "y: expected whole numbers"),
        ((X, [-1, 0]), r"y: expected classes 0 to 99999, .* got -1 to 0"),
        ((X, Y, [2]), "lengths: expected one for each of 2 rows, got 1"),
        ((X, Y, [2, 5]), r"lengths: expected a whole number in \[1, 4\], got 5"),
        ((X, Y, [2, 2.5]), r"lengths: expected a whole number in \[1, 4\], got 2.5"),
        ((X[..., 0], Y), r"x, item 0: expected \[T, C\], got \[4\]"),
        ((torch.full((2, 1, 4, 4), 3.0), Y), "x: expected images of bytes"),
        ((torch.zeros(2, 4, 3, dtype=torch.complex64), Y), "x, item 0: expected real numbers, got torch.complex64"),
        ((torch.zeros(2, 4, 3, device="meta"), Y), "x, item 0: expected real numbers, got meta"),
        ((X.to_sparse(), Y), r"x: expected a dense tensor, got torch.sparse_coo\. Use x.to_dense\(\)"),
        ((["a", "b"], Y), "x, item 0: expected arrays of numbers, got str"),
        ((np.full((2, 4, 3), None), Y), r"x, item 0: expected arrays of numbers, got ndarray \(of object\)"),
        ((np.zeros((2, 4, 3), "M8[s]"), Y), r"x, item 0: expected arrays of numbers, got ndarray \(of datetime64\[s\]\)"),
        ((np.ma.masked_array(X.numpy(), X.numpy() > 2), Y), "x, item 0: expected plain arrays, got a masked one"),
        (([[[1, 2, 3], [1]], X[1]], Y), "x, item 0: expected arrays of numbers, got list"),
        ((X[:0], Y), "y: expected a class for each of 0 items of x, got 2"),
        ((X[:, :0], Y), r"x, item 0: expected \[T, C\], got \[0, 3\]"),
        (([X[0], X[1, :, :2]], Y), r"x, item 1: expected \[T, C=3\], got \[4, 2\]"),
        (([X[0], X], Y), r"x, item 1: expected \[T, C\], got \[2, 4, 3\]"),
        (([X, X[0]], Y), r"x: expected images of one size, \[2, 4, 3\], got \[4, 3\] in item 1"),
        (([torch.zeros(3, 8, 8), torch.zeros(3, 9, 8)], Y), r"x: expected images of one size, .* got \[3, 9, 8\] in item 1"),
        ((torch.full((2, 1, 4, 4), torch.nan), Y), "x: expected images of bytes .* from nan to nan"),
        ((torch.zeros(2, 1, 0, 4), Y), r"x: expected \[N, C, H, W\], got \[2, 1, 0, 4\]"),
        ((torch.zeros(2, 1, 4, 4), Y, [4, 4]), "lengths: expected none for images"),
        ((None, Y), "x: expected an array .* got NoneType"),
        ((torch.tensor(1.0), Y), "x: expected an array .* got Tensor"),
        (((part for part in X), Y), "x: expected an array .* got generator"),
        (({"a": 1}, Y), "x: expected an array .* got dict"),
        (("ab", Y), "x: expected an array .* got str"),
        ((X, 1), "y: expected a list or an array of a class for each item, got 1"),
        ((X, torch.tensor(1)), "y: expected a list or an array of a class for each item"),
        ((X, None), "y: expected a list or an array of a class for each item, got None"),
        ((X, "ab"), "y: expected a list or an array of a class for each item, got 'ab'"),
        ((X, {0, 1}), "y: expected a list or an array of a class for each item"),
        ((X, [torch.zeros(2), torch.zeros(2)]), "y: expected a list or an array of a class for each item"),
        ((X, torch.eye(2)), r"y: expected whole numbers or names of classes, got \[1.0, 0.0\]"),
        ((X, [0, 10**9]), "y: expected classes 0 to 99999, numbered from 0 on, got 0 to 1000000000"),
        ((X, [0, 1e300]), "y: expected classes 0 to 99999"),
        ((X, ["a", 1]), "y: expected whole numbers or names of classes, got 'a'"),
        ((X, Y, 3), "lengths: expected a list or an array of a length for each item, got 3"),
        ((X, Y, [0, 2]), r"lengths: expected a whole number in \[1, 4\], got 0"),
        ((X, Y, Y, Y), "data: expected .* got tuple"),
        ([], "data: expected at least one item, got none"),
        ({"x": X, "y": Y}, r"data: expected \(x, y\) or one data set, got a dict of x, y"),
        (torch.utils.data.DataLoader(Pairs()), r"data: expected a data set, got a DataLoader, .* Pass loader.dataset"),
        (Pairs, "data: expected .* got the class Pairs"),
        (Broken(), r"data: expected to read item 1 of the data set, got ValueError: disk hiccup\."),
        (Negative(), "data: expected a data set with a length, got ValueError"),
    ],
)
def test_bad_data_are_refused_in_one_sentence(data: Any, message: str) -> None:
    with pytest.raises((InputError, InputTypeError), match=message) as error:
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
    with pytest.raises(InputError, match="labels: expected at least one name, and different ones, got a, a"):
        as_dataset((np.zeros((1, 3, 2)), [0]), labels=["a", "a "])


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (
            np.zeros((2, 3, 2)),
            [0, 300_000_000],
            "y: expected classes 0 to 99999, numbered from 0 on, got 0 to 300000000.*--allow classes=300000001",
        ),
        (np.zeros((2, 3, 2)), [0, 1e30], "y: expected classes 0 to 99999"),
        (
            np.zeros((2, 3, 2)),
            [-(2**70), 0],
            "y: expected classes 0 to 99999, numbered from 0 on, got -1180591620717411303424 to 0. Number them anew, or give their names.$",
        ),
        (np.array([[[0.0]], [[np.nan]]]), [0, 1], "x, item 1: expected finite numbers, got nan"),
        (np.array([[[0.0]], [[1e300]]]), [0, 1], r"x, item 1: expected numbers within float32, got 1e\+300"),
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
