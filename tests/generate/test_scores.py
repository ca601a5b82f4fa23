"""Log-probabilities of tokens."""

import pytest
import torch

from dendrix.generate import token_scores


def test_scores_are_log_softmax_and_its_largest() -> None:
    logits = torch.randn(3, 7)
    expected = torch.log_softmax(logits, 1)
    for row, score in enumerate(token_scores(logits, [4, 0, 6], 2)):
        assert score.token == [4, 0, 6][row]
        assert score.logprob == pytest.approx(float(expected[row, score.token]))
        best = expected[row].sort(descending=True)
        assert [token for token, _ in score.top] == best.indices[:2].tolist()
        assert [value for _, value in score.top] == pytest.approx(best.values[:2].tolist())


def test_more_than_all_tokens_are_all_and_none_are_none() -> None:
    logits = torch.randn(1, 3)
    assert len(token_scores(logits, [0], 5)[0].top) == 3
    assert token_scores(logits, [0], 0)[0].top == ()
