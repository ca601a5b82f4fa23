"""Batch of all running texts: each step is one call of the decoder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..generate import Decoder, TokenScore, draw, token_scores
from .errors import ApiError
from .job import Answer, Job, Output, Prompt
from .sessions.prefixes import Trail

_CHUNK = 64
"""Largest number of prompt tokens per step, so that a long prompt does not delay the other texts."""


@dataclass
class Row:
    """One text: a prompt, which is read once for all its answers, or an answer."""

    job: Job
    answers: list[Answer]
    unread: list[int]
    """Tokens not yet read by the model: the rest of the prompt, or the last token of the answer."""
    writing: bool = False
    """True for an answer, whose prompt has been read."""
    trail: Trail | None = None
    """Digest of the text that was read; None if no states are kept for further requests."""
    scored: Prompt | None = None
    """The prompt, if its tokens get log-probabilities."""


class Batch:
    """Running texts and their decoder states, one row per text.

    Args:
        decoder: the language model, whose results are independent between rows.
        unread: number of unread pieces at which the answers of a job are paused.
    """

    def __init__(self, decoder: Decoder, unread: int):
        self.rows: list[Row] = []
        self._decoder, self._unread = decoder, unread
        self._states = decoder.rest()[:0]
        self._ends = list[tuple[bytes, Tensor]]()

    @property
    def answers(self) -> int:
        """Number of answers that are generated, including those whose prompts are still read."""
        return sum(len(row.answers) for row in self.rows)

    @property
    def idle(self) -> bool:
        """True if a step would do nothing: there are no rows, or all are paused."""
        return not any(self._goes(row) for row in self.rows)

    def join(self, jobs: Sequence[Job]) -> None:
        """Add the prompts of jobs, which are read from the next step on.

        Args:
            jobs: new jobs.
        """
        if new := [(job, prompt) for job in jobs for prompt in job.prompts]:
            self.rows += [_row(job, prompt) for job, prompt in new]
            rest = self._decoder.rest()
            self._states = torch.cat([self._states, *[rest if prompt.state is None else prompt.state for _, prompt in new]])

    def leave(self) -> None:
        """Remove the rows of cancelled jobs."""
        self._keep([(i, row) for i, row in enumerate(self.rows) if not row.job.cancelled])

    def advance(self) -> list[Output]:
        """Generate one token of every answer that is not paused and read a part of the prompts; returns the new pieces and errors."""
        parts = self._parts()
        if not parts:
            return []
        places, longest = sorted(parts), max(map(len, parts.values()))
        tokens = torch.tensor([parts[i] + [0] * (longest - len(parts[i])) for i in places])
        valid = torch.arange(longest) < torch.tensor([[len(parts[i])] for i in places])
        everyone = len(places) == len(self.rows)
        before = self._states if everyone else self._states[places]
        if any(self.rows[i].scored for i in places):
            logits, states = self._scored([self.rows[i] for i in places], tokens, before, valid)
        else:
            logits, states = self._decoder.prefill(tokens, before, valid)
        if everyone:
            self._states = states
        else:
            self._states[places] = states
        for i in places:
            row = self.rows[i]
            row.unread = row.unread[len(parts[i]) :]
            if row.trail is not None and row.trail.push(parts[i]):
                self._ends.append((row.trail.digest, self._states[i : i + 1].clone()))
        ends = [k for k, i in enumerate(places) if not self.rows[i].unread]
        ended = [places[k] for k in ends]
        outputs = _written([self.rows[i] for i in ended], logits[ends], lambda k: self._states[ended[k]].unsqueeze(0))
        self._go_on(parts)
        return outputs

    def block_ends(self) -> list[tuple[bytes, Tensor]]:
        """Return the digest and the state of every block end that was reached since the last call."""
        ends, self._ends = self._ends, []
        return ends

    def _scored(self, rows: Sequence[Row], tokens: Tensor, states: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """As `Decoder.prefill`, and record the log-probabilities of the prompts that request them."""
        counts = valid.sum(1).tolist()
        last = torch.arange(tokens.shape[1]) == torch.tensor([[count - 1] for count in counts])
        wanted = valid & (last | torch.tensor([[row.scored is not None] for row in rows]))
        found, states = self._decoder.read(tokens, states, valid, wanted)
        parts = torch.split(found, wanted.sum(1).tolist())
        for row, part, count in zip(rows, parts, counts, strict=True):
            if row.scored is not None:
                scores, following = row.scored.scores, row.unread[1 : count + 1]
                scores += [] if scores else [TokenScore(row.unread[0], None)]
                if following and bool(part.isfinite().all()):
                    scores += token_scores(part[: len(following)], following, row.scored.top or 0)
        return torch.stack([part[-1] for part in parts]), states

    def _goes(self, row: Row) -> bool:
        return not row.writing or row.job.unread < self._unread

    def _parts(self) -> dict[int, list[int]]:
        """Return the tokens that each row reads in this step, by row. Prompts get at most about as many tokens as answers."""
        parts = {i: row.unread for i, row in enumerate(self.rows) if row.writing and self._goes(row)}
        budget = max(_CHUNK, len(parts))
        for i, row in enumerate(self.rows):
            if budget > 0 and not row.writing:
                parts[i] = row.unread[: min(_CHUNK if row.trail is None else row.trail.room, budget)]
                budget -= len(parts[i])
        return parts

    def _go_on(self, parts: dict[int, list[int]]) -> None:
        """Update the rows after a step: the answers to a completed prompt get their own rows, and incomplete prompts move to the end."""
        first, last = list[tuple[int, Row]](), list[tuple[int, Row]]()
        for i, row in enumerate(self.rows):
            if row.unread:
                (last if i in parts else first).append((i, row))
            else:
                going = [answer for answer in row.answers if answer.finish is None]
                first += [(i, Row(row.job, [answer], [answer.newest], True, row.trail and row.trail.copy())) for answer in going]
        self._keep(first + last)

    def _keep(self, rows: list[tuple[int, Row]]) -> None:
        """Replace the rows by (place, row), where each row takes the state that is now at the given place."""
        places = [i for i, _ in rows]
        if places != list(range(len(self.rows))):
            self._states = self._states[places]
        self.rows = [row for _, row in rows]


def _row(job: Job, prompt: Prompt) -> Row:
    scored = None if prompt.top is None else prompt
    return Row(job, prompt.answers, prompt.tokens[prompt.known :], trail=prompt.trail, scored=scored)


def _written(rows: Sequence[Row], logits: Tensor, state_of: Callable[[int], Tensor]) -> list[Output]:
    """Sample the next token of all answers from the logits [R, V] of the rows; returns pieces, or errors for logits that are not finite.

    `state_of` gives the state of a row, [1, N], which is recorded for answers in sessions.
    """
    outputs: list[Output] = []
    going, owners = list[Answer](), list[int]()
    for i, (row, numbers) in enumerate(zip(rows, logits.isfinite().all(1).tolist(), strict=True)):
        if not numbers:
            row.job.cancelled = True
            outputs.append((row.job, ApiError(500, "The logits of the model are NaN or infinite. Did its training diverge?")))
            continue
        for answer in (each for each in row.answers if not each.most):
            if answer.ending is not None:
                answer.ending.begin(state_of(i))
            outputs.append((row.job, answer.end()))
        new = [answer for answer in row.answers if answer.most]
        going += new
        owners += [i] * len(new)
    if going:
        logits = logits[owners]
        tokens = draw(logits, [answer.sampler for answer in going]).tolist()
        scores = _scores(going, tokens, logits)
        for answer, i, token, score in zip(going, owners, tokens, scores, strict=True):
            piece = answer.add(token, score)
            if answer.ending is not None:
                answer.ending.note(state_of(i), token, piece.text, piece.finish is not None)
            outputs.append((rows[i].job, piece))
    return outputs


def _scores(answers: Sequence[Answer], tokens: Sequence[int], logits: Tensor) -> list[TokenScore | None]:
    """Return the log-probabilities of the new tokens of the answers that request them."""
    found: list[TokenScore | None] = [None] * len(answers)
    if places := [i for i, answer in enumerate(answers) if answer.top is not None]:
        most = max(answers[i].top or 0 for i in places)
        for i, score in zip(places, token_scores(logits[places], [tokens[i] for i in places], most), strict=True):
            found[i] = score._replace(top=score.top[: answers[i].top])
    return found
