"""The guarantee: exact tails, the fixture's walk, refusals, and whether the promise is kept."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.errors import InputError
from dendrix.exits import ExitRecord, Guarantee, MaxProbability, NoCertificateError, decide, fit, resplits
from dendrix.exits.fitting.guarantee import binomial_tails
from dendrix.exits.fitting.outcomes import Outcomes, sweep, trace
from support.dynconf import case
from support.exit_records import pool

RULE = MaxProbability(1.0, scale=3.0)


def exact_tail(count: int, percent: int, k: int) -> float:
    """P(Bin(count, percent / 100) <= k), in whole numbers until the last division."""
    ways = sum(math.comb(count, i) * percent**i * (100 - percent) ** (count - i) for i in range(k + 1))
    return float(Fraction(ways, 100**count))


@given(count=st.integers(1, 60), percent=st.integers(1, 99), share=st.floats(0, 1))
def test_tails_are_exact(count: int, percent: int, share: float) -> None:
    k = int(share * count)
    tails = binomial_tails(count, percent / 100)
    assert tails[k].item() == pytest.approx(exact_tail(count, percent, k), rel=1e-11)
    assert len(tails) == count + 1


def test_tails_of_many_inputs() -> None:
    assert binomial_tails(10_000, 0.01)[80].item() == pytest.approx(exact_tail(10_000, 1, 80), rel=1e-9)


@pytest.mark.parametrize("name", ["small", "ties"])
def test_walk_of_the_fixtures(name: str) -> None:
    fixture = case(name)
    count = int(fixture.arrays["ours_calib_count"])
    goal = Guarantee(float(fixture.arrays["ours_ltt_eps"]), float(fixture.arrays["ours_ltt_delta"]))
    grid = fixture.arrays["in_thresholds"].tolist()
    calibration = fixture.record.subset(torch.arange(count))
    outcomes = sweep(trace(MaxProbability(1.0, scale=30.0, compat=True), calibration)).at(grid)
    losses = goal.losses(outcomes)
    walk = fixture.arrays["ours_ltt_trace"]
    np.testing.assert_array_equal(outcomes.thresholds[: len(walk)].numpy(), walk[:, 0])
    np.testing.assert_array_equal(losses[: len(walk)].numpy(), walk[:, 1])
    np.testing.assert_allclose(goal.p_values(losses, count)[: len(walk)].numpy(), walk[:, 2], rtol=1e-10)
    policy = fit(calibration, MaxProbability(1.0, scale=30.0, compat=True), goal, thresholds=grid)
    assert policy.rule.threshold == fixture.arrays["ours_ltt_threshold"]


@pytest.mark.parametrize(("eps", "delta", "needed"), [(0.01, 0.1, 230), (0.02, 0.1, 114), (0.05, 0.05, 59), (0.5, 0.5, 1)])
def test_needed_inputs(eps: float, delta: float, needed: int) -> None:
    goal = Guarantee(eps, delta)
    assert goal.needed == needed
    assert (1 - eps) ** needed <= delta < (1 - eps) ** (needed - 1)
    assert fit(pool(max(needed, 2)), RULE, goal)


def test_too_few_inputs_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(NoCertificateError, match=r"at least 230 inputs .* got 229") as refusal:
        fit(pool(229), RULE, Guarantee(0.01, 0.1))
    assert refusal.value.needed == 230
    with pytest.raises(NoCertificateError, match="got 150"):  # half of them choose the scale
        fit(pool(300), RULE, Guarantee(0.01, 0.1), scale="nll")


def test_full_length_only_when_asked() -> None:
    record = pool(100)
    policy = fit(record, RULE, Guarantee(0.01, 0.1), fallback=True)
    assert not decide(policy.rule, record).stopped.any()
    assert policy.mean_steps == 16
    assert "230" in policy.statement
    with pytest.raises(NoCertificateError, match=r"the strictest, 0\.3, to pass, but \d+ losses in 500"):
        fit(pool(500), RULE, Guarantee(0.01, 0.1), thresholds=[0.1, 0.3])
    assert fit(pool(500), RULE, Guarantee(0.01, 0.1), thresholds=[0.1, 0.3], fallback=True).mean_steps == 16


def falling(losses: list[int]) -> Outcomes:
    """300 inputs that lose this many under falling thresholds."""
    lost = torch.tensor(losses)
    steps = torch.arange(len(losses), 0, -1) * 300
    return Outcomes(300, steps.double() / 3000, steps, lost, 250 - lost, lost, 250)


def test_walk_stops_at_the_first_failure() -> None:
    """Of 300 inputs, at eps 0.02 and delta 0.1, two losses pass (p = 0.06) and three do not (p = 0.15)."""
    goal = Guarantee(0.02, 0.1)
    assert goal.choose(falling([0, 1, 2, 3, 0])) == 2  # the last one passes, but is not reached
    assert goal.choose(falling([2, 2, 2])) == 2
    assert goal.choose(falling([0, 4, 4])) == 0


def test_threshold_is_the_lowest_that_passes() -> None:
    """At the recorded scores themselves, so a little lower than the threshold is one loss too many."""
    record, goal = pool(1000), Guarantee(0.02, 0.1)
    policy = fit(record, RULE, goal)
    outcomes = sweep(trace(RULE, record))
    index = goal.choose(outcomes)
    allowed = int((binomial_tails(1000, 0.02) <= 0.1).sum()) - 1
    assert goal.losses(outcomes)[: index + 1].max() <= allowed
    assert goal.losses(outcomes)[index + 1] > allowed
    full = record.answers()[:, -1]
    assert isinstance(policy.rule.threshold, float)
    for threshold, passes in ((policy.rule.threshold, True), (outcomes.thresholds[index + 1].item(), False)):
        answers = decide(replace(RULE, threshold=threshold), record).answers
        lost = ((full == record.truth) & (answers != record.truth)).sum()
        assert (lost <= allowed) == passes


def test_disagreement_needs_no_labels_and_promises_more() -> None:
    record = pool(1000)
    drop = fit(record, RULE, Guarantee(0.02, 0.1))
    agree = fit(replace(record, labels=None), RULE, Guarantee(0.02, 0.1, "disagreement"))
    assert agree.rule == fit(record, RULE, Guarantee(0.02, 0.1, "disagreement")).rule
    assert drop.mean_steps < agree.mean_steps < 16
    assert "another answer than from the full run" in agree.statement


def test_the_statement_does_not_round_the_promise_up() -> None:
    statement = fit(
        ExitRecord(torch.eye(2)[torch.zeros(3000, 2, dtype=torch.int64)]), "margin", Guarantee(0.012344, 1e-6, "disagreement")
    ).statement
    assert "at least 0.999999 over" in statement
    assert "at most 0.012344 of all inputs" in statement


@pytest.mark.parametrize("arguments", [{"eps": 0.0}, {"eps": 1.0}, {"delta": 0.0}, {"delta": 1.5}, {"loss": "accuracy"}])
def test_refuses_other_promises(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}: (expected|got)"):
        Guarantee(**arguments)  # type: ignore[arg-type]


def most_violations(repeats: int, delta: float) -> int:
    """A promise that is kept has more violations than this in fewer than one of 10,000 experiments."""
    return int((1 - binomial_tails(repeats, delta) > 1e-4).sum())


def test_promise_is_kept_where_the_naive_rule_breaks_it() -> None:
    found = resplits(pool(4000), RULE, Guarantee(0.01, 0.1), (100, 230, 500))
    assert [(one.size, one.possible) for one in found] == [(100, False), (230, True), (500, True)]
    assert (found[0].guaranteed.mean_steps, found[0].guaranteed.violations) == (16, 0)
    for one in found:
        assert one.guaranteed.violations * 400 <= most_violations(400, 0.1)
        assert one.naive is not None
        assert one.naive.violations * 400 > most_violations(400, 0.1)
        assert one.naive.drops is not None
        assert one.naive.drops > 0.5  # its own promise, "no drop", is rarely true of the whole pool
    assert all(one.guaranteed.mean_steps < 14 for one in found[1:])


@pytest.mark.parametrize("count", [230, 1000])
def test_promise_of_agreement_is_kept(count: int) -> None:
    pooled = replace(pool(4000), labels=None)
    (found,) = resplits(pooled, RULE, Guarantee(0.01, 0.1, "disagreement"), (count,))
    assert found.guaranteed.violations * 400 <= most_violations(400, 0.1)
    assert found.guaranteed.mean_steps < 15


def test_resplits_are_seeded_and_check_their_pool() -> None:
    small = pool(300)
    with pytest.raises(InputError, match=r"seed: .* got -1"):
        resplits(small, RULE, seed=-1)
    first, again = (resplits(small, RULE, Guarantee(0.05, 0.1), (100, 1000), repeats=5, seed=seed) for seed in (1, 1))
    assert first == again
    assert [one.size for one in first] == [100]
    unlabelled = resplits(replace(small, labels=None), RULE, Guarantee(0.05, 0.1, "disagreement"), (100,), repeats=5)
    assert unlabelled[0].naive is None
    assert unlabelled[0].guaranteed.worst_drop is None
    with pytest.raises(ValueError, match=r"repeats: expected a whole number in \[1, inf\), got 0"):
        resplits(small, RULE, repeats=0)
    with pytest.raises(ValueError, match="at least 1000 inputs to draw from, got 300"):
        resplits(small, RULE, sizes=(1000,))


def test_certified_on_inputs_that_all_agree() -> None:
    """Nothing is ever lost, so everybody may leave at once."""
    outputs = torch.zeros(300, 4, 3)
    outputs[:, :, 1] = 1
    assert fit(ExitRecord(outputs), "margin", Guarantee(loss="disagreement")).mean_steps == 1


def test_silent_inputs_run_to_their_end() -> None:
    """Without evidence no score is above 0, so no threshold stops anybody."""
    policy = fit(ExitRecord(torch.zeros(500, 4, 3)), "margin", Guarantee(loss="disagreement"), per_step=True)
    assert policy.mean_steps == 4
