"""Guarantees for groups: the p-values by hand, sums by group against counting, refusals, and whether the promises are kept."""

import math
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
    NewGroupGuarantee,
    NoCertificateError,
    Parts,
    Policy,
    decide,
    fit,
    smallest_eps,
)
from dendrix.exits.fitting.guarantee import binomial_tails
from dendrix.exits.fitting.outcomes import Outcomes, events, sweep, trace
from support.exit_records import pool

DISAGREE = "disagreement"


def grouped(groups: int, size: int, seed: int = 0, steps: int = 6) -> ExitRecord:
    record = pool(groups * size, steps=steps, classes=4, seed=seed)
    return replace(record, groups=torch.arange(groups).repeat_interleave(size), grouped_by="speaker")


@given(seed=st.integers(0, 99), groups=st.lists(st.integers(0, 3), min_size=20, max_size=20))
@settings(max_examples=30, deadline=None)
def test_sums_by_group_are_counts(seed: int, groups: list[int]) -> None:
    record = replace(pool(20, steps=4, classes=3, seed=seed), groups=torch.tensor(groups))
    outcomes = sweep(trace(Margin(0.0), record))
    found = outcomes.group_sums("accuracy-drop", lambda lost, sizes: (lost.double() / sizes) ** 2)
    full = record.answers()[:, -1]
    for index in (0, len(found) // 2, len(found) - 1):
        answers = decide(Margin(outcomes.thresholds[index].item()), record).answers
        lost = (full == record.truth) & (answers != record.truth)
        expected = sum(lost[record.groups == g].double().mean().item() ** 2 for g in set(groups))
        assert found[index].item() == pytest.approx(expected)
    chosen = torch.arange(20) % 2 == 0
    part = events(trace(Margin(0.0), record)).outcomes(chosen).group_sums("accuracy-drop", lambda lost, sizes: lost.double() / sizes)
    alone = sweep(trace(Margin(0.0), record.subset(chosen))).group_sums("accuracy-drop", lambda lost, sizes: lost.double() / sizes)
    torch.testing.assert_close(part, alone)


def outcomes_of(losses: list[int], sizes: list[int]) -> Outcomes:
    """Outcomes of two thresholds: at the first nothing is lost, at the second so many inputs of each group."""
    groups = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    outputs = torch.zeros(len(groups), 2, 2)
    outputs[:, 0, 0] = 1
    for group, lost in enumerate(losses):
        rows = (groups == group).nonzero().flatten()[:lost]
        outputs[rows, 1, 1] = 3
    outputs[:, 1, 0] += 1
    return sweep(trace(Margin(0.0), ExitRecord(outputs, groups=groups)))


def test_p_value_is_the_product_of_the_groups() -> None:
    """With the largest bet, every group multiplies the p-value by (1 - eps) / (1 - its share of losses)."""
    found = outcomes_of([1, 0, 2], [10, 10, 10])
    p = NewGroupGuarantee(0.3, 0.1, DISAGREE).group_p_values(found)[-1].item()
    assert p == pytest.approx(0.7 / 0.9 * 0.7 * 0.7 / 0.8, rel=1e-6)
    assert NewGroupGuarantee(0.3, 0.1, DISAGREE).group_p_values(outcomes_of([10, 0, 0], [10, 10, 10]))[-1] == 1


@given(eps=st.floats(0.02, 0.6), share=st.floats(0.0, 1.0), bet=st.sampled_from([1.0, 0.5, 0.25]))
def test_wealth_does_not_grow_in_the_mean_if_the_risk_is_eps(eps: float, share: float, bet: float) -> None:
    """Shares of losses with mean eps: `high` with probability q and `low` else."""
    low, high = eps * share, eps + (1 - eps) * share
    q = 0.0 if high == low else (eps - low) / (high - low)
    factor = [1 + bet / (1 - eps) * (eps - lost) for lost in (low, high)]
    assert (1 - q) * factor[0] + q * factor[1] == pytest.approx(1, abs=1e-9)
    assert min(factor) >= -1e-9


def test_what_few_groups_can_certify() -> None:
    assert [round(smallest_eps(count, 0.1), 3) for count in (9, 27)] == [0.226, 0.082]
    for eps in (0.05, 0.1, 0.3):
        needed = NewGroupGuarantee(eps, 0.1).needed
        assert smallest_eps(needed, 0.1) <= eps < smallest_eps(needed - 1, 0.1)
    agree = grouped(9, 20)
    agree = replace(agree, outputs=agree.outputs[:, :1].expand(-1, 6, -1).contiguous())  # nothing is ever lost
    assert fit(agree, "margin", NewGroupGuarantee(0.23, 0.1, DISAGREE, by="speaker")).mean_steps == 1
    with pytest.raises(
        NoCertificateError, match=r"at least 10 \(speaker\) for a risk of 0.22 .* got 9, which certify eps = 0.226"
    ) as refusal:
        fit(agree, "margin", NewGroupGuarantee(0.22, 0.1, DISAGREE, by="speaker"))
    assert refusal.value.needed == 10
    with pytest.raises(NoCertificateError, match=r"in all but 0.2 of the groups at delta 0.1, got 9, which certify share = 0.238"):
        fit(agree, "margin", NewGroupGuarantee(0.1, 0.1, DISAGREE, by="speaker", share=0.2))
    with pytest.raises(NoCertificateError, match=r"at least 14 inputs of a speaker .* 30 of 30 have fewer"):
        fit(grouped(30, 10), "margin", NewGroupGuarantee(0.2, 0.1, DISAGREE, by="speaker", share=0.3))
    with pytest.raises(NoCertificateError, match=r"got 1, which certify eps = 0.9 at best"):
        fit(replace(agree, groups=torch.zeros(180, dtype=torch.int64)), "margin", NewGroupGuarantee(0.1, 0.1, DISAGREE, by="speaker"))


def test_groups_of_one_input_are_the_inputs() -> None:
    """Then the test is that of betting on independent inputs, and never accepts more than the exact one."""
    record = replace(pool(400), groups=torch.arange(400))
    alone, exact = fit(record, "margin", NewGroupGuarantee(0.1, 0.1)), fit(record, "margin", Guarantee(0.1, 0.1))
    assert exact.mean_steps <= alone.mean_steps < 16


def violations(goal: Guarantee, count: int, lost_groups: float, draws: int) -> int:
    """How often a threshold passes at which a share of groups loses everything, and all others nothing."""
    generator, broken = torch.Generator().manual_seed(0), 0
    for _ in range(draws):
        lost = torch.rand(count, generator=generator) < lost_groups
        broken += int(goal.passed(outcomes_of([8 if one else 0 for one in lost.tolist()], [8] * count))[-1])
    return broken


@pytest.mark.parametrize(("count", "tight"), [(22, True), (40, False)])
def test_the_worst_case_is_kept(count: int, tight: bool) -> None:
    """Groups that lose all or nothing, in a share just above eps. With 22 of them the bound is reached."""
    draws = 400
    most = int((1 - binomial_tails(draws, 0.1) > 1e-4).sum())
    broken = violations(NewGroupGuarantee(0.1, 0.1, DISAGREE), count, 0.1001, draws)
    assert broken <= most
    assert not tight or broken > 0.06 * draws
    assert violations(NewGroupGuarantee(0.3, 0.1, DISAGREE, share=0.1), count + 2, 0.1001, draws) <= most
    # Taken as independent, eight inputs of each group seem enough.
    assert violations(Guarantee(0.1, 0.1, DISAGREE), 22, 0.1001, draws) > most


def test_a_lost_group_is_tolerated_if_there_are_many() -> None:
    goal = NewGroupGuarantee(0.1, 0.1, DISAGREE)
    assert not goal.passed(outcomes_of([8] + [0] * 29, [8] * 30))[-1]
    assert goal.passed(outcomes_of([8] + [0] * 99, [8] * 100))[-1]


def test_every_known_group_must_pass() -> None:
    goal = KnownGroupsGuarantee(0.1, 0.1, DISAGREE)
    most = int((binomial_tails(60, 0.1) <= 0.1).sum()) - 1
    assert goal.passed(outcomes_of([most, most], [60, 60]))[-1]
    assert not goal.passed(outcomes_of([most + 1, 0], [60, 60]))[-1]
    with pytest.raises(NoCertificateError, match=r"at least 22 inputs of every speaker .* got 21 of speaker 1"):
        fit(grouped_unequal([200, 21]), "margin", KnownGroupsGuarantee(0.1, 0.1, DISAGREE, by="speaker"))
    record = grouped(3, 200)
    policy = fit(record, "margin", KnownGroupsGuarantee(0.1, 0.1, by="speaker"))
    assert "in each of the 3 groups (speaker) at once at most 0.1" in policy.statement
    for group in range(3):
        chosen = record.subset(record.groups == group)
        answers, full = decide(policy.rule, chosen).answers, chosen.answers()[:, -1]
        lost = int(((full == chosen.truth) & (answers != chosen.truth)).sum())
        assert binomial_tails(200, 0.1)[lost] <= 0.1


def grouped_unequal(sizes: list[int]) -> ExitRecord:
    return replace(pool(sum(sizes)), groups=torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)))


