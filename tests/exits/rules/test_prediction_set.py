"""Prediction sets: members by hand, losses of all thresholds against deciding, and coverage."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.exits import (
    ExitRecord,
    Guarantee,
    KnownGroupsGuarantee,
    Margin,
    MaxProbability,
    Policy,
    PredictionSet,
    decide,
    exit_losses,
    fit,
    prediction_sets,
    resplits,
)
from dendrix.exits.fitting.guarantee import binomial_tails
from dendrix.exits.fitting.outcomes import sweep, trace
from support.exit_records import pool

EVIDENCE = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]]).log()


def test_members_by_hand() -> None:
    assert PredictionSet(0.75, size=2).members(EVIDENCE).tolist() == [[True, True, False, False], [True, True, True, True]]
    assert PredictionSet(0.4).members(EVIDENCE).tolist() == [[True, False, False, False], [True, True, False, False]]
    assert PredictionSet(1.0).members(EVIDENCE).all()
    assert PredictionSet(0.0).members(EVIDENCE).sum(1).tolist() == [1, 1]


def test_it_stops_when_the_set_is_small_enough() -> None:
    for size in (1, 2, 3):
        rule = PredictionSet(0.75, size=size)
        stop, _ = rule.step(EVIDENCE, rule.init(2))
        assert stop.tolist() == (rule.members(EVIDENCE).sum(1) <= size).tolist()


def test_one_class_is_the_largest_probability() -> None:
    record = pool(200, steps=5)
    for threshold in (0.3, 0.6, 0.9):
        one, other = decide(PredictionSet(threshold), record), decide(MaxProbability(threshold), record)
        assert torch.equal(one.steps, other.steps)


@given(seed=st.integers(0, 99), size=st.integers(1, 2), share=st.floats(0, 1), min_steps=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_losses_of_all_thresholds_are_those_of_each(seed: int, size: int, share: float, min_steps: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    record = replace(pool(15, steps=5, classes=4, seed=seed), lengths=torch.randint(1, 6, (15,), generator=generator))
    record.outputs[:3] = record.outputs[:3].round()
    rule = PredictionSet(1.0, min_steps, size=size)
    outcomes = sweep(trace(rule, record))
    assert outcomes.missed is not None
    assert outcomes.wrong is not None
    for index in {0, int(share * (len(outcomes.thresholds) - 1)), len(outcomes.thresholds) - 1}:
        at = replace(rule, threshold=min(outcomes.thresholds[index].item(), 1.0))
        assert outcomes.missed[index] == exit_losses(at, record, "missed-class").sum()
        assert outcomes.wrong[index] == exit_losses(at, record, "wrong-answer").sum()
        assert outcomes.steps[index] == decide(at, record).steps.sum()


@pytest.mark.parametrize("size", [1, 2])
def test_coverage_is_kept(size: int) -> None:
    (found,) = resplits(pool(4000), PredictionSet(1.0, size=size, scale=3.0), Guarantee(0.05, 0.1, "missed-class"), (200,))
    assert found.guaranteed.violations * 400 <= int((1 - binomial_tails(400, 0.1) > 1e-4).sum())
    assert found.guaranteed.mean_steps < 16


def test_a_larger_set_is_faster() -> None:
    record, goal = pool(2000), Guarantee(0.05, 0.1, "missed-class")
    policies = [fit(record, PredictionSet(1.0, size=size, scale=3.0), goal) for size in (1, 2, 4)]
    assert policies[0].mean_steps > policies[1].mean_steps > policies[2].mean_steps
    for size, policy in zip((1, 2, 4), policies, strict=True):
        assert (prediction_sets(policy.rule, record).sum(1)[decide(policy.rule, record).stopped] <= size).all()


def test_none_of_these() -> None:
    """Noise is answered no more often than promised, and known inputs wrongly no more often either."""
    known, noise = pool(1500, seed=1), ExitRecord(torch.randn(1500, 16, 10, generator=torch.Generator().manual_seed(2)))
    record = known.with_unknown(noise)
    policy = fit(record, MaxProbability(1.0, scale=3.0), KnownGroupsGuarantee(0.05, 0.1, "wrong-answer", by="known"))
    assert policy.abstains
    assert "answered 'none of these'" in policy.statement
    decisions = decide(policy.rule, record)
    assert decisions.stopped[1500:].double().mean() < 0.05
    assert (decisions.stopped & (decisions.answers == record.truth))[:1500].double().mean() > 0.4
    assert exit_losses(policy.rule, record, "wrong-answer").double().mean() < 0.05


def test_the_file(tmp_path: object) -> None:
    policy = fit(pool(300), PredictionSet(1.0, size=3, scale=2.0), Guarantee(0.1, 0.1, "missed-class"))
    policy.save(f"{tmp_path}/policy.json")
    assert Policy.load(f"{tmp_path}/policy.json") == policy


def test_refuses() -> None:
    record = pool(300)
    unknown = record.with_unknown(record)
    for one, rule, message in (
        (record, Margin(0.0), "the rule prediction-set"),
        (unknown, PredictionSet(1.0), "the rule prediction-set and inputs of its classes"),
        (record, PredictionSet(1.0, size=10), "size: expected fewer than the 10 classes, got 10"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(one, rule, Guarantee(0.1, 0.1, "missed-class"))
    with pytest.raises(ValueError, match="a prediction set has one threshold"):
        fit(record, PredictionSet(1.0), Guarantee(0.1, 0.1, "missed-class"), per_step=True)
    with pytest.raises(ValueError, match="expected one for all steps, got 2"):
        PredictionSet((0.5, 0.5)).members(EVIDENCE)
    with pytest.raises(ValueError, match="size: expected a whole number"):
        PredictionSet(0.5, size=0)
    with pytest.raises(ValueError, match="same network with the same steps"):
        record.with_unknown(pool(10, steps=4))
