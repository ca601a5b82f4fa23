"""The guarantee over time: its walk against counting, and whether early exits are paid for by late ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from dendrix.exits import (
    ExitRecord,
    Guarantee,
    Margin,
    NewGroupGuarantee,
    NoCertificateError,
    OverTimeGuarantee,
    Parts,
    decide,
    exit_losses,
    fit,
)
from dendrix.exits.fitting.guarantee import binomial_tails
from dendrix.exits.fitting.outcomes import trace
from dendrix.exits.fitting.over_time import exits_from, group_shares, stopped_by
from dendrix.exits.fitting.setting import Setting
from support.exit_records import pool

SETTING = Setting(Margin(0.0))
GOAL = OverTimeGuarantee(0.05, 0.1, "disagreement")


def hasty(count: int, seed: int = 0) -> ExitRecord:
    """One input in 40 has a wrong answer with a high score at the first step."""
    record = pool(count, steps=8, classes=4, seed=seed)
    early = torch.arange(count) % 40 == 0
    outputs = record.outputs.clone()
    outputs[early, 0] = 0
    outputs[early, 0, (record.truth[early] + 1) % 4] = 9.0
    return replace(record, outputs=outputs)


@given(seed=st.integers(0, 50), threshold=st.floats(0, 4), first=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_exits_are_those_of_the_rule(seed: int, threshold: float, first: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    record = replace(pool(20, steps=5, classes=3, seed=seed), lengths=torch.randint(1, 6, (20,), generator=generator))
    traces = trace(Margin(0.0), record)
    assert exits_from(traces, threshold)[:, first - 1].tolist() == decide(Margin(threshold, min_steps=first), record).steps.tolist()


def test_counts_of_those_that_have_stopped() -> None:
    by, lost = stopped_by(np.array([2, 2, 3, 1]), np.array([True, False, True, False]), 4)
    assert (by.tolist(), lost.tolist()) == ([1, 3, 4, 4], [0, 1, 2, 2])


def test_every_stopping_time_passes_its_test_and_one_step_earlier_does_not() -> None:
    fitting, certifying = hasty(1500, seed=1), hasty(1500, seed=2)
    policy = fit(Parts(certifying, fit=fitting), "margin", GOAL)
    assert "for every step t from" in policy.statement

    def passes(first: int) -> bool:
        rule = replace(policy.rule, min_steps=first)
        steps, lost = decide(rule, certifying).steps, exit_losses(rule, certifying, "disagreement")
        return all(binom.cdf(lost[steps <= t].sum(), (steps <= t).sum(), 0.05) <= 0.1 for t in range(first, 9))

    assert 1 < policy.rule.min_steps < 8
    assert passes(policy.rule.min_steps)
    assert not passes(policy.rule.min_steps - 1)


def test_the_promise_is_kept_where_the_usual_one_lets_early_exits_be_wrong() -> None:
    everything, fitting = hasty(6000), hasty(600, seed=9)
    best = GOAL.best_threshold(SETTING, fitting, None)

    def worst(rule: Margin) -> float:
        steps, lost = decide(rule, everything).steps, exit_losses(rule, everything, "disagreement")
        by, lost_by = stopped_by(steps.numpy(), lost.numpy(), 8)
        return float((lost_by[by > 0] / by[by > 0]).max())

    generator, broken, usual = torch.Generator().manual_seed(0), 0, 0
    for _ in range(60):
        drawn = everything.subset(torch.randperm(6000, generator=generator)[:600])
        broken += worst(GOAL.find(SETTING, drawn, fitting, [best]).rule) > GOAL.eps  # type: ignore[arg-type]
        usual += worst(fit(drawn, "margin", Guarantee(0.05, 0.1, "disagreement")).rule) > GOAL.eps  # type: ignore[arg-type]
    assert broken <= int((1 - binomial_tails(60, 0.1) > 1e-4).sum())
    assert usual == 60


def by_speaker(record: ExitRecord, speakers: int) -> ExitRecord:
    return replace(record, groups=torch.arange(len(record)) % speakers * 2, grouped_by="speaker")  # numbers with gaps


def test_shares_of_groups_are_those_counted() -> None:
    stopped, lost = group_shares(np.array([2, 2, 3, 1]), np.array([True, False, True, False]), 3, np.array([4, 4, 7, 7]))
    assert stopped.tolist() == [[0, 1, 1], [0.5, 0.5, 1]]
    assert lost.tolist() == [[0, 0.5, 0.5], [0, 0, 0.5]]


def test_for_new_groups_every_stopping_time_passes_by_hand_and_one_step_earlier_does_not() -> None:
    goal = OverTimeGuarantee(0.3, 0.1, "disagreement", by="speaker")
    fitting, certifying = (by_speaker(hasty(900, seed=seed), 10) for seed in (1, 2))
    assert fitting.groups is not None
    fitting = replace(fitting, groups=fitting.groups + 1000)  # they are other speakers
    policy = fit(Parts(certifying, fit=fitting), "margin", goal)
    assert "inputs of a new speaker that have stopped by step t" in policy.statement
    groups = certifying.grouped("speaker").groups

    def passes(first: int) -> bool:
        rule = replace(policy.rule, min_steps=first)
        steps, lost = decide(rule, certifying).steps, exit_losses(rule, certifying, "disagreement")
        for t in range(first, 9):
            margins = [
                0.3 * (steps[groups == g] <= t).double().mean() - (lost[groups == g] & (steps[groups == g] <= t)).double().mean()
                for g in range(10)
            ]
            if 1 / math.prod(1 + float(margin) / 0.7 for margin in margins) > 0.1:
                return False
        return True

    assert 1 < policy.rule.min_steps < 8
    assert passes(policy.rule.min_steps)
    assert not passes(policy.rule.min_steps - 1)


def test_few_groups_are_refused_where_their_inputs_would_be_enough() -> None:
    """Ten speakers are too few for what their three thousand inputs certify."""
    record = by_speaker(hasty(3000), 10)
    goals = {by: OverTimeGuarantee(0.25, 0.1, "disagreement", by=by) for by in ("", "speaker")}
    assert goals["speaker"].needed == NewGroupGuarantee(0.25, 0.1).needed
    kept = {by: fit(record, "margin", goal, fallback=True) for by, goal in goals.items()}
    assert kept[""].stops_early
    assert "at least 9 (speaker) for a risk of 0.25 at delta 0.1, got 5" in kept["speaker"].statement


def test_per_step_thresholds_and_abstention() -> None:
    assert fit(pool(1200), "margin", OverTimeGuarantee(0.05, 0.1), per_step="dynamic").stops_early
    policy = fit(pool(1200), "max-probability", OverTimeGuarantee(0.05, 0.1, "wrong-answer"))
    assert policy.abstains
    assert 0 < decide(policy.rule, pool(300, seed=4)).stopped.double().mean() < 1


def test_refuses() -> None:
    with pytest.raises(NoCertificateError, match=r"at least 45 inputs .* got 40"):
        fit(pool(80), "margin", GOAL)
    with pytest.raises(ValueError, match="for a guarantee over time"):
        OverTimeGuarantee(loss="missed-class")
    with pytest.raises(ValueError, match="fit: expected a record"):
        fit(Parts(pool(300)), "margin", GOAL)
    silent = ExitRecord(torch.zeros(200, 3, 2))
    assert not fit(silent, "margin", GOAL).stops_early
