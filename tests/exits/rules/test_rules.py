"""What is special to each rule; what all share is in tests/conformance."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.exits import Entropy, ExitRecord, ExitRule, FixedSteps, Margin, MaxProbability, Patience, decide, scores


def one_input(*evidence: tuple[float, ...], accumulation: str = "last") -> ExitRecord:
    """A record of one input with this evidence after its steps."""
    return ExitRecord(torch.tensor([evidence]), accumulation=accumulation)


def score_of(rule: ExitRule, *evidence: tuple[float, ...]) -> Tensor:
    return scores(rule, one_input(*evidence))[0]


def test_max_probability_is_the_largest_softmax() -> None:
    odds = math.exp(1.5)
    expected = torch.tensor([odds / (1 + odds), 0.5], dtype=torch.float64)
    assert_close(score_of(MaxProbability(0.5, scale=2.0), (0.0, 3.0), (0.0, 0.0)), expected)


@pytest.mark.parametrize("kind", [MaxProbability, Entropy])
def test_probabilities_near_one_are_told_apart(kind: type[ExitRule]) -> None:
    """At leads of 24 to 32 the scores are exactly 1 in float32."""
    found = score_of(kind(0.5), *[(lead, 0.0) for lead in range(24, 33, 4)])
    assert (found.diff() > 0).all()
    assert (found.float() == 1).all()


def test_the_lead_that_max_probability_asks_for() -> None:
    scale, threshold, classes = 30.0, 0.6, 10
    lead = scale * math.log((classes - 1) * threshold / (1 - threshold))
    rule = MaxProbability(threshold, scale=scale)
    for share, stops in ((0.999, False), (1.001, True)):
        evidence = torch.zeros(1, classes)
        evidence[0, 3] = share * lead
        assert rule.step(evidence, rule.init(1))[0].item() is stops


def test_compat_differs_in_the_order_of_division_only() -> None:
    record = ExitRecord(10 * torch.randn(50, 20, 7))
    ours, theirs = (scores(MaxProbability(0.5, scale=30.0, compat=compat), record) for compat in (False, True))
    assert_close(ours, theirs, rtol=0, atol=2e-6, check_dtype=False)
    assert not torch.equal(ours.float(), theirs)


def test_a_score_that_equals_the_threshold_does_not_stop() -> None:
    assert decide(MaxProbability(0.5), one_input((1.0, 1.0), (2.0, 1.0), (1.0, 1.0))).steps.item() == 2
    assert decide(Margin(2.0), one_input((3.0, 1.0), (3.5, 1.0), (9.0, 1.0))).steps.item() == 2


def test_margin_is_the_lead_over_the_second_best() -> None:
    assert score_of(Margin(0.0), (1.0, 5.0, 4.5), (-3.0, -8.0, -7.0)).tolist() == [0.5, 4.0]


def test_entropy_is_zero_for_an_even_distribution_and_one_for_a_certain_one() -> None:
    half = math.log(2) / math.log(4)
    expected = torch.tensor([0.0, 1.0, 1 - half], dtype=torch.float64)
    assert_close(score_of(Entropy(0.5), (2.0,) * 4, (500.0, 0.0, 0.0, 0.0), (500.0, 500.0, 0.0, 0.0)), expected)


def test_a_larger_scale_makes_entropy_less_sure() -> None:
    small, large = (score_of(Entropy(0.5, scale=scale), (2.0, 0.0, 1.0)) for scale in (1.0, 3.0))
    assert large < small


def test_one_class_has_neither_margin_nor_entropy() -> None:
    for rule in (Margin(0.0), Entropy(0.0)):
        with pytest.raises(ValueError, match="at least two classes, got 1"):
            rule.step(torch.ones(1, 1), rule.init(1))


def test_patience_counts_equal_answers_in_a_row() -> None:
    a, b = (1.0, 0.0), (0.0, 1.0)
    assert score_of(Patience(0), a, a, b, b, b, a).tolist() == [1, 2, 1, 2, 3, 1]
    assert decide(Patience(2), one_input(a, a, b, b, b, a)).steps.item() == 5


def test_patience_starts_again_after_a_nan() -> None:
    rule = Patience(1)
    state, stops = rule.init(1), []
    for evidence_t in ((1.0, 0.0), (math.nan, 0.0), (1.0, 0.0), (1.0, 0.0)):
        stop, state = rule.step(torch.tensor([evidence_t]), state)
        stops.append(stop.item())
    assert stops == [False, False, False, True]


def test_a_budget_is_spent_exactly() -> None:
    record = ExitRecord(torch.randn(3, 5, 2), lengths=torch.tensor([5, 4, 2]))
    assert decide(FixedSteps.of(3), record).steps.tolist() == [3, 3, 2]
    assert decide(FixedSteps(3), record).steps.tolist() == [4, 4, 2]
    with pytest.raises(ValueError, match=r"steps: expected a number in \[1, inf\), got 0"):
        FixedSteps.of(0)


def test_each_step_has_its_threshold_and_the_last_one_stays() -> None:
    record = one_input(*[(2.0, 0.0)] * 5)
    assert decide(Margin((3.0, 2.5, 1.0)), record).steps.item() == 3
    assert decide(Margin((3.0, 2.0)), record).stopped.item() is False
    assert decide(Margin((math.inf, math.inf, math.inf, 0.0)), record).steps.item() == 4


def test_rows_at_different_steps_get_their_own_threshold() -> None:
    rule = Margin((3.0, 1.0))
    state = rule.init(2)._replace(steps=torch.tensor([0, 1]))
    stop, state = rule.step(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), state)
    assert stop.tolist() == [False, True]
    assert state.steps.tolist() == [1, 2]


@pytest.mark.parametrize("kind", [MaxProbability, Entropy])
def test_a_probability_beyond_one_is_no_threshold(kind: type[ExitRule]) -> None:
    with pytest.raises(ValueError, match=r"threshold: expected a number from 0 to 1, or one for each step, got \(0\.5, 1\.5\)\."):
        kind((0.5, 1.5))


@pytest.mark.parametrize("kind", [MaxProbability, Entropy])
@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_is_positive(kind: type[MaxProbability | Entropy], scale: float) -> None:
    with pytest.raises(ValueError, match="scale: expected a number"):
        kind(0.5, scale=scale)


def test_a_rule_without_a_score_says_what_is_missing() -> None:
    rule = ExitRule(0.5)
    with pytest.raises(NotImplementedError, match="Rule is abstract: give it score"):
        rule.step(torch.ones(1, 2), rule.init(1))
