"""All texts that are read or written now, as the rows of one batch: each turn is one call of the decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..generate import Decoder, Sampling, sample
from .errors import ApiError
from .job import Answer, Job, Output

_CHUNK = 64
"""Tokens of a prompt that are read in one turn, so that a long one does not hold up the others."""


@dataclass
class Row:
    """One text: a prompt, read once for all the answers to it, or one answer."""

    job: Job
    answers: list[Answer]
    unread: list[int]
    """Tokens that the model has not read: the rest of the prompt, or the newest of the answer."""
    writing: bool = False
    """Whether the prompt was read."""


class Batch:
    """Texts and their states, row by row.

    Args:
        decoder: the language model. No row of its results depends on another.
        unread: the answers of a job stand still while so many of its pieces lie unread.
    """

    def __init__(self, decoder: Decoder, unread: int):
        self.rows: list[Row] = []
        self._decoder, self._unread = decoder, unread
        self._states = decoder.rest()[:0]

    @property
    def answers(self) -> int:
        """That are written, or will be as soon as their prompts are read."""
        return sum(len(row.answers) for row in self.rows)

    @property
    def idle(self) -> bool:
        """Whether a turn would do nothing: there are no rows, or all stand still."""
        return not any(self._goes(row) for row in self.rows)

    def join(self, jobs: Sequence[Job]) -> None:
        """Let the prompts of jobs be read from the next turn on."""
        if new := [Row(job, prompt.answers, prompt.tokens) for job in jobs for prompt in job.prompts]:
            self.rows += new
            self._states = torch.cat([self._states, self._decoder.rest(len(new))])

    def leave(self) -> None:
        """Take out the rows of jobs that were cancelled."""
        self._keep([(i, row) for i, row in enumerate(self.rows) if not row.job.cancelled])

    def advance(self) -> list[Output]:
        """One more token for every answer that does not stand still, and a part of the prompts; returns what came of it."""
        parts = self._parts()
        if not parts:
            return []
        places, longest = sorted(parts), max(map(len, parts.values()))
        tokens = torch.tensor([parts[i] + [0] * (longest - len(parts[i])) for i in places])
        valid = torch.arange(longest) < torch.tensor([[len(parts[i])] for i in places])
        everyone = len(places) == len(self.rows)
        logits, states = self._decoder.prefill(tokens, self._states if everyone else self._states[places], valid)
        if everyone:
            self._states = states
        else:
            self._states[places] = states
        for i in places:
            self.rows[i].unread = self.rows[i].unread[len(parts[i]) :]
        ends = [k for k, i in enumerate(places) if not self.rows[i].unread]
        outputs = _written([self.rows[places[k]] for k in ends], logits[ends])
        self._go_on(parts)
        return outputs

    def _goes(self, row: Row) -> bool:
        return not row.writing or row.job.unread < self._unread

    def _parts(self) -> dict[int, list[int]]:
        """What each row reads now, by its place. Prompts have about as much of the time as answers have, which so go on."""
        parts = {i: row.unread for i, row in enumerate(self.rows) if row.writing and self._goes(row)}
        budget = max(_CHUNK, len(parts))
        for i, row in enumerate(self.rows):
            if budget > 0 and not row.writing:
                parts[i] = row.unread[: min(_CHUNK, budget)]
                budget -= len(parts[i])
        return parts

    def _go_on(self, parts: dict[int, list[int]]) -> None:
        """After a turn: answers to a prompt that was read have rows of their own, and one that was read in part lets others go first."""
        first, last = list[tuple[int, Row]](), list[tuple[int, Row]]()
        for i, row in enumerate(self.rows):
            if row.unread:
                (last if i in parts else first).append((i, row))
            else:
                going = [answer for answer in row.answers if answer.finish is None]
                first += [(i, Row(row.job, [answer], [answer.newest], writing=True)) for answer in going]
        self._keep(first + last)

    def _keep(self, rows: list[tuple[int, Row]]) -> None:
        """These rows, each with a copy of the state that is now at a place."""
        places = [i for i, _ in rows]
        if places != list(range(len(self.rows))):
            self._states = self._states[places]
        self.rows = [row for _, row in rows]


def _written(rows: Sequence[Row], logits: Tensor) -> list[Output]:
    """The next token of all answers of the rows by their logits [R, V], as pieces; an error where the logits are no numbers."""
    outputs: list[Output] = []
    going, owners = list[Answer](), list[int]()
    for i, (row, numbers) in enumerate(zip(rows, logits.isfinite().all(1).tolist(), strict=True)):
        if numbers:
            going += row.answers
            owners += [i] * len(row.answers)
        else:
            row.job.cancelled = True
            outputs.append((row.job, ApiError(500, "The model's logits are NaN or infinite. Did its training diverge?")))
    for answer, i, token in zip(going, owners, _drawn(going, logits[owners]), strict=True):
        outputs.append((rows[i].job, answer.add(token)))
    return outputs


def _drawn(answers: Sequence[Answer], logits: Tensor) -> list[int]:
    """A token for each answer. Those that are drawn alike, and have no random numbers of their own, are drawn together."""
    alike: dict[tuple[Sampling, torch.Generator | None], list[int]] = {}
    for i, answer in enumerate(answers):
        alike.setdefault((answer.sampling, answer.generator), []).append(i)
    tokens = [0] * len(answers)
    for (sampling, generator), places in alike.items():
        for i, token in zip(places, sample(logits[places], sampling, generator).tolist(), strict=True):
            tokens[i] = token
    return tokens
