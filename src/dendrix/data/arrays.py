"""Data of the user's own as data sets: arrays and tensors, torch and Hugging Face data sets, and `.npz` files."""

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
    """Make a data set of what the caller has; it is held in memory.

    Args:
        data: one of
            (x, y) or (x, y, lengths), arrays, tensors or sequences of them: x [N, T, C] or N sequences [T_i, C], or images [N, C, H, W],
            bytes or numbers from 0 to 1; y, whole numbers or names, [N]; lengths, the steps of each row of x, [N];
            a torch data set, or any sequence, of pairs (x [T, C] or [C, H, W], y);
            a Hugging Face `datasets.Dataset`, with the two `columns`;
            a `Dataset` or `ImageDataset`, which comes back as it is.
        labels: the names of the K classes; by default those that y names, or "0", "1", ...
        dt_ms: the length of one time step of sequences, in ms.
        columns: of a Hugging Face data set, the inputs and the classes; by default "label" and the only other column.
    Returns:
        a `Dataset` of sequences or an `ImageDataset`.
    Raises:
        InputTypeError, InputError: the data are of another kind, or do not fit together.
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
    """Read an `.npz` with `x` and `y`, and if they are known `lengths`, `labels` and `dt_ms`, as in `as_dataset`.

    Args:
        path: the file.
        labels: the names of the classes, if the file has none.
        dt_ms: instead of that in the file; 1 ms if neither says.
    Raises:
        OSError: there is no such file or it may not be read.
        InputError: it is damaged, or its arrays do not fit together.
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
    """Split at random, class by class: what remains, and about `share` of every class, at least one item of each that has two.

    Raises:
        InputError: nothing would be left, or held out.
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
    """Three splits of what the caller has.

    Args:
        data: as in `as_dataset`.
        validation: likewise; or a share of the training data that is held out.
        test: likewise; None takes the validation data.
        seed: of what is held out.
        **options: of `as_dataset`.
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