def test_settings_are_chosen_on_other_groups() -> None:
    record = grouped(100, 10)
    policy = fit(record, ["margin", "patience"], NewGroupGuarantee(0.15, 0.1, by="speaker"))
    assert policy.parts["certification"] == 500
    automatic = fit(record, goal=NewGroupGuarantee(0.15, 0.1, by="speaker"))
    assert automatic.parts == {"certification": 750, "selection": 0, "fit": 250}
    few = fit(grouped(20, 10), goal=NewGroupGuarantee(0.15, 0.1, by="speaker"))
    assert (few.parts["fit"], isinstance(few.rule, Margin)) == (0, True)


def test_classes_as_groups_and_the_file(tmp_path: object) -> None:
    record = pool(600, classes=3)
    policy = fit(record, "margin", KnownGroupsGuarantee(0.1, 0.1, DISAGREE, by="class"))
    assert "3 groups (class)" in policy.statement
    assert "30 calibration groups (group)" in fit(grouped(30, 20), "margin", NewGroupGuarantee(0.2, 0.1)).statement
    path = str(tmp_path) + "/policy.json"
    for saved in (policy, fit(grouped(30, 20), "margin", NewGroupGuarantee(0.2, 0.1, by="speaker", share=0.3))):
        saved.save(path)
        assert Policy.load(path) == saved


