"""Data of the user's own as data sets: arrays and tensors, torch and Hugging Face data sets, and `.npz` files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import expect, expect_count
from ..core.archives import read_npz
from ..core.limits import expect_within
from ..errors import InputError, InputTypeError
from .base import Data, Dataset, Splits
from .images.base import ImageDataset
from .images.pictures import plain
from .text.sentences import tidy

_TEXT = (str, np.str_)


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
    """Read an `.npz` with `x` and `y`, and if they are known `lengths`, `labels` and `dt_ms`, as in `as_dataset`.

    Args:
        path: the file.
        labels: instead of those in the file.
        dt_ms: instead of that in the file; 1 ms if neither says.
    Raises:
        OSError: there is no such file or it may not be read.
        InputError: it is damaged, or its arrays do not fit together.
    """
    names = ("x", "y", "lengths", "labels", "dt_ms")
    found = read_npz(Path(path), names, "an .npz of arrays", "Save it with numpy.savez.")
    if missing := [name for name in ("x", "y") if name not in found]:
        raise InputError(f"{path}: expected an array '{missing[0]}', which is missing. Save x and y, and lengths if rows are padded.")
    try:
        given = [str(name) for name in found["labels"].tolist()] if labels is None and "labels" in found else labels
        step = dt_ms if dt_ms is not None else float(found["dt_ms"]) if "dt_ms" in found else 1.0
        return as_dataset((found["x"], found["y"], found.get("lengths")), labels=given, dt_ms=step)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}") from error


def held_out(data: Data, share: float, seed: int) -> tuple[Data, Data]:
    """Split at random, class by class: what remains, and about `share` of every class, at least one item of each that has two.

    Raises:
        InputError: nothing would be left, or held out.
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
    """x, y and lengths."""
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
    """A Pillow image as [C, H, W], upright and without transparency; anything else as it is."""
    if not hasattr(value, "getbands"):
        return value
    pixels = np.array(plain(value))
    return np.moveaxis(pixels[..., None] if pixels.ndim == 2 else pixels, -1, 0)


def _classes(y: Any, labels: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...]]:
    """Classes int64 [N], and their names."""
    given = y.tolist() if isinstance(y, Tensor | np.ndarray) else [part.item() if hasattr(part, "item") else part for part in y]
    if not given:
        raise InputError("y: expected the class of at least one item, got none. Check the data.")
    if all(isinstance(value, _TEXT) for value in given):
        words = [tidy(str(value)) for value in given]
        names = tuple(sorted(set(words))) if labels is None else _names(labels)
        place = {name: number for number, name in enumerate(names)}
        if unknown := sorted(set(words) - set(names)):
            raise InputError(f"y: expected classes of {', '.join(names)}, got '{unknown[0]}'. Rename it, or add it to labels.")
        return torch.tensor([place[word] for word in words]), names
    if odd := [value for value in given if not _is_whole(value)]:
        raise InputError(f"y: expected whole numbers or names of classes, got {odd[0]!r}. Give one class for each item.")
    numbers = [int(value) for value in given]
    low, high = min(numbers), max(numbers)
    if labels is None:
        expect_within(high + 1, "labels", "y, classes up to the highest number")
    names = tuple(map(str, range(high + 1))) if labels is None else _names(labels)
    if low < 0 or high >= len(names):
        raise InputError(f"y: expected classes 0 to {len(names) - 1}, one for each label, got {low} to {high}.")
    return torch.tensor(numbers), names


def _names(labels: Sequence[str]) -> tuple[str, ...]:
    names = tuple(tidy(str(name)) for name in labels)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"labels: expected different names of classes, got '{twice}' twice. Rename one.")
    return names


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
    """One sequence [T, C]; float64 becomes float32, bytes stay bytes, which a data set turns into numbers when an item is taken."""
    found = _tensor(value, "x")
    expect(found, "T C", f"x, item {number}")
    if found.dtype == torch.uint8:
        return found
    numbers = found.float()
    if not numbers.isfinite().all():
        odd = found[~numbers.isfinite()][0].item()
        raise InputError(f"x, item {number}: expected finite numbers, got {odd}. Repair or drop the item.")
    return numbers


def _images(x: Any) -> Tensor:
    found = _tensor(x, "x") if isinstance(x, Tensor | np.ndarray) else torch.stack([_tensor(part, "x") for part in x])
    if found.dtype == torch.uint8:
        return found
    if not found.is_floating_point() or not (float(found.min()) >= 0 and float(found.max()) <= 1):
        raise InputError(
            f"x: expected images of bytes (uint8), or of numbers from 0 to 1, got {found.dtype} from {found.min().item():g} to "
            f"{found.max().item():g}. Scale them; a network can normalise in its first layer."
        )
    return found.float()


def _cut(x: Any, lengths: Any) -> list[Any]:
    """Rows of x without their padding."""
    counts = lengths.tolist() if isinstance(lengths, Tensor | np.ndarray) else list(lengths)
    if len(counts) != len(x):
        raise InputError(f"lengths: expected one for each of {len(x)} rows, got {len(counts)}.")
    return [row[: expect_count(count, f"[1, {len(row)}]", "lengths")] for row, count in zip(x, counts, strict=True)]
