"""Labelled sentences from TSV, CSV or JSON Lines files, in three splits."""

import csv
import functools
import io
import json
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ...core.files import read_bytes, unique
from ...core.limits import expect_within
from ...errors import InputError

_FORMATS = (".tsv", ".csv", ".jsonl")
_SPLITS = {"train": ("train",), "valid": ("valid", "validation", "dev"), "test": ("test",)}
FOLDS = 10


class Row(NamedTuple):
    """A sentence with its label and its position."""

    text: str
    label: str
    where: str
    """File and line, for error messages."""


@dataclass(frozen=True)
class Sentences:
    """Labelled sentences."""

    texts: tuple[str, ...]
    y: Tensor
    """Class of each sentence, int64 [N]."""
    labels: tuple[str, ...]
    """Names of the K classes."""

    def __len__(self) -> int:
        return len(self.texts)


class SentenceSplits(NamedTuple):
    """Training, validation and test split. Choose hyperparameters on `valid`; use `test` only for the reported result."""

    train: Sentences
    valid: Sentences
    test: Sentences


def own_sentences(path: Path, *, text: str = "text", label: str = "label", fold: int = 0) -> SentenceSplits:
    """Read labelled sentences whose columns are named by a header or by JSON keys.

    Args:
        path: a .tsv, .csv or .jsonl file; or a folder with files named train, valid (or validation, dev) and test. Missing splits are held
            out from the training file by `split_rows`.
        text: column of the sentence.
        label: column of the label.
        fold: which tenth of the sentences is held out, 0 to 9; see `split_rows`.
    Raises:
        OSError: a file does not exist or cannot be opened.
        InputError: a file is empty or damaged, a column is missing or occurs twice, a sentence or label is empty, or a label does not occur
            in the training split.
    Warns:
        UserWarning: labels have spaces around them, which are left out.
    """
    if path.is_dir():
        found = {split: _file_of(path, names) for split, names in _SPLITS.items()}
        if found["train"] is None:
            raise FileNotFoundError(f"{path}: expected a file train.tsv, train.csv or train.jsonl, found none of them. Check the folder.")
        rows = {split: None if file is None else read_rows(file, text, label) for split, file in found.items()}
    elif path.is_file():
        rows = {"train": read_rows(path, text, label), "valid": None, "test": None}
    else:
        raise FileNotFoundError(f"{path}: expected a file of sentences or a folder of such files, but it does not exist. Check the path.")
    return split_rows(rows["train"] or [], rows["valid"], rows["test"], fold=fold)


def split_rows(
    train: Sequence[Row],
    valid: Sequence[Row] | None,
    test: Sequence[Row] | None,
    *,
    fold: int = 0,
    names: dict[str, str] | None = None,
) -> SentenceSplits:
    """Build three splits with the classes of the training split.

    A missing `test` split is every tenth training row, starting at row `fold`; a missing `valid` split is the row after each of these (or
    every tenth row from `fold`, if only `valid` is missing).

    Args:
        train: rows of the training split.
        valid, test: rows of the other splits, or None.
        fold: 0 to 9.
        names: name of each label, in the order of the classes; None sorts the labels of the training split, numbers by value.
    Raises:
        InputError: `fold` is out of range, a split is empty, there is only one class, a class has no training row, or a validation or test
            row has an unknown label.
    """
    if not 0 <= fold < FOLDS:
        raise InputError(f"fold: expected 0 to {FOLDS - 1}, got {fold}. Choose one of these.")
    held: dict[str, list[Row]] = {"train": [], "valid": list(valid or []), "test": list(test or [])}
    cut = [split for split, rows in (("test", test), ("valid", valid)) if rows is None]
    places = {(fold + i) % FOLDS: split for i, split in enumerate(cut)}
    for i, row in enumerate(train):
        held[places.get(i % FOLDS, "train")].append(row)
    if small := [split for split, rows in held.items() if not rows]:
        raise InputError(f"{small[0]}: expected at least one sentence, got none. Add sentences, or a file for each split.")
    known = list(names or sorted({row.label for row in held["train"]}, key=_by_number))
    _expect_classes(held["train"], known)
    for split in ("valid", "test"):
        for row in held[split]:
            if row.label not in known:
                raise InputError(f"{row.where}: expected a label of the training split, {_few(known)}, got {row.label!r}. Correct it.")
    labels = tuple(known if names is None else names.values())
    return SentenceSplits(
        *(Sentences(tuple(r.text for r in rows), torch.tensor([known.index(r.label) for r in rows]), labels) for rows in held.values())
    )


