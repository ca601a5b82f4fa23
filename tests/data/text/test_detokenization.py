"""Tokens become the same text one by one as at once, and after a prompt as behind it, with every kind of decoder."""

import os
import re
import tarfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

pytest.importorskip("tokenizers")

from tokenizers import Tokenizer, decoders, models

from dendrix.data.text.detokenization import TokenBytes, continuation, decoding
from dendrix.data.text.tokenizers import read_tokenizer
from support.tokenizers import MADE, WORDS


@pytest.mark.parametrize("tokenizer", MADE.values(), ids=MADE)
@given(words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=12), data=st.data())
def test_a_text_goes_on_as_behind_its_prompt(tokenizer: Any, words: list[str], data: st.DataObject) -> None:
    ids = tokenizer.encode(" ".join(words)).ids
    cut = data.draw(st.integers(0, len(ids)))
    before, after = ids[:cut], ids[cut:]
    whole, prompt = (tokenizer.decode(part, skip_special_tokens=False) for part in (ids, before))
    assert whole == " ".join(words)
    assert whole.startswith(prompt)
    assert prompt + continuation(tokenizer, before, after) == whole


@pytest.mark.parametrize("kind", ["metaspace", "word-level", "llama", "byte pairs"])
def test_the_blank_after_the_prompt(kind: str) -> None:
    tokenizer = MADE[kind]
    ids = tokenizer.encode("hello world").ids
    count = next(n for n in range(1, len(ids)) if tokenizer.decode(ids[:n]) == "hello")
    assert continuation(tokenizer, ids[:count], ids[count:]) == " world"
    assert continuation(tokenizer, [], ids) == "hello world"


@pytest.mark.parametrize("kind", ["llama", "bytes"])
@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_character_that_is_cut_at_the_end_is_not_lost(kind: str, left: int) -> None:
    ids = MADE[kind].encode("hello 😀").ids
    stream = decoding(MADE[kind])
    pieces = [stream.push(token) for token in ids[: len(ids) - 4 + left]]
    assert "".join(pieces) == "hello "
    assert set(stream.finish()) == {"\ufffd"}
    assert continuation(MADE[kind], [], ids) == "hello 😀"


def test_bytes_that_are_no_character_do_not_stop_the_text() -> None:
    tokenizer = MADE["llama"]
    broken, good = [tokenizer.token_to_id("<0xFF>")] * 9, tokenizer.encode("hello").ids
    stream = decoding(tokenizer)
    pieces = [stream.push(token) for token in broken]
    assert sum(map(len, pieces)) >= 4
    text = "".join(pieces) + "".join(map(stream.push, good)) + stream.finish()
    assert text.count("\ufffd") == 9
    assert text.endswith("hello")


def test_what_a_decoder_cleans_up_is_not_lost() -> None:
    vocabulary = {"don": 0, "'": 1, "t": 2, "[UNK]": 3}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece(cleanup=True)
    text = continuation(tokenizer, [], [0, 1, 2])
    assert text.replace(" ", "") == "don't"


def test_unknown_ids_have_no_text() -> None:
    for tokenizer in MADE.values():
        ids = tokenizer.encode("hello").ids
        assert continuation(tokenizer, [], [*ids, 99_999]) == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", MADE)
@given(data=st.data())
def test_any_tokens_stream_to_their_text_behind_any_part_of_them(kind: str, data: st.DataObject) -> None:
    """Not only tokens as a tokenizer makes them: those of a model come in any order. The pieces never depend on the cut."""
    tokenizer = MADE[kind]
    ids = [i for i in range(tokenizer.get_vocab_size()) if not re.fullmatch("<0x[89A-F].>", tokenizer.id_to_token(i))]
    if kind in ("bytes", "byte pairs"):
        ids = [i for i in ids if TokenBytes(tokenizer)(i).isascii()]  # characters that are cut have tests of their own
    tokens = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=20))
    whole = tokenizer.decode(tokens, skip_special_tokens=False)
    for cut in range(len(tokens)):
        before = tokenizer.decode(tokens[:cut], skip_special_tokens=False)
        assert continuation(tokenizer, tokens[:cut], tokens[cut:]) == whole[len(before) :]


@given(text=st.text(max_size=12), data=st.data())
def test_a_character_that_the_prompt_begins_is_completed(text: str, data: st.DataObject) -> None:
    ids = list(text.encode())
    cut = data.draw(st.integers(0, len(ids)))
    stream = decoding(MADE["bytes"])
    shown = "".join(map(stream.push, ids[:cut]))
    assert shown + continuation(MADE["bytes"], ids[:cut], ids[cut:]) == text


@pytest.mark.parametrize("kind", MADE)
def test_bytes_of_a_token_are_those_behind_another(kind: str) -> None:
    tokenizer = MADE[kind]
    spelled = TokenBytes(tokenizer)
    ids = tokenizer.encode("hello world").ids
    text = b"".join(map(spelled, [*ids, *ids]))
    assert text.decode().replace(" ", "") == "helloworldhelloworld"
    assert spelled(99_999) == b""
    if kind == "llama":
        assert spelled(tokenizer.token_to_id("<0xE2>")) == b"\xe2"


@pytest.mark.skipif("DENDRIX_DATA" not in os.environ, reason="needs DENDRIX_DATA, the folder of the data sets")
def test_the_published_vocabulary_of_gpt_neox(tmp_path: Path) -> None:
    with tarfile.open(Path(os.environ["DENDRIX_DATA"], "tokenizers/tokenizers.tar.xz")) as archive:
        archive.extract("20B_tokenizer.json", tmp_path, filter="data")
    tokenizer = read_tokenizer(tmp_path / "20B_tokenizer.json")
    for text in ("Hello world,  naïve café — 你好 🙂<|endoftext|>\n\n  x", "   \t\n", "😀😀"):
        ids = tokenizer.encode(text).ids
        for cut in range(len(ids) + 1):
            stream = decoding(tokenizer)
            shown = "".join(map(stream.push, ids[:cut]))
            assert shown + continuation(tokenizer, ids[:cut], ids[cut:]) == text
