"""All running answers as the rows of one batch, which take their next token together."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..generate import Decoder, Sampling, sample
from .errors import ApiError
from .job import Answer, Job, Output


class Row(NamedTuple):
    """One running answer."""

    job: Job
    answer: Answer


class Batch:
    """The running answers and their states, row by row.

    Args:
        decoder: the language model. No row of its results depends on another.
        unread: the answers of a job stand still while so many of its pieces lie unread.
    """

    def __init__(self, decoder: Decoder, unread: int):
        self.rows: list[Row] = []
        self._decoder, self._unread = decoder, unread
        self._states = decoder.rest()[:0]

    def join(self, job: Job, answers: Sequence[Answer], logits: Tensor, state: Tensor) -> list[Output]:
        """Let the answers to a prompt begin, after which logits [1, V] and state [1, N] are these; returns their first pieces."""
        new = [Row(job, answer) for answer in answers]
        self._states = torch.cat([self._states, state.expand(len(new), -1)])
        self.rows += new
        return _add(new, logits.expand(len(new), -1))

    def step(self) -> list[Output]:
        """One token more for every row that does not stand still; returns what came of it."""
        going = [i for i, (job, _) in enumerate(self.rows) if job.unread < self._unread]
        if not going:
            return []
        rows = [self.rows[i] for i in going]
        tokens = torch.tensor([answer.newest for _, answer in rows])
        if len(going) == len(self.rows):
            logits, self._states = self._decoder.step(tokens, self._states)
        else:
            logits, self._states[going] = self._decoder.step(tokens, self._states[going])
        return _add(rows, logits)

    def drop(self) -> None:
        """Take out the rows of answers that are finished and of jobs that nobody reads."""
        kept = [i for i, (job, answer) in enumerate(self.rows) if answer.finish is None and not job.cancelled]
        if len(kept) < len(self.rows):
            self.rows, self._states = [self.rows[i] for i in kept], self._states[kept]


def _add(rows: Sequence[Row], logits: Tensor) -> list[Output]:
    """The next token of every row by its logits [B, V], as pieces for the readers; an error where the logits are no numbers."""
    numbers = logits.isfinite().all(1)
    tokens = iter(_drawn([answer for (_, answer), fine in zip(rows, numbers.tolist(), strict=True) if fine], logits[numbers]))
    outputs: list[Output] = []
    for (job, answer), fine in zip(rows, numbers.tolist(), strict=True):
        if fine:
            outputs.append((job, answer.add(next(tokens))))
        else:
            job.cancelled = True
            outputs.append((job, ApiError(500, "The model's logits are NaN or infinite. Did its training diverge?")))
    return outputs


def _drawn(answers: Sequence[Answer], logits: Tensor) -> list[int]:
    """A token for each answer. Those that are drawn alike, and have no random numbers of their own, are drawn together."""
    alike: dict[tuple[Sampling, torch.Generator | None], list[int]] = {}
    for i, answer in enumerate(answers):
        alike.setdefault((answer.how, answer.generator), []).append(i)
    tokens = [0] * len(answers)
    for (how, generator), places in alike.items():
        for i, token in zip(places, sample(logits[places], how, generator).tolist(), strict=True):
            tokens[i] = token
    return tokens
