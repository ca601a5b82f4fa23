"""Response bodies of the OpenAI completions API."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .job import Job, Piece


@dataclass(frozen=True)
class Form:
    """Fields that all parts of the response to a request share."""

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{random.getrandbits(96):024x}")
    created: int = field(default_factory=lambda: int(time.time()))

    def body(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """Return the body of a whole response, or of one event of a stream.

        Args:
            pieces: text of the answers.
        """
        choices = [{"index": at, "text": text, "logprobs": None, "finish_reason": finish} for at, text, finish in pieces]
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model, "choices": choices}


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Join the pieces of each answer, in the order of the answers.

    Args:
        pieces: text of the answers, in any order of the answers.
    """
    found: dict[int, Piece] = {}
    for piece in pieces:
        before = found.get(piece.answer)
        found[piece.answer] = piece if before is None else piece._replace(text=before.text + piece.text)
    return [found[answer] for answer in sorted(found)]


def usage(job: Job) -> dict[str, Any]:
    """Return the field `usage`, the numbers of tokens so far, and for a turn of a session the field `session` with its end.

    Args:
        job: the request.
    """
    known = sum(prompt.known for prompt in job.prompts)
    prompts, answers = known + sum(len(prompt.tokens) for prompt in job.prompts), sum(answer.tokens for answer in job.answers)
    found: dict[str, Any] = {
        "prompt_tokens": prompts,
        "completion_tokens": answers,
        "total_tokens": prompts + answers,
        "prompt_tokens_details": {"cached_tokens": known},
    }
    session = job.session
    return {"usage": found} | ({} if session is None else {"session": {"id": session.id, "turn": session.head.number}})
