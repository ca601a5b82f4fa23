"""Response bodies of the OpenAI APIs: completions and chat answers, whole or in parts."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..generate import TokenScore
from .job import Job, Piece, Placed

TokenBytes = Callable[[int], bytes]


@dataclass
class CompletionForm:
    """Bodies of one completion.

    Args:
        model: name of the model.
        token_bytes: gives the bytes of a token.
    """

    model: str
    token_bytes: TokenBytes
    id: str = field(default_factory=lambda: f"cmpl-{random.getrandbits(96):024x}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """Return the body of a whole response.

        Args:
            pieces: text of the answers.
        """
        return self._body("text_completion", [self._choice(piece) for piece in joined(pieces)])

    def part(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """Return the body of one event of a stream.

        Args:
            pieces: at most one piece of each answer.
        """
        return self._body("text_completion", [self._choice(piece) for piece in pieces])

    def _choice(self, piece: Piece) -> dict[str, Any]:
        scores = _columns(piece.scores, self.token_bytes) if piece.scores else None
        return {"index": piece.answer, "text": piece.text, "logprobs": scores, "finish_reason": piece.finish}

    def _body(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


@dataclass
class ChatForm(CompletionForm):
    """Bodies of one chat answer."""

    id: str = field(default_factory=lambda: f"chatcmpl-{random.getrandbits(96):024x}")
    _begun: set[int] = field(default_factory=set)
    """Answers of which a part was sent."""

    def whole(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        choices = [
            {
                "index": piece.answer,
                "message": {"role": "assistant", "content": piece.text, "refusal": None},
                "logprobs": self._scores(piece),
                "finish_reason": piece.finish,
            }
            for piece in joined(pieces)
        ]
        return self._body("chat.completion", choices)

    def part(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        return self._body("chat.completion.chunk", [self._delta(piece) for piece in pieces])

    def _delta(self, piece: Piece) -> dict[str, Any]:
        role = {} if piece.answer in self._begun else {"role": "assistant"}
        self._begun.add(piece.answer)
        delta = {**role, "content": piece.text}
        return {"index": piece.answer, "delta": delta, "logprobs": self._scores(piece), "finish_reason": piece.finish}

    def _scores(self, piece: Piece) -> dict[str, Any] | None:
        if not piece.scores:
            return None
        content = []
        for score, _ in piece.scores:
            top = [self._entry(*each) for each in score.top]
            content.append({**self._entry(score.token, score.logprob), "top_logprobs": top})
        return {"content": content, "refusal": None}

    def _entry(self, token: int, logprob: float | None) -> dict[str, Any]:
        spelled = self.token_bytes(token)
        return {"token": token_name(spelled), "logprob": logprob, "bytes": list(spelled)}


def _columns(scores: Sequence[Placed], token_bytes: TokenBytes) -> dict[str, Any]:
    """Return the field `logprobs` of a completion."""
    return {
        "tokens": [token_name(token_bytes(score.token)) for score, _ in scores],
        "token_logprobs": [score.logprob for score, _ in scores],
        "top_logprobs": [_top(score, token_bytes) for score, _ in scores],
        "text_offset": [offset for _, offset in scores],
    }


def _top(score: TokenScore, token_bytes: TokenBytes) -> dict[str, float] | None:
    """Return the most likely tokens by name, and the chosen one, as OpenAI does; of tokens with the same name, the most likely."""
    if score.logprob is None:
        return None
    found: dict[str, float] = {}
    for token, logprob in (*score.top, (score.token, score.logprob)):
        found.setdefault(token_name(token_bytes(token)), logprob)
    return found


def token_name(spelled: bytes) -> str:
    """Return the text of a token, or `bytes:` and an escaped form for incomplete characters, as OpenAI does.

    Args:
        spelled: bytes of the token.
    """
    try:
        return spelled.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in spelled)


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Join the pieces of each answer, in the order of the answers.

    Args:
        pieces: text of the answers, in any order of the answers.
    """
    parts: dict[int, list[Piece]] = {}
    for piece in pieces:
        parts.setdefault(piece.answer, []).append(piece)
    return [_joined(parts[answer]) for answer in sorted(parts)]


def _joined(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    scores = tuple(score for piece in pieces for score in piece.scores)
    return Piece(pieces[0].answer, "".join(piece.text for piece in pieces), pieces[-1].finish, scores)


def usage(job: Job) -> dict[str, Any]:
    """Return the number of tokens of the prompts with the session before, of the answers so far, of both, and of those not read again.

    Args:
        job: the request.
    """
    earlier = sum(prompt.earlier for prompt in job.prompts)
    prompts = earlier + sum(len(prompt.tokens) for prompt in job.prompts)
    answers = sum(answer.tokens for answer in job.answers)
    return {
        "prompt_tokens": prompts,
        "completion_tokens": answers,
        "total_tokens": prompts + answers,
        "prompt_tokens_details": {"cached_tokens": earlier + sum(prompt.known for prompt in job.prompts)},
    }


def turn(job: Job) -> dict[str, Any]:
    """Return the field `session`, the turn of a session that a job has added; nothing without a session.

    Args:
        job: complete request.
    """
    return {} if job.session is None else {"session": {"id": job.session.id, "turn": job.session.head.number}}
