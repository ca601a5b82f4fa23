"""Texts that are read and written together: what one gets is what it gets alone."""

import torch
from torch import Tensor

from dendrix.generate import Decoder, Sampler, Sampling, TextStream
from dendrix.serve.batch import Batch
from dendrix.serve.errors import ApiError
from dendrix.serve.job import Answer, Job, Output, Piece, Prompt
from dendrix.serve.prepare import Served


def job(served: Served, prompt: str, tokens: int, answers: int = 1) -> Job:
    made = [Answer(i, Sampler(Sampling(0.0), 256), TextStream(served.tokenizer), tokens) for i in range(answers)]
    return Job([Prompt(list(prompt.encode()), made)])


def text(outputs: list[Output], job: Job, answer: int = 0) -> str:
    return "".join(piece.text for owner, piece in outputs if owner is job and isinstance(piece, Piece) and piece.answer == answer)


def alone(served: Served, prompt: str, tokens: int) -> str:
    batch, only, outputs = Batch(served.decoder, 100), job(served, prompt, tokens), list[Output]()
    batch.join([only])
    while batch.rows:
        outputs += batch.advance()
    return text(outputs, only)


def test_rows_join_stand_still_and_end_without_a_trace_in_the_others(served: Served) -> None:
    batch, a, b, c = Batch(served.decoder, 100), job(served, "one", 12), job(served, "two", 6), job(served, "three", 9, answers=2)
    batch.join([a])
    batch.join([b])
    outputs = batch.advance() + batch.advance()
    a.written = 100  # and nothing taken
    batch.join([c])
    outputs += batch.advance() + batch.advance()
    assert [asked.answers[-1].tokens for asked in (a, b, c)] == [2, 4, 2]
    a.taken = 1
    while batch.rows:
        outputs += batch.advance()
    for asked, prompt, tokens in ((a, "one", 12), (b, "two", 6), (c, "three", 9)):
        for answer in asked.answers:
            assert text(outputs, asked, answer.index) == alone(served, prompt, tokens)
            assert answer.finish == "length"


def test_a_long_prompt_does_not_hold_up_the_others(served: Served) -> None:
    batch, long, short, late = Batch(served.decoder, 100), job(served, "long " * 40, 4), job(served, "short", 8), job(served, "late", 8)
    for asked in (short, long, late):
        batch.join([asked])
    outputs = batch.advance()
    assert [asked.answers[0].tokens for asked in (long, short, late)] == [0, 1, 0]  # the budget of one turn
    outputs += batch.advance()
    assert [asked.answers[0].tokens for asked in (long, short, late)] == [0, 2, 1]
    while batch.rows:
        outputs += batch.advance()
    assert text(outputs, long) == alone(served, "long " * 40, 4)
    assert text(outputs, late) == alone(served, "late", 8)


def test_when_all_stand_still_nothing_is_computed(served: Served) -> None:
    batch, only = Batch(served.decoder, 5), job(served, "one", 12)
    batch.join([only])
    batch.advance()
    only.written = 5
    assert batch.idle
    assert batch.advance() == []
    assert only.answers[0].tokens == 1
    only.taken = 1
    assert not batch.idle


def test_a_cancelled_job_leaves(served: Served) -> None:
    batch, a, b = Batch(served.decoder, 100), job(served, "one", 12, answers=3), job(served, "two", 12)
    batch.join([a])
    batch.join([b])
    assert batch.answers == 4
    batch.advance()
    a.cancelled = True
    batch.leave()
    assert [row.job for row in batch.rows] == [b]
    assert text(batch.advance(), b)


def test_logits_that_are_no_numbers_fail_their_own_row_alone(served: Served) -> None:
    class Broken(Decoder):
        """The first row of the first call gives no numbers."""

        def __init__(self) -> None:
            self.calls = 0

        def rest(self, batch: int = 1) -> Tensor:
            return served.decoder.rest(batch)

        def prefill(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
            logits, state = served.decoder.prefill(tokens, state, valid)
            self.calls += 1
            return (logits.index_fill(0, torch.tensor([0]), torch.nan) if self.calls == 1 else logits), state

    batch, a, b = Batch(Broken(), 100), job(served, "one", 12), job(served, "two", 4)
    batch.join([a])
    batch.join([b])
    outputs = batch.advance()
    [error] = [piece for owner, piece in outputs if owner is a]
    assert isinstance(error, ApiError)
    assert a.cancelled
    batch.leave()
    while batch.rows:
        outputs += batch.advance()
    assert text(outputs, b) == alone(served, "two", 4)
