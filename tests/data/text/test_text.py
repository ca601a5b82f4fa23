"""Corpora, tokenizers and tokens on disk."""

import json
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.core.limits import allow
from dendrix.data.text.corpora import Corpus, corpus
from dendrix.data.text.tokenizers import (
    byte_tokenizer,
    character_tokenizer,
    encode,
    is_bytes,
    learned_tokenizer,
    piece_tokenizer,
    read_tokenizer,
)
from dendrix.data.text.tokens import tokenised
from dendrix.errors import InputError

LINES = "".join(f"line {i}: the quick brown fox, naïve → {i * i}\n\n  indented\n" for i in range(2000))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text(LINES)
    (folder / "sub" / "b.txt").write_text("second file\n" * 50)
    return folder


def test_own_text_is_cut_at_the_ends_of_lines(own: Path) -> None:
    found = corpus(own)
    whole = LINES.encode() + b"second file\n" * 50
    parts = [b"".join(split) for split in (found.train, found.valid, found.test)]
    assert b"".join(parts) == whole
    assert all(part.endswith(b"\n") for part in parts)
    assert abs(len(parts[0]) / len(whole) - 0.9) < 0.01
    assert corpus(own / "a.txt").train[0].startswith(b"line 0")


def test_files_that_are_no_text_are_refused(own: Path) -> None:
    (own / "sub" / "utf16.txt").write_text("some text", encoding="utf-16")
    for place in (own, own / "sub" / "utf16.txt"):
        with pytest.raises(InputError, match=r"utf16\.txt: expected a text, got a file with zero bytes\."):
            corpus(place)


def test_folders_named_by_their_split_stay_apart(tmp_path: Path) -> None:
    for name, text in (("train", "one"), ("validation", "two"), ("test", "three")):
        (tmp_path / f"{name}.txt").write_text(text)
    assert corpus(tmp_path) == Corpus((b"one",), (b"two",), (b"three",))


