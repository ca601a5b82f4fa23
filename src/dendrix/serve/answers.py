"""Answers in the form that clients of OpenAI's interface read."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .job import Job, Piece


@dataclass(frozen=True)
class Form:
    """What all parts of the answer to one request have in common."""

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{random.getrandbits(96):024x}")
    created: int = field(default_factory=lambda: int(time.time()))

    def body(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """A whole answer, or a part of a stream."""
        choices = [{"index": at, "text": text, "logprobs": None, "finish_reason": finish} for at, text, finish in pieces]
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model, "choices": choices}


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces of each answer as one, in the order of the answers."""
    found: dict[int, Piece] = {}
    for piece in pieces:
        before = found.get(piece.answer)
        found[piece.answer] = piece if before is None else piece._replace(text=before.text + piece.text)
    return [found[answer] for answer in sorted(found)]


def usage(job: Job) -> dict[str, Any]:
    """The tokens of a job: of its prompts, of its answers so far, and of both."""
    prompts, answers = sum(len(prompt.tokens) for prompt in job.prompts), sum(answer.tokens for answer in job.answers)
    return {"usage": {"prompt_tokens": prompts, "completion_tokens": answers, "total_tokens": prompts + answers}}
