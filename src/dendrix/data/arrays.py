"""Data sets from arrays, tensors, torch and Hugging Face data sets, and `.npz` files."""

import zipfile
import zlib
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core import expect_in
from ..errors import InputError, InputTypeError
from .base import Data, Dataset, Splits
from .given import classes_of, cut, images, parts, rows, sequence, tensor_of
from .images.base import ImageDataset


def as_dataset(
    data: Any,
    *,
    labels: Sequence[str] | None = None,
    dt_ms: float = 1.0,
    columns: tuple[str, str] | None = None,
) -> Dataset | ImageDataset:
    """Convert data to a data set in memory.

    Args:
        data: one of
            (x, y) or (x, y, lengths), arrays, tensors or sequences of them: x [N, T, C], N sequences [T_i, C], or images [N, C, H, W] as
            bytes or numbers from 0 to 1; classes y [N], whole numbers or names; lengths [N], the number of steps of each row of x;
            a torch data set, or any sequence, of pairs (x [T, C] or [C, H, W], y);
            a Hugging Face `datasets.Dataset`, with the two `columns`;
            a `Dataset` or `ImageDataset`, which is returned unchanged.
        labels: names of the K classes; by default the names in y, or "0", "1", ...
        dt_ms: length of a time step of sequences, in ms.
        columns: columns of inputs and classes of a Hugging Face data set; by default the class is "label" and the input the other column.
    Returns:
        a `Dataset` of sequences or an `ImageDataset`.
    Raises:
        InputTypeError, InputError: the type of the data is not supported, or inputs, classes and lengths do not match.
    """
    if isinstance(data, Dataset | ImageDataset):
        return data
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    x, y, lengths = parts(data, columns)
    classes, names = classes_of(y, labels)
    x = rows(x)
    if len(x) != len(classes):
        raise InputError(f"y: expected a class for each of {len(x)} items of x, got {len(classes)}. Give as many.")
    if tensor_of(x[0], "x, item 0").dim() == 3:
        if lengths is not None:
            raise InputError("lengths: expected none for images [C, H, W], got some. Leave them out; frames over time are [T, C] each.")
        return ImageDataset(images(x), classes, names)
    padded = x if lengths is None else cut(x, lengths)
    sequences = [sequence(part, f"x, item {number}") for number, part in enumerate(padded)]
    return Dataset(sequences, classes, names, dt_ms)


def read_arrays(path: str | Path, *, labels: Sequence[str] | None = None, dt_ms: float | None = None) -> Dataset | ImageDataset:
    """Read an `.npz` with `x` and `y`, and optionally `lengths`, `labels` and `dt_ms`, as in `as_dataset`.

    Args:
        path: file to read.
        labels: names of the classes; None takes those in the file.
        dt_ms: length of a time step, in ms; None takes that in the file, or 1.
    Raises:
        OSError: the file does not exist or is not readable.
        InputError: it is damaged, or its arrays do not match.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as pack:
            found = {name: pack[name] for name in ("x", "y", "lengths", "labels", "dt_ms") if name in pack}
    except (ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: expected an .npz of arrays, but it cannot be read ({error}). Save it with numpy.savez.") from error
    if missing := [name for name in ("x", "y") if name not in found]:
        raise InputError(f"{path}: expected an array '{missing[0]}', which is missing. Save x and y, and lengths if rows are padded.")
    names = found["labels"].tolist() if "labels" in found else labels
    step = dt_ms if dt_ms is not None else found["dt_ms"].tolist() if "dt_ms" in found else 1.0
    try:
        return as_dataset((found["x"], found["y"], found.get("lengths")), labels=names, dt_ms=step)
    except (InputError, InputTypeError) as error:
        raise InputError(f"{path}: {error}") from error


def held_out(data: Data, share: Any, seed: int) -> tuple[Data, Data]:
    """Split data at random within each class: the rest, and about the fraction `share`, at least one item of each class with two or more.

    Raises:
        InputError: one of the parts would be empty.
    """
    if not isinstance(share, Real) or isinstance(share, bool) or not 0 < float(share) < 1:
        raise InputError(f"validation: expected data, or a share of the training data in (0, 1), got {share}. Choose a number between.")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(data), dtype=torch.bool)
    for members in (torch.nonzero(data.y == label).flatten() for label in sorted(set(data.y.tolist()))):
        count = min(max(round(float(share) * len(members)), 1), len(members) - 1)
        chosen[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    if not chosen.any():
        raise InputError(f"validation: expected at least two items of a class to hold one out, got {len(data)} items. Give more data.")
    return data.subset(~chosen), data.subset(chosen)


def as_splits(data: Any, validation: Any, test: Any, *, seed: int, **options: Any) -> Splits[Any]:
    """Convert data to training, validation and test splits.

    Args:
        data: as in `as_dataset`.
        validation: as in `as_dataset`, or the fraction of the training data to hold out.
        test: as in `as_dataset`; None takes the validation data.
        seed: seed of the split.
        **options: options of `as_dataset`.
    """
    train = as_dataset(data, **options)
    options = {**options, "labels": train.labels}
    if validation is None or isinstance(validation, Real):
        train, valid = held_out(train, validation, seed)
    else:
        valid = _part("validation", validation, options)
    last = valid if test is None else _part("test", test, options)
    for name, part in (("validation", valid), ("test", last)):
        if type(part) is not type(train) or part.channels != train.channels:
            raise InputError(
                f"{name}: expected {_kind(train)}, as the training data, got {_kind(part)}. Prepare all parts in the same way."
            )
    return Splits(train, valid, last)


def _kind(data: Dataset | ImageDataset) -> str:
    return f"{'sequences' if isinstance(data, Dataset) else 'images'} of {data.channels} channels"


def _part(name: str, data: Any, options: dict[str, Any]) -> Dataset | ImageDataset:
    try:
        return as_dataset(data, **options)
    except (InputError, InputTypeError) as error:
        raise type(error)(f"{name}: {error}") from error
