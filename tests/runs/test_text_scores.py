"""Scores of a text, against what a model that knows the answer must get."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from dendrix.data.text.tokens import Tokens
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from dendrix.runs.text_scores import score_text


def text(count: int = 300, size: int = 7) -> Tokens:
    ids = np.random.default_rng(0).integers(0, size, count).astype(np.uint16)
    return Tokens(ids, n_bytes=2 * count, characters=count, words=count // 5)


def uniform(x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    return torch.zeros(*x.shape, 8), state or ()


@pytest.mark.parametrize("options", [{}, {"context": 32}, {"context": 32, "stride": 32}, {"context": 50, "stride": 7}, {"context": 900}])
def test_every_token_counts_once(options: dict[str, int]) -> None:
    seen = []
    scores = score_text(uniform, text(), **options, progress=lambda done, whole: seen.append((done, whole)))
    assert scores.tokens == 299
    assert seen[-1] == (299, 299)
    assert math.isclose(scores.nats, 299 * math.log(8), rel_tol=1e-6)
    assert math.isclose(scores.bits_per_byte, 299 * 3 / 600, rel_tol=1e-6)
    assert math.isclose(scores.bits_per_character or 0, 299 * 3 / 300, rel_tol=1e-6)
    assert math.isclose(math.log(scores.word_perplexity), 299 * math.log(8) / 60, rel_tol=1e-6)


def test_carried_and_windowed_contexts_are_what_they_say() -> None:
    model, given = SpikeGPT(SpikeGPTConfig(7, 16, 2)).double().eval(), text(1500)
    tokens = torch.from_numpy(given.ids.astype(np.int64)).unsqueeze(0)
    with torch.no_grad():
        whole = log_softmax(model(tokens[:, :-1])[0], -1).gather(2, tokens[:, 1:].unsqueeze(2)).sum().item()
        by_hand = 0.0
        for end in range(1, 300):  # stride 1: each token is predicted from the 20 before it
            start = max(0, end - 20)
            by_hand += log_softmax(model(tokens[:, start:end])[0][0, -1], -1)[tokens[0, end]].item()
    assert math.isclose(score_text(model, given).nats, -whole, rel_tol=1e-6)
    assert math.isclose(score_text(model, text(300), context=20, stride=1).nats, -by_hand, rel_tol=1e-6)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="at least two tokens, got 1"):
        score_text(uniform, text(1))
    with pytest.raises(ValueError, match="stride: expected from 1 to the context of 8"):
        score_text(uniform, text(), context=8, stride=9)
    with pytest.raises(FloatingPointError, match="loss of nan"):
        score_text(lambda x, state=None: (torch.full((*x.shape, 8), math.nan), state or ()), text())
