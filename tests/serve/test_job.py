"""Pieces on their way to the reader."""

import asyncio

import pytest

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.generate import Sampler, Sampling, TextStream
from dendrix.serve.answers import joined
from dendrix.serve.job import Answer, Job, Piece, Prompt


def job(answers: int) -> Job:
    made = [Answer(i, Sampler(Sampling(), 256), TextStream(byte_tokenizer(), ["end"]), 4) for i in range(answers)]
    return Job([Prompt([1], made)])


def test_an_answer_ends_at_its_length_with_what_waited() -> None:
    answer = job(1).answers[0]
    assert [answer.add(byte) for byte in b"a\xc3\xa4\xe2"] == [Piece(0, "a"), Piece(0, ""), Piece(0, "ä"), Piece(0, "\ufffd", "length")]


def test_an_answer_ends_before_a_stop_string() -> None:
    answer = job(1).answers[0]
    assert [answer.add(byte) for byte in b"en"] == [Piece(0, "")] * 2
    assert answer.add(ord("d")) == Piece(0, "", "stop")


def test_a_slow_reader_gets_several_pieces_at_once() -> None:
    async def read() -> list[list[Piece]]:
        asked, taken = job(2), []
        for piece in (Piece(0, "a"), Piece(1, "b", "stop"), Piece(0, "c")):
            asked.put(piece)
        asked.written = 4
        async for pieces in asked.read():
            taken.append(pieces)
            assert asked.unread == 4 - sum(map(len, taken))
            asked.put(Piece(0, "d", "length"))
        return taken

    first, second = asyncio.run(read())
    assert joined(first) == [Piece(0, "ac"), Piece(1, "b", "stop")]
    assert second == [Piece(0, "d", "length")]


def test_a_reader_gets_the_error() -> None:
    async def read() -> None:
        asked = job(1)
        asked.put(ValueError("no"))
        async for _ in asked.read():
            pass

    with pytest.raises(ValueError, match="no"):
        asyncio.run(read())
