"""Log-probabilities of tokens."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..core import expect


class TokenScore(NamedTuple):
    """Log-probabilities, in nats, at the place of a token."""

    token: int
    """Token id."""
    logprob: float | None
    """That of the token; None for the first token of a text, which nothing predicts."""
    top: tuple[tuple[int, float], ...] = ()
    """The most likely tokens and theirs, in descending order."""


def token_scores(logits: Tensor, tokens: Sequence[int], top: int) -> list[TokenScore]:
    """Compute the log-probabilities of tokens under the model, whatever the sampling parameters.

    Args:
        logits: logits before each token, [N, V].
        tokens: token ids, N.
        top: number of most likely tokens to return for each, at least 0; more than V returns V.
    """
    expect(logits, "N V", "logits", N=len(tokens))
    found = torch.log_softmax(logits, 1)
    own = found.gather(1, torch.tensor(tokens, dtype=torch.int64)[:, None]).squeeze(1).tolist()
    if not top:
        return [TokenScore(token, score) for token, score in zip(tokens, own, strict=True)]
    best = found.topk(min(top, logits.shape[1]))
    pairs = [tuple(zip(*both, strict=True)) for both in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
    return [TokenScore(token, score, others) for token, score, others in zip(tokens, own, pairs, strict=True)]
