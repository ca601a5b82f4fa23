"""Data sets from arrays, tensors, torch and Hugging Face data sets, and `.npz` files."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import expect, expect_count
from ..errors import InputError, InputTypeError
from .base import Data, Dataset, Splits
from .images.base import ImageDataset

_TEXT = (str, np.str_)


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
    x, y, lengths = _parts(data, columns)
    classes, names = _classes(y, labels)
    if lengths is not None:
        x = _cut(x, lengths)
    first = _tensor(x[0], "x")
    if first.dim() == 3:
        return ImageDataset(_images(x), classes, names)
    sequences = [_sequence(part, number) for number, part in enumerate(x)]
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
    names = labels if labels is not None else [str(name) for name in found["labels"]] if "labels" in found else None
    step = dt_ms if dt_ms is not None else float(found["dt_ms"]) if "dt_ms" in found else 1.0
    try:
        return as_dataset((found["x"], found["y"], found.get("lengths")), labels=names, dt_ms=step)
    except (InputError, InputTypeError) as error:
        raise InputError(f"{path}: {error}") from error


def held_out(data: Data, share: float, seed: int) -> tuple[Data, Data]:
    """Split data at random within each class: the rest, and about the fraction `share`, at least one item of each class with two or more.

    Raises:
        InputError: one of the parts would be empty.
    """
    if not 0 < share < 1:
        raise InputError(f"validation: expected data, or a share of the training data in (0, 1), got {share}. Choose a number between.")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(data), dtype=torch.bool)
    for members in (torch.nonzero(data.y == label).flatten() for label in sorted(set(data.y.tolist()))):
        count = min(max(round(share * len(members)), 1), len(members) - 1)
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
    if isinstance(validation, float):
        train, valid = held_out(train, validation, seed)
    else:
        valid = as_dataset(validation, **options)
    last = valid if test is None else as_dataset(test, **options)
    for name, part in (("validation", valid), ("test", last)):
        if type(part) is not type(train) or part.channels != train.channels:
            raise InputError(
                f"{name}: expected {_kind(train)}, as the training data, got {_kind(part)}. Prepare all parts in the same way."
            )
    return Splits(train, valid, last)


def _kind(data: Dataset | ImageDataset) -> str:
    return f"{'sequences' if isinstance(data, Dataset) else 'images'} of {data.channels} channels"


def _parts(data: Any, columns: tuple[str, str] | None) -> tuple[Any, Any, Any]:
    """Return x, y and lengths."""
    if hasattr(data, "column_names") and hasattr(data, "features"):
        return _hugging_face(data, columns)
    if isinstance(data, tuple) and len(data) in (2, 3):
        x, y, *more = data
        return x, y, more[0] if more else None
    if (hasattr(data, "__getitem__") and hasattr(data, "__len__")) or hasattr(data, "__iter__"):
        items = [data[i] for i in range(len(data))] if hasattr(data, "__len__") else list(data)
        if items and all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items):
            return [item[0] for item in items], [item[1] for item in items], None
    raise InputTypeError(
        f"data: expected (x, y), (x, y, lengths), a data set of pairs (x, y) or a Source, got {type(data).__name__}. See dendrix.train.fit."
    )


def _hugging_face(data: Any, columns: tuple[str, str] | None) -> tuple[Any, Any, None]:
    names = list(data.column_names)
    if columns is None:
        label = next((name for name in ("label", "labels", "y") if name in names), None)
        rest = [name for name in names if name != label]
        if label is None or len(rest) != 1:
            raise InputError(f"columns: expected the names of two columns, inputs and classes, of {', '.join(names)}, got none. Name them.")
        columns = (rest[0], label)
    if missing := [name for name in columns if name not in names]:
        raise InputError(f"columns: expected some of {', '.join(names)}, got '{missing[0]}'.")
    inputs = [_picture(value) for value in data[columns[0]]]
    classes = data.features[columns[1]]
    given = list(data[columns[1]])
    return inputs, [classes.names[i] for i in given] if hasattr(classes, "names") else given, None


def _picture(value: Any) -> Any:
    """Convert a Pillow image to [C, H, W]; other values are returned unchanged."""
    if not hasattr(value, "getbands"):
        return value
    pixels = np.asarray(value)
    return np.moveaxis(pixels[..., None] if pixels.ndim == 2 else pixels, -1, 0)


def _classes(y: Any, labels: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...]]:
    """Return classes, int64 [N], and their names."""
    given = y.tolist() if isinstance(y, Tensor | np.ndarray) else [part.item() if hasattr(part, "item") else part for part in y]
    if not given:
        raise InputError("y: expected the class of at least one item, got none. Check the data.")
    if all(isinstance(value, _TEXT) for value in given):
        names = tuple(sorted({str(value) for value in given})) if labels is None else tuple(map(str, labels))
        if unknown := sorted({str(value) for value in given} - set(names)):
            raise InputError(f"y: expected classes of {', '.join(names)}, got '{unknown[0]}'. Rename it, or add it to labels.")
        return torch.tensor([names.index(str(value)) for value in given]), names
    if odd := [value for value in given if not _is_whole(value)]:
        raise InputError(f"y: expected whole numbers or names of classes, got {odd[0]!r}. Give one class for each item.")
    classes = torch.tensor([int(value) for value in given])
    names = tuple(map(str, range(int(classes.max()) + 1))) if labels is None else tuple(map(str, labels))
    if int(classes.min()) < 0 or int(classes.max()) >= len(names):
        raise InputError(
            f"y: expected classes 0 to {len(names) - 1}, one for each label, got {int(classes.min())} to {int(classes.max())}."
        )
    return classes, names


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _tensor(value: Any, name: str) -> Tensor:
    try:
        found = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name}: expected arrays of numbers, got {type(value).__name__} ({error}).") from error
    if found.is_complex():
        raise InputTypeError(f"{name}: expected real numbers, got {found.dtype}.")
    return found.detach().cpu()


def _sequence(value: Any, number: int) -> Tensor:
    """Return one sequence [T, C]. float64 is converted to float32; bytes are kept and converted when an item is read."""
    found = _tensor(value, "x")
    expect(found, "T C", f"x, item {number}")
    return found if found.dtype in (torch.float32, torch.uint8) else found.float()


def _images(x: Any) -> Tensor:
    found = _tensor(x, "x") if isinstance(x, Tensor | np.ndarray) else torch.stack([_tensor(part, "x") for part in x])
    if found.dtype == torch.uint8:
        return found
    if not found.is_floating_point() or float(found.min()) < 0 or float(found.max()) > 1:
        raise InputError(
            f"x: expected images of bytes (uint8), or of numbers from 0 to 1, got {found.dtype} from {found.min().item():g} to "
            f"{found.max().item():g}. Scale them; a network can normalise in its first layer."
        )
    return found.float()


def _cut(x: Any, lengths: Any) -> list[Any]:
    """Return the rows of x without their padding."""
    counts = lengths.tolist() if isinstance(lengths, Tensor | np.ndarray) else list(lengths)
    if len(counts) != len(x):
        raise InputError(f"lengths: expected one for each of {len(x)} rows, got {len(counts)}.")
    return [row[: expect_count(count, f"[1, {len(row)}]", "lengths")] for row, count in zip(x, counts, strict=True)]