@pytest.mark.parametrize(
    ("record", "goal", "message"),
    [
        (pool(300), NewGroupGuarantee(0.3, by="speaker"), "groups: expected the speaker of every input in the record, got none"),
        (
            grouped(30, 10),
            NewGroupGuarantee(0.3, by="device"),
            "by: expected 'speaker', the groups of the record, or 'class', got 'device'",
        ),
        (replace(grouped(30, 10), labels=None), NewGroupGuarantee(0.3, by="speaker"), "labels: expected the true classes"),
        (replace(pool(300), labels=None), KnownGroupsGuarantee(0.3, by="class"), "labels: expected the true class"),
    ],
)
def test_refuses(record: ExitRecord, goal: Guarantee, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(record, "margin", goal)


@pytest.mark.parametrize("arguments", [{"share": 0.0}, {"share": 1.0}, {"by": ""}, {"eps": 1.0}])
def test_refuses_impossible_goals(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}: expected"):
        NewGroupGuarantee(**arguments)  # type: ignore[arg-type]


def test_needed_is_exact() -> None:
    assert Guarantee(0.5, 0.5).needed == 1
    assert Guarantee(0.5, 0.25).needed == 2  # a quotient that is whole but for rounding
    assert math.isclose(smallest_eps(1, 0.1), 0.9)


def test_groups_that_chose_settings_certify_nothing() -> None:
    """A guarantee for a new group is void on groups that chose the settings, although their inputs are others."""
    record = grouped(80, 20)
    first, second = (record.subset(torch.arange(len(record)) % 2 == odd) for odd in (0, 1))
    with pytest.raises(ValueError, match="fit: expected other groups than in certification, but 80 are in both, such as 0"):
        fit(Parts(first, fit=second), ["margin", "entropy"], NewGroupGuarantee(eps=0.2, loss=DISAGREE, by="speaker"))
    apart = [record.subset(part) for part in (record.groups >= 20, record.groups < 20)]
    policy = fit(Parts(apart[0], fit=apart[1]), ["margin", "entropy"], NewGroupGuarantee(eps=0.2, loss=DISAGREE, by="speaker"))
    assert policy.parts["fit"] == 400
