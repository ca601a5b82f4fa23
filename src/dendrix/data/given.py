"""Data of the caller as tensors: inputs, classes and lengths, each checked."""

import reprlib
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..core import expect, expect_count, expect_finite
from ..core.foreign import foreign
from ..errors import InputError, InputTypeError

_TEXT = str | np.str_
_MOST_CLASSES = 100_000
"""Numbers of classes beyond this are identifiers of something else."""


def parts(data: Any, columns: tuple[str, str] | None) -> tuple[Any, Any, Any]:
    """The inputs, the classes, and the lengths or None, of data in any of the forms of `as_dataset`."""
    if hasattr(data, "column_names") and hasattr(data, "features"):
        return _hugging_face(data, columns)
    if isinstance(data, tuple) and len(data) in (2, 3):
        x, y, *more = data
        return x, y, more[0] if more else None
    if isinstance(data, DataLoader):
        raise InputTypeError("data: expected a data set, got a DataLoader, which divides one into batches. Pass loader.dataset.")
    if isinstance(data, Mapping):
        raise InputTypeError(
            f"data: expected (x, y) or one data set, got a {type(data).__name__} of {', '.join(map(str, data)) or 'nothing'}. "
            "Pass its parts: (data['x'], data['y']), or data['train'] with validation=data['test']."
        )
    if not isinstance(data, _TEXT | type | Tensor | np.ndarray) and (hasattr(data, "__getitem__") or hasattr(data, "__iter__")):
        items = list(_items(data))
        if not items:
            raise InputError("data: expected at least one item, got none. Check the data.")
        if all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items):
            return [item[0] for item in items], [item[1] for item in items], None
    kind = f"the class {data.__name__}" if isinstance(data, type) else type(data).__name__
    raise InputTypeError(
        f"data: expected (x, y), (x, y, lengths), a data set of pairs (x, y) or a Source, which has load and to_dict, got {kind}. "
        "See dendrix.train.fit."
    )


def _items(data: Any) -> Iterator[Any]:
    """The items of a data set, read one after the other."""
    indexed = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    with foreign("data: expected a data set with a length", "Check its __len__."):
        rest = iter(range(len(data))) if indexed else iter(data)
    number = 0
    while True:
        with foreign(f"data: expected to read item {number} of the data set", "Mend the data set, or leave the item out."):
            try:
                item = next(rest)
            except StopIteration:
                return
            item = data[item] if indexed else item
        yield item
        number += 1


def _hugging_face(data: Any, columns: tuple[str, str] | None) -> tuple[Any, Any, None]:
    names = list(data.column_names or ())
    if columns is None:
        label = next((name for name in ("label", "labels", "y") if name in names), None)
        rest = [name for name in names if name != label]
        if label is None or len(rest) != 1:
            raise InputError(f"columns: expected the names of two columns, inputs and classes, of {', '.join(names)}, got none. Name them.")
        columns = (rest[0], label)
    if isinstance(columns, str) or len(columns) != 2:
        raise InputError(f"columns: expected the names of two columns, inputs and classes, got {columns!r}. Name both.")
    if missing := [name for name in columns if name not in names]:
        raise InputError(f"columns: expected some of {', '.join(names)}, got '{missing[0]}'. Rename it.")
    if not hasattr(data, "__len__"):
        rows = list(_items(data))
        inputs, given = ([row[name] for row in rows] for name in columns)
    else:
        inputs, given = (list(data[name]) for name in columns)
    classes: Any = (data.features or {}).get(columns[1])
    if hasattr(classes, "names"):
        if odd := [value for value in given if value is None or not 0 <= value < len(classes.names)]:
            raise InputError(f"y: expected one of {len(classes.names)} classes for every item, got {odd[0]}. Leave such items out.")
        given = Named([classes.names[i] for i in given], classes.names)
    return [_picture(value) for value in inputs], given, None


class Named(list[str]):
    """Names of classes [N] that come with the order of all classes, `labels`."""

    def __init__(self, values: Sequence[str], labels: Sequence[str]):
        super().__init__(values)
        self.labels = tuple(labels)


def _picture(value: Any) -> Any:
    """A Pillow image as [C, H, W]; anything else as it is."""
    if not hasattr(value, "getbands"):
        return value
    pixels = np.asarray(value)
    return np.moveaxis(pixels[..., None] if pixels.ndim == 2 else pixels, -1, 0)


def classes_of(y: Any, labels: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...]]:
    """Classes int64 [N], and the names of all K.

    Args:
        y: whole numbers or names, [N].
        labels: the names in their order; by default those that y comes with or names, or "0", "1", ...
    """
    given = _values(y, "y", "a class")
    if not given:
        raise InputError("y: expected the class of at least one item, got none. Check the data.")
    known = names_of(labels) if labels is not None else getattr(y, "labels", None)
    if all(isinstance(value, _TEXT) for value in given):
        names = known or tuple(sorted({str(value) for value in given}))
        if unknown := sorted({str(value) for value in given} - set(names)):
            raise InputError(f"y: expected classes of {', '.join(names)}, got '{unknown[0]}'. Rename it, or add it to labels.")
        number = {name: index for index, name in enumerate(names)}
        return torch.tensor([number[str(value)] for value in given]), names
    if odd := [value for value in given if not _is_whole(value)]:
        raise InputError(f"y: expected whole numbers or names of classes, got {reprlib.repr(odd[0])}. Give one class for each item.")
    numbers = [int(value) for value in given]
    low, high, most = min(numbers), max(numbers), _MOST_CLASSES if known is None else len(known)
    if low < 0 or high >= most:
        each = "numbered from 0 on" if known is None else "one for each label"
        raise InputError(f"y: expected classes 0 to {most - 1}, {each}, got {low} to {high}. Number them anew, or give their names.")
    return torch.tensor(numbers), known or tuple(map(str, range(high + 1)))