def test_archives_and_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "novels.tar.xz", "w:xz") as archive:
        for name in ("train/b.txt", "train/a.txt", "valid/c.txt", "test/d.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, BytesIO(name.encode()))
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("novels").mkdir()  # as by packing a network under this name
    Path("novels", "config.json").write_text("{}")
    assert corpus("novels") == Corpus((b"train/a.txt", b"train/b.txt"), (b"valid/c.txt",), (b"test/d.txt",))
    for split, text in (("train", "one"), ("valid", "two"), ("test", "three")):
        Path(f"wiki.{split}.tokens").write_text(text)
    both = corpus("novels+wikitext-103")
    assert both == Corpus((b"train/a.txt", b"train/b.txt", b"one"), (b"valid/c.txt", b"two"), (b"test/d.txt", b"three"))
    with pytest.raises(ValueError, match="Did you mean 'novels'"):
        corpus("wikitext-103+novel")
    Path("wiki.train.tokens").unlink()
    with pytest.raises(FileNotFoundError, match=r"wikitext-2: expected wikitext2\.tar\.xz or wiki\.train\.tokens"):
        corpus("wikitext-2")
    with pytest.raises(ValueError, match="Did you mean 'novels'"):
        corpus("novel")
    (tmp_path / "enwik8").write_bytes(b"<mediawiki")
    with pytest.raises(ValueError, match="expected 100000000 bytes, got 10"):
        corpus("enwik8")
    whole = (tmp_path / "novels.tar.xz").read_bytes()
    with allow(text_bytes=20), pytest.raises(ValueError, match="expected at most 20 text bytes"):
        corpus("novels")
    for place in (20, len(whole) // 2, len(whole) - 30):
        (tmp_path / "novels.tar.xz").write_bytes(
            whole[:place] + bytes(byte ^ 0xFF for byte in whole[place : place + 8]) + whole[place + 8 :]
        )
        with pytest.raises(ValueError, match=r"novels\.tar\.xz: expected an archive of texts, but it cannot be read"):
            corpus("novels")
    (tmp_path / "novels.tar.xz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="cannot be read"):
        corpus("novels")


def test_bytes_are_their_own_ids() -> None:
    tokenizer = byte_tokenizer()
    text = LINES[:3000]
    assert tokenizer.encode(text).ids == list(text.encode()) == encode(tokenizer, [text.encode()]).tolist()
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert encode(tokenizer, [b"\xff\x00"]).tolist() == [255, 0]
    assert is_bytes(tokenizer)
    assert not is_bytes(character_tokenizer("abc"))


def test_characters() -> None:
    tokenizer = character_tokenizer("hello\n")
    assert tokenizer.encode("ho\nz").ids == [2, 4, 0, 5]
    assert tokenizer.decode([2, 1, 3, 3, 4]) == "hello"


def test_word_pieces_ignore_capitals_and_spaces() -> None:
    tokenizer = piece_tokenizer(["The rain, the rains in Spain. "] * 4, 28)
    assert tokenizer.get_vocab_size() == 28
    assert tokenizer.encode("the rain , THE rains").ids == tokenizer.encode("The rain, the rains").ids
    assert tokenizer.encode("the rain , ripen .").tokens == ["the", "rain", ",", "r", "##i", "##p", "##e", "##n", "."]
    assert tokenizer.encode("rainé").ids == [0]
    assert tokenizer.decode(tokenizer.encode("The Spain").ids) == "the spain"


@pytest.mark.parametrize("text", [LINES, LINES.replace("\n", "\r\n"), "word " * 20_000, "\n" * 50_000, "a\n \n\n b\n" * 9000])
def test_pieces_of_a_text_encode_as_the_whole(text: str) -> None:
    tokenizer = learned_tokenizer([LINES], 400)
    assert tokenizer.get_vocab_size() == 400
    ids = encode(tokenizer, [text.encode()])
    assert ids.tolist() == tokenizer.encode(text).ids
    assert tokenizer.decode(ids.tolist()) == text


@pytest.mark.shared
def test_the_published_vocabulary(shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "tokenizers" / "tokenizers.tar.xz") as archive:
        archive.extract("20B_tokenizer.json", tmp_path, filter="data")
    tokenizer = read_tokenizer(tmp_path / "20B_tokenizer.json")
    gold = json.loads((shared / "data" / "tokenizers" / "expected_encodings.json").read_text())
    cases = gold.values() if isinstance(gold, dict) else gold
    checked = 0
    for case in cases:
        ids = next(value for key, value in case.items() if "20b" in key.lower() or "neox" in key.lower())
        assert encode(tokenizer, [case["text"].encode()]).tolist() == ids
        checked += 1
    assert checked == 10


@pytest.mark.shared
def test_word_counts_are_the_canonical_ones(shared: Path, tmp_path: Path) -> None:
    splits = tokenised(corpus("wikitext-2", shared / "data"), byte_tokenizer(), tmp_path)
    assert (splits.train.words, splits.valid.words) == (2_088_628, 217_646)


def test_tokens_are_found_again(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    text, tokenizer = corpus(own), learned_tokenizer([LINES], 300)
    first = tokenised(text, tokenizer)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.bin")}
    again = tokenised(text, tokenizer)
    assert len(files) == 3
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.bin")}
    assert isinstance(again.train.ids, np.memmap)
    assert np.array_equal(first.train.ids, again.train.ids)
    assert again.train.ids.dtype == np.uint16
    assert again.valid.n_bytes == len(b"".join(text.valid))
    windows = again.train.windows(torch.tensor([0, 7]), 5)
    assert windows.dtype == torch.int64
    assert windows.tolist() == [again.train.ids[:5].tolist(), again.train.ids[7:12].tolist()]
    with pytest.raises(ValueError, match="starts: expected 0 to"):
        again.train.windows(torch.tensor([len(again.train)]), 5)


def test_bad_text(tmp_path: Path) -> None:
    (tmp_path / "broken.txt").write_bytes(b"fine\n" * 20 + b"\xff\xfe" + b"fine\n" * 20)
    text = corpus(tmp_path / "broken.txt")
    with pytest.raises(ValueError, match="got the byte 0xff at 100"):
        tokenised(text, character_tokenizer("fine\n"), tmp_path / "tokens")
    assert not (tmp_path / "tokens" / "facts.json").exists()
    assert tokenised(text, byte_tokenizer(), tmp_path / "bytes").train.characters == 0
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.txt: expected some text, got none"):
        corpus(tmp_path / "empty.txt")
    (tmp_path / "short.txt").write_bytes(b"ab")
    with pytest.raises(ValueError, match="expected some text for validation, got none"):
        corpus(tmp_path / "short.txt")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        corpus(tmp_path / "absent.txt")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="expected a tokenizer"):
        read_tokenizer(tmp_path / "bad.json")
