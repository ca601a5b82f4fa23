"""Rows that step together: one that stands still, one whose numbers fail, and what the others get."""

import torch
from torch import Tensor

from dendrix.generate import Decoder, Sampling, TextStream
from dendrix.serve.batch import Batch
from dendrix.serve.errors import ApiError
from dendrix.serve.job import Answer, Job, Output, Piece, Prompt
from dendrix.serve.prepare import Served

GREEDY = Sampling(0.0)


def job(served: Served, prompt: str, tokens: int) -> Job:
    answer = Answer(0, GREEDY, None, TextStream(served.tokenizer), tokens)
    return Job([Prompt(torch.tensor(list(prompt.encode())), [answer])])


def begin(batch: Batch, decoder: Decoder, job: Job) -> list[Output]:
    logits, state = decoder.prefill(job.prompts[0].tokens.unsqueeze(0))
    return batch.join(job, job.answers, logits, state)


def text(outputs: list[Output], job: Job) -> str:
    return "".join(piece.text for owner, piece in outputs if owner is job and isinstance(piece, Piece))


def alone(served: Served, prompt: str, tokens: int) -> str:
    batch, only = Batch(served.decoder, 100), job(served, prompt, tokens)
    outputs = begin(batch, served.decoder, only)
    while batch.rows:
        outputs += batch.step()
        batch.drop()
    return text(outputs, only)


def test_rows_join_stand_still_and_leave_without_a_trace_in_the_others(served: Served) -> None:
    batch, a, b, c = Batch(served.decoder, 100), job(served, "one", 12), job(served, "two", 6), job(served, "three", 9)
    outputs = begin(batch, served.decoder, a) + begin(batch, served.decoder, b)
    outputs += batch.step()
    a.written = 100  # and nothing taken
    outputs += begin(batch, served.decoder, c) + batch.step() + batch.step()
    assert (a.answers[0].tokens, b.answers[0].tokens, c.answers[0].tokens) == (2, 4, 3)
    a.taken = 1
    while batch.rows:
        outputs += batch.step()
        batch.drop()
    for owner, prompt, tokens in ((a, "one", 12), (b, "two", 6), (c, "three", 9)):
        assert text(outputs, owner) == alone(served, prompt, tokens)
        assert owner.answers[0].finish == "length"


def test_when_all_stand_still_nothing_is_computed(served: Served) -> None:
    batch, only = Batch(served.decoder, 5), job(served, "one", 12)
    begin(batch, served.decoder, only)
    only.written = 5
    assert batch.step() == []
    assert only.answers[0].tokens == 1


def test_a_cancelled_job_leaves(served: Served) -> None:
    batch, a, b = Batch(served.decoder, 100), job(served, "one", 12), job(served, "two", 12)
    begin(batch, served.decoder, a)
    begin(batch, served.decoder, b)
    a.cancelled = True
    batch.drop()
    assert [row.job for row in batch.rows] == [b]


def test_logits_that_are_no_numbers_fail_their_own_row_alone(served: Served) -> None:
    batch, a, b = Batch(served.decoder, 100), job(served, "one", 12), job(served, "two", 12)
    broken: Tensor = torch.full((1, 256), torch.nan)
    [(owner, error)] = batch.join(a, a.answers, broken, served.decoder.rest())
    assert owner is a
    assert isinstance(error, ApiError)
    begin(batch, served.decoder, b)
    batch.drop()
    assert [row.job for row in batch.rows] == [b]