def read_rows(path: Path, text: str = "text", label: str = "label") -> list[Row]:
    """Read the rows of one file. Arguments and errors as in `own_sentences`."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise InputError(f"{path}: expected a file in {', '.join(_FORMATS)}, got '{path.suffix or path.name}'. Convert or rename it.")
    content = _decoded(path)
    fields = _json_lines(path, content) if suffix == ".jsonl" else _table(path, content)
    rows, untidy = [], set[str]()
    for number, given in fields:
        where = f"{path}, line {number}"
        if text not in given or label not in given:
            column = label if text in given else text
            raise InputError(f"{where}: expected the column '{column}', got {_few(list(given))}. Name it with --data.text or --data.label.")
        words, name = _written(given[text]), _written(given[label])
        tidied = tidy(name)
        if not tidied or not words or words.isspace():
            column = text if not words or words.isspace() else label
            raise InputError(f"{where}: expected a non-empty {column}, got {given[column]!r}. Fill it in, or remove the row.")
        if tidied != name:
            untidy.add(name)
        rows.append(Row(words, tidied, where))
    if not rows:
        raise InputError(f"{path}: expected sentences, got none. Check the file.")
    expect_within(len(rows), "labels", str(path))
    if untidy:
        message = f"{path}: labels have spaces around them or other forms of the same letters, which are left out: {_few(sorted(untidy))}."
        warnings.warn(message, stacklevel=2)
    return rows


@functools.lru_cache(1 << 12)
def tidy(label: str) -> str:
    """A label without spaces around it and in the usual form of Unicode, so that what looks the same is one class."""
    return unicodedata.normalize("NFC", label.strip())


def _written(value: object) -> str:
    """A field as text; whole numbers of JSON as they are usually written, and nothing for anything but text and numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else ""


def _table(path: Path, content: str) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the line number and the fields of each row of a TSV file, which has no quoting, or of a CSV file."""
    style = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix.lower() == ".tsv" else {"strict": True}
    reader = csv.reader(io.StringIO(content, newline=""), **style)
    try:
        header = next(reader, [])
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise InputError(f"{path}, line 1: expected different names of columns, got {twice[0]!r} twice. Rename or remove one.")
        for values in reader:
            if not values:
                continue
            if len(values) != len(header):
                expected = f"{len(header)} columns, as in the header"
                raise InputError(f"{path}, line {reader.line_num}: expected {expected}, got {len(values)}. Correct the row.")
            yield reader.line_num, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: expected a row of the table, but it cannot be read ({error}). Correct the row."
        ) from error


_JSON = json.JSONDecoder(object_pairs_hook=unique)
"""Made once: `json.loads` makes one for each line."""


def _json_lines(path: Path, content: str) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = _JSON.decode(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: expected JSON, but it cannot be read ({error}). Correct the line.") from error
        if not isinstance(value, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, got {type(value).__name__}. Correct the line.")
        yield number, value


def _decoded(path: Path) -> str:
    content = read_bytes(path)
    expect_within(len(content), "text_bytes", str(path))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: expected UTF-8, got the byte {content[error.start]:#04x}. Save it as UTF-8.") from error


def _expect_classes(rows: Sequence[Row], known: list[str]) -> None:
    if len(known) < 2:
        raise InputError(f"label: expected at least two classes in the training split, got {_few(known)}. Is it the right column?")
    there = {row.label for row in rows}
    if empty := [label for label in known if label not in there]:
        raise InputError(f"label: expected training sentences of every class, but {empty[0]!r} has none. Add some, or remove the class.")


def _file_of(folder: Path, names: tuple[str, ...]) -> Path | None:
    found = [folder / f"{name}{suffix}" for name in names for suffix in _FORMATS if (folder / f"{name}{suffix}").is_file()]
    if len(found) > 1:
        raise InputError(f"{folder}: expected one file for {names[0]}, got {found[0].name} and {found[1].name}. Remove one.")
    return found[0] if found else None


def _by_number(label: str) -> tuple[int, str]:
    return (int(label), "") if label.isdecimal() else (-1, label)


def _few(names: Sequence[str]) -> str:
    """Format at most eight names for an error message."""
    return ", ".join(repr(name) for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "" if names else "none")
