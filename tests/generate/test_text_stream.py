"""Text streams: however the tokens fall, what is given is the text up to its stop string, in whole characters."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

pytest.importorskip("tokenizers")

from dendrix.data.text.tokenizers import byte_tokenizer, character_tokenizer, learned_tokenizer
from dendrix.generate import TextStream

BYTES = byte_tokenizer()
LETTERS = st.text("ab€😀\n", max_size=12)


def given_by(stream: TextStream, tokens: list[int]) -> tuple[str, list[str]]:
    pieces = [stream.push(token) for token in tokens]
    pieces.append(stream.finish())
    return "".join(pieces), pieces


def up_to_a_stop(text: str, stops: list[str]) -> str:
    """Character by character: the first moment at which the text ends in a stop string, and the longest such string."""
    for end in range(1, len(text) + 1):
        if ends := [stop for stop in stops if text[:end].endswith(stop)]:
            return text[: end - max(map(len, ends))]
    return text


@given(raw=st.binary(max_size=24))
def test_any_bytes_become_what_python_reads_in_them(raw: bytes) -> None:
    text, pieces = given_by(TextStream(BYTES), list(raw))
    assert text == raw.decode(errors="replace")
    assert "".join(pieces[:-1]) == text[: len("".join(pieces[:-1]))]


def test_a_character_is_given_when_it_is_whole() -> None:
    stream = TextStream(BYTES)
    assert [stream.push(byte) for byte in "€".encode()] == ["", "", "€"]
    assert stream.push(0xFF) == "\ufffd"
    assert stream.push(0xE2) == ""
    assert stream.finish() == "\ufffd"


@given(text=LETTERS, stops=st.lists(st.text("ab€", min_size=1, max_size=4), max_size=3))
def test_stop_strings_end_the_text_and_no_part_of_them_is_given(text: str, stops: list[str]) -> None:
    stream = TextStream(BYTES, stops)
    found, pieces = given_by(stream, list(text.encode()))
    assert found == up_to_a_stop(text, stops)
    assert stream.stopped == (found != text)
    sure = ""
    for byte, piece in zip(text.encode(), pieces, strict=False):  # what has been given is never taken back
        sure += piece
        assert found.startswith(sure), byte


@given(text=LETTERS, stops=st.lists(st.text("ab€", min_size=1, max_size=4), max_size=3), size=st.sampled_from([0, 300]))
def test_token_borders_change_nothing(text: str, stops: list[str], size: int) -> None:
    tokenizer = learned_tokenizer(["abab€ ba 😀ab"] * 3, size) if size else character_tokenizer("ab€😀\n")
    assert given_by(TextStream(tokenizer, stops), tokenizer.encode(text).ids)[0] == up_to_a_stop(text, stops)


def test_after_a_stop_nothing_is_given() -> None:
    stream = TextStream(BYTES, ["b"])
    assert [stream.push(ord(letter)) for letter in "abc"] == ["a", "", ""]
    assert stream.stopped
    assert stream.finish() == ""


def test_tokens_that_the_tokenizer_does_not_know_have_no_text() -> None:
    assert given_by(TextStream(BYTES), [104, 999, 105])[0] == "hi"
    assert given_by(TextStream(character_tokenizer("hi")), [0, 999, 1])[0] == "hi"


def test_an_added_token_is_its_own_text() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|end of text|>"])
    assert given_by(TextStream(tokenizer, ["<|end of text|>"]), [104, 256, 105])[0] == "h"


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ValueError, match="stops: expected non-empty strings"):
        TextStream(BYTES, ["a", ""])
