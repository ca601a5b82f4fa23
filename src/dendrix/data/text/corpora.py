"""Text corpora in three splits: published ones by name, or files and folders.

Published: WikiText (Merity et al. 2016; CC BY-SA 3.0), enwik8 (Wikipedia of March 2006; CC BY-SA 3.0), Tiny Shakespeare, and English novels
in the public domain, split by book.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ...core import expect_one_of
from ...core.files import read_bytes
from ...core.limits import expect_within
from ...errors import InputError
from .archive import read_texts

_WIKITEXT = ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens")
_ENWIK8_BYTES = 100_000_000


@dataclass(frozen=True)
class Corpus:
    """A text in three splits.

    Args:
        train, valid, test: documents of each split, in order, as bytes.
    Raises:
        InputError: a split is empty.
    """

    train: tuple[bytes, ...]
    valid: tuple[bytes, ...]
    test: tuple[bytes, ...]

    def __post_init__(self) -> None:
        for name, documents in (("training", self.train), ("validation", self.valid), ("testing", self.test)):
            if not any(documents):
                raise InputError(f"text: expected some text for {name}, got none. Use a longer text.")


def corpus(name: str | Path, root: str | Path | None = None) -> Corpus:
    """Read a corpus.

    Args:
        name: "novels", "wikitext-2", "wikitext-103", "enwik8", "tiny-shakespeare", several of these joined by "+", or a path: a folder
            with train, valid and test (folders or files), a folder of text files, or one text file. A text without splits is divided
            90 : 5 : 5 at line ends.
            A file or folder with the name of a published corpus, such as the packed network `novels`, does not hide it: give "./novels".
        root: folder of the published corpora; None takes the folder named by the environment variable DENDRIX_DATA.
    Raises:
        FileNotFoundError: the file does not exist, or no data folder is given.
        InputError: the name is unknown, a file is empty or damaged, or one of your own has zero bytes, as binary files do.
    """
    if isinstance(name, Path) or os.sep in name or (name not in _PUBLISHED and Path(name).exists()):
        return _own(Path(name).expanduser())
    if len(names := name.split("+")) > 1:
        parts = [corpus(expect_one_of(part, _PUBLISHED, "text"), root) for part in names]
        return Corpus(*(tuple(chain.from_iterable(texts)) for texts in zip(*((p.train, p.valid, p.test) for p in parts), strict=True)))
    expect_one_of(name, _PUBLISHED, "text")
    root = root or os.environ.get("DENDRIX_DATA")
    if not root:
        raise FileNotFoundError(f"{name}: no data folder was given. Pass the folder of the corpus, or set DENDRIX_DATA to it.")
    base = Path(root).expanduser()
    archive, folders, files = _PUBLISHED[name]
    for place in (base, base / "text"):
        if (place / archive).is_file():
            return _archived(place / archive)
        for folder in (place / f for f in folders):
            if files and all((folder / file).is_file() for file in files):
                return Corpus(*[(read_text_file(folder / file),) for file in files])
    if name == "enwik8" and (found := next((p for p in (base / "enwik8", base / "text" / "enwik8") if p.is_file()), None)):
        return _enwik8(found)
    raise FileNotFoundError(f"{name}: expected {archive} or {' and '.join(files or ('enwik8',))} in {base}, found neither. Check the path.")


_PUBLISHED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "novels": ("novels.tar.xz", (), ()),
    "wikitext-2": ("wikitext2.tar.xz", ("", "wikitext-2"), _WIKITEXT),
    "wikitext-103": ("wikitext103.tar.xz", ("", "wikitext-103"), _WIKITEXT),
    "enwik8": ("enwik8_prefix4M.tar.xz", (), ()),
    "tiny-shakespeare": ("tinyshakespeare.tar.xz", (), ()),
}
"""Archive of each corpus, and alternatively folders and the files in them."""


def _archived(path: Path) -> Corpus:
    """Read an archive whose members are named by their split, or contain one text without splits."""
    texts = read_texts(path, "an archive of texts")
    splits = [tuple(text for name, text in texts.items() if name.startswith(split)) for split in ("train", "valid", "test")]
    return Corpus(*splits) if all(splits) else _cut(b"".join(texts.values()))


def _enwik8(path: Path) -> Corpus:
    """Read enwik8 in its usual split: 90, 5 and 5 million bytes."""
    text = read_text_file(path)
    if len(text) != _ENWIK8_BYTES:
        raise InputError(f"{path}: expected {_ENWIK8_BYTES} bytes, got {len(text)}. Download it again, or pass the path of the file.")
    return Corpus((text[:90_000_000],), (text[90_000_000:95_000_000],), (text[95_000_000:],))


def _own(path: Path) -> Corpus:
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a text file or a folder of text files, but it does not exist. Check the path.")
    if not path.is_dir():
        return _cut(_some(path, _document(path)))
    splits = [_split_of(path, names) for names in (("train",), ("valid", "validation", "dev"), ("test",))]
    if all(splits):
        return Corpus(*splits)
    return _cut(_some(path, b"".join(_documents(path))))


def read_text_file(path: Path) -> bytes:
    """The content of a file or a pipe.

    Raises:
        OSError: it does not exist or cannot be opened.
        InputError: it is longer than the limit of `text_bytes`.
    """
    expect_within(path.stat().st_size, "text_bytes", str(path))
    return read_bytes(path)


def _some(path: Path, text: bytes) -> bytes:
    if not text:
        raise InputError(f"{path}: expected some text, got none. Check the path.")
    return text


def _split_of(folder: Path, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the documents of a split: the files of a sub-folder, or a file, with its name."""
    found = [entry for entry in sorted(folder.iterdir()) if entry.stem in names]
    return tuple(text for entry in found for text in (_documents(entry) if entry.is_dir() else [_document(entry)]))


def _documents(folder: Path) -> Iterator[bytes]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        yield _document(file)


def _document(file: Path) -> bytes:
    if 0 in (text := read_text_file(file)):  # such as weights or UTF-16, which would be learned as bytes
        raise InputError(f"{file}: expected a text, got a file with zero bytes. Move it away, or convert it to UTF-8.")
    return text


def _cut(text: bytes) -> Corpus:
    """Divide a text 90 : 5 : 5, at the next line end within 10,000 bytes if there is one."""
    first, second = (_line_end(text, len(text) * share // 100) for share in (90, 95))
    return Corpus((text[:first],), (text[first:second],), (text[second:],))


def _line_end(text: bytes, at: int) -> int:
    found = text.find(b"\n", at, at + 10_000)
    return at if found < 0 else found + 1