def names_of(labels: Any) -> tuple[str, ...]:
    """Different names in an order."""
    if isinstance(labels, _TEXT | Set | Mapping) or not hasattr(labels, "__iter__"):
        raise InputTypeError(f"labels: expected a list of the names of all classes, got {reprlib.repr(labels)}. Give a list.")
    names = tuple(map(str, labels))
    if not names or len(set(names)) != len(names):
        raise InputError(f"labels: expected at least one name, and different ones, got {', '.join(names) or 'none'}. Name each class once.")
    return names


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _values(given: Any, name: str, what: str) -> list[Any]:
    """The entries of an array, a tensor or a sequence, as plain values."""
    try:
        if isinstance(given, Tensor | np.ndarray):
            found = given.tolist()
        elif isinstance(given, _TEXT | bytes | Set | Mapping):  # have no order, or letters for entries
            found = None
        else:
            found = [value.item() if hasattr(value, "item") else value for value in given]
    except (TypeError, ValueError, RuntimeError, NotImplementedError):  # no entries, or entries of several numbers
        found = None
    if not isinstance(found, list):
        raise InputTypeError(f"{name}: expected a list or an array of {what} for each item, got {reprlib.repr(given)}. Give one for each.")
    return found


def rows(x: Any) -> Any:
    """The inputs as something with a length whose entries are arrays."""
    if isinstance(x, Tensor):
        x = list(x.unbind()) if x.is_nested else x
    elif hasattr(x, "__array__"):
        x = np.asanyarray(x)
    several = x.dim() > 0 if isinstance(x, Tensor) else np.ndim(x) > 0 if isinstance(x, np.ndarray) else isinstance(x, Sequence)
    if not several or isinstance(x, _TEXT | bytes):
        raise InputTypeError(f"x: expected an array [N, T, C] or [N, C, H, W], or a list of arrays, got {type(x).__name__}. Stack them.")
    if isinstance(x, Tensor) and x.layout != torch.strided:
        raise InputTypeError(f"x: expected a dense tensor, got {x.layout}. Use x.to_dense().")
    return x


def tensor_of(value: Any, name: str) -> Tensor:
    """Return a tensor of real numbers on the CPU; a read-only array is copied."""
    if isinstance(value, np.ma.MaskedArray):
        raise InputTypeError(f"{name}: expected plain arrays, got a masked one, whose mask would be lost. Use filled() or lengths.")
    if not isinstance(value, Tensor):
        value = _from_numpy(value, name)
    if value.is_complex() or value.is_meta or value.is_quantized:
        kind = "meta" if value.is_meta else value.dtype
        raise InputTypeError(f"{name}: expected real numbers, got {kind}. Convert them to float32.")
    found: Tensor = value.detach().cpu()
    return found


def _from_numpy(value: Any, name: str) -> Tensor:
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"of {array.dtype}")
        # torch takes neither the other byte order nor steps backwards, and warns of arrays that are read-only.
        return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name}: expected arrays of numbers, got {type(value).__name__} ({error}). Convert it to float32.") from error


def sequence(value: Any, name: str) -> Tensor:
    """One sequence [T, C]; float64 becomes float32, bytes stay bytes, which a data set turns into numbers when an item is taken."""
    found = tensor_of(value, name)
    expect(found, "T C", name)
    found = found if found.dtype in (torch.float32, torch.uint8) else found.float()
    expect_finite(found, name)
    return found


def images(x: Any) -> Tensor:
    """Images [N, C, H, W] as bytes, or as float32 from 0 to 1."""
    if isinstance(x, Tensor | np.ndarray):
        found = tensor_of(x, "x")
    else:
        each = [tensor_of(part, f"x, item {number}") for number, part in enumerate(x)]
        if odd := [number for number, part in enumerate(each) if part.shape != each[0].shape]:
            raise InputError(
                f"x: expected images of one size, {list(each[0].shape)}, got {list(each[odd[0]].shape)} in item {odd[0]}. Resize them."
            )
        found = torch.stack(each)
    expect(found, "N C H W", "x")
    if found.dtype == torch.uint8:
        return found
    low, high = (float(found.min()), float(found.max())) if found.is_floating_point() else (0.0, 2.0)
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise InputError(
            f"x: expected images of bytes (uint8), or of numbers from 0 to 1, got {found.dtype} from {found.min().item():g} to "
            f"{found.max().item():g}. Scale them; a network can normalise in its first layer."
        )
    return found.float()


def cut(x: Any, lengths: Any) -> list[Any]:
    """Rows of x without their padding."""
    counts = _values(lengths, "lengths", "a length")
    if len(counts) != len(x):
        raise InputError(f"lengths: expected one for each of {len(x)} rows, got {len(counts)}. Leave lengths out where no row is padded.")
    return [row[: expect_count(count, f"[1, {len(row)}]", "lengths")] for row, count in zip(x, counts, strict=True)]
