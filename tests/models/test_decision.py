"""A decision is the same in training, evaluation and use."""

import pytest
import torch

from dendrix.models import Decision, DelayNet, DelayNetConfig


@pytest.mark.parametrize("accumulation", ["sum", "mean", "last", "max", "softmax-sum"])
def test_confidence_is_a_share_and_keeps_the_decision(accumulation: str) -> None:
    decision = Decision(accumulation)  # type: ignore[arg-type]
    model = DelayNet(DelayNetConfig(4, 3, (6,), max_delay_ms=30.0)).eval()
    with torch.no_grad():
        evidence = decision.evidence(model, torch.rand(5, 12, 4))
    shares = decision.confidence(evidence[:, -1])
    torch.testing.assert_close(shares.sum(-1), torch.ones(5))
    assert torch.equal(shares.argmax(-1), evidence[:, -1].argmax(-1))


def test_tail_is_counted_in_steps() -> None:
    assert Decision(tail_ms=100.0).tail_steps(dt_ms=10.0) == 10
    assert Decision().tail_steps(dt_ms=10.0) == 0
