"""The conversation after an answer, for tokens that are several letters and characters that are several tokens."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from dendrix.generate import TextStream
from dendrix.serve.sessions.ending import Ending


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Bytes, and three tokens of several letters."""
    letters = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary = {**letters, "ab": 256, "cd": 257, "abcd": 258}
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b"), ("c", "d"), ("ab", "cd")]))
    found.pre_tokenizer, found.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
    return found


def ended(tokenizer: Tokenizer, tokens: list[int], stops: tuple[str, ...] = (), read: int = 5) -> tuple[int, tuple[int, ...], str]:
    """What was read, the tokens after it, and the text that the client gets, of an answer with these tokens."""
    ending, text, said = Ending(tokenizer, [], read, bool(stops)), TextStream(tokenizer, stops), ""
    for i, token in enumerate(tokens):
        piece = text.push(token)
        last = text.stopped or i + 1 == len(tokens)
        piece += text.finish() if last else ""
        said += piece
        ending.note(torch.full((1, 3), float(i)), token, piece, last)
        if last:
            break
    found = ending.conversation(text.stopped)
    assert found.read == read + int(found.state[0, 0])  # the state before token i has read i tokens of the answer
    return found.read - read, found.next, said


def test_without_a_stop_string_all_tokens_but_the_last_are_read(tokenizer: Tokenizer) -> None:
    x, y = tokenizer.encode("xy").ids
    assert ended(tokenizer, [x, 256, y]) == (2, (y,), "xaby")


def test_a_stop_string_takes_back_whole_tokens(tokenizer: Tokenizer) -> None:
    x, y = tokenizer.encode("xy").ids
    assert ended(tokenizer, [x, y, 256, 257], ("abcd",)) == (2, (), "xy")
    assert ended(tokenizer, [x, y, 258], ("abcd",)) == (2, (), "xy")


def test_a_token_that_is_cut_is_replaced_by_what_is_left_of_it(tokenizer: Tokenizer) -> None:
    x, a, b = tokenizer.encode("x").ids + tokenizer.encode("a").ids + tokenizer.encode("b").ids
    assert ended(tokenizer, [x, 256], ("b",)) == (1, (a,), "xa")
    assert ended(tokenizer, [x, 258], ("cd",)) == (1, (256,), "xab")
    assert ended(tokenizer, [258], ("bcd",)) == (0, (a,), "a")
    assert ended(tokenizer, [x, b], ("x",)) == (0, (), "")


def test_characters_of_several_tokens_stay_whole(tokenizer: Tokenizer) -> None:
    first, second = tokenizer.encode("é").ids
    x = tokenizer.encode("x").ids[0]
    assert ended(tokenizer, [first, second, x], ("x",)) == (2, (), "é")
    assert ended(tokenizer, [x, first, second, x], ("é",)) == (1, (), "x")
    assert ended(tokenizer, [x, first]) == (1, (first,), "x\ufffd")  # the next turn completes the character


def test_a_token_that_ends_the_answer_is_not_part_of_it(tokenizer: Tokenizer) -> None:
    x = tokenizer.encode("x").ids[0]
    ending = Ending(tokenizer, [], 5, False, {300})  # a token without text, as one beyond the vocabulary
    for i, (token, text) in enumerate(((x, "x"), (300, ""))):
        ending.note(torch.full((1, 3), float(i)), token, text, token == 300)
    found = ending.conversation(True)
    assert (found.read, found.next, float(found.state[0, 0])) == (6, (), 1.0)


def test_a_stop_string_longer_than_the_states_that_are_kept(tokenizer: Tokenizer) -> None:
    x = tokenizer.encode("x").ids[0]
    z = tokenizer.encode("z").ids[0]
    read, following, said = ended(tokenizer, [z, z, *[x] * 100], ("x" * 100,))
    assert said == "zz"
    assert (read, following) == (0, (z, z))
