"""The bounds on a table worked by hand, and what holds for every table."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dendrix.exits import (
    CONVENTIONS,
    ExitRecord,
    FixedSteps,
    Margin,
    MaxProbability,
    Patience,
    average_exit_time,
    decide,
    optimal_cutoff,
    oracle_curve,
    policy_curve,
    static_curve,
)


def record_of(right: Tensor, lengths: Tensor | None = None) -> ExitRecord:
    """A record of two classes that answers right (class 1) at these cells, bool [N, T]."""
    outputs = torch.stack([1.0 - right.float(), right.float()], -1)
    return ExitRecord(outputs, torch.ones(len(right), dtype=torch.int64), lengths, accumulation="last")


BY_HAND = torch.tensor(
    [
        [0, 0, 1, 1],  # right from step 3 on
        [1, 0, 0, 1],  # right at once, but not for long
        [0, 0, 0, 0],  # never right
        [0, 1, 0, 0],  # right by luck
    ]
).bool()


@pytest.mark.parametrize(
    ("convention", "steps"),
    [
        ("cap", [1, (2 + 1 + 2 + 2) / 4, (3 + 1 + 3 + 2) / 4, (3 + 1 + 4 + 2) / 4]),
        ("one", [1, (1 + 1 + 1 + 2) / 4, (3 + 1 + 1 + 2) / 4, (3 + 1 + 1 + 2) / 4]),
        ("exclude", [1, (1 + 2) / 2, (3 + 1 + 2) / 3, (3 + 1 + 2) / 3]),
    ],
)
def test_oracle_by_hand(convention: str, steps: list[float]) -> None:
    curve = oracle_curve(record_of(BY_HAND), convention)
    assert curve.steps.tolist() == pytest.approx(steps)
    assert curve.accuracy.tolist() == [0.25, 0.5, 0.75, 0.75]
    assert CONVENTIONS[convention] in curve.name


def test_static_optimal_cutoff_and_exit_time_by_hand() -> None:
    record = record_of(BY_HAND)
    assert static_curve(record).accuracy.tolist() == [0.25, 0.25, 0.25, 0.5]
    assert optimal_cutoff(record).tolist() == [3, 4, 4, 4]
    assert average_exit_time(record) == (1 + 2 * 0 + 3 * 0 + 4 * (2 - 1) + 4 * (4 - 2)) / 4


def test_inputs_end_at_their_own_step() -> None:
    right = torch.tensor([[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 1]]).bool()
    record = record_of(right, torch.tensor([2, 2, 4]))  # right until its end; never right before it; off and on
    curve = static_curve(record)
    assert curve.steps.tolist() == pytest.approx([1, 2, 7 / 3, 8 / 3])
    assert curve.accuracy.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert oracle_curve(record).steps.tolist() == pytest.approx([1, 5 / 3, 5 / 3, 5 / 3])
    assert oracle_curve(record, "one").steps.tolist() == pytest.approx([1, 4 / 3, 4 / 3, 4 / 3])
    assert optimal_cutoff(record).tolist() == [2, 2, 3]
    assert average_exit_time(record) == pytest.approx((2 + 2 + (1 - 2 + 3)) / 3)


def test_nobody_right_leaves_nothing_to_average() -> None:
    curve = oracle_curve(record_of(torch.zeros(3, 2, dtype=torch.bool)), "exclude")
    assert all(map(math.isnan, curve.steps.tolist()))
    assert curve.accuracy.tolist() == [0, 0]


def test_an_unknown_convention_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'exclude'"):
        oracle_curve(record_of(BY_HAND), "excluded")


@pytest.mark.parametrize("bound", [static_curve, oracle_curve, optimal_cutoff, average_exit_time, lambda r: policy_curve(FixedSteps(1), r)])
def test_every_bound_asks_for_labels(bound: object) -> None:
    with pytest.raises(ValueError, match="labels: expected the true class"):
        bound(ExitRecord(torch.ones(2, 3, 4)))


def tables() -> st.SearchStrategy[ExitRecord]:
    """Records of some inputs that end at steps of their own."""

    @st.composite
    def build(draw: st.DrawFn) -> ExitRecord:
        generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
        count, steps, classes = draw(st.tuples(st.integers(1, 12), st.integers(1, 7), st.integers(2, 4)))
        outputs = torch.randn(count, steps, classes, generator=generator)
        ends = torch.randint(1, steps + 1, (count,), generator=generator) if draw(st.booleans()) else None
        return ExitRecord(outputs, torch.randint(classes, (count,), generator=generator), ends)

    return build()


@settings(max_examples=50, deadline=None)
@given(tables(), st.sampled_from([Margin(0.7), MaxProbability(0.6), Patience(1), FixedSteps(2)]))
def test_no_rule_beats_the_oracle(record: ExitRecord, rule: Margin | MaxProbability | Patience | FixedSteps) -> None:
    policy, oracle = policy_curve(rule, record), oracle_curve(record)
    assert (policy.accuracy <= oracle.accuracy + 1e-12).all()
    ever = record.right().any(1)
    first = torch.where(ever, record.right().int().argmax(1) + 1, record.ends)
    right = decide(rule, record).answers == record.labels
    assert (first[right] <= decide(rule, record).steps[right]).all()


@settings(max_examples=50, deadline=None)
@given(tables())
def test_the_bounds_are_in_order(record: ExitRecord) -> None:
    curves = [oracle_curve(record, convention) for convention in ("one", "cap")]
    static = static_curve(record)
    assert (curves[0].steps <= curves[1].steps + 1e-12).all()
    assert (curves[1].steps <= static.steps + 1e-12).all()
    assert (static.accuracy <= curves[1].accuracy + 1e-12).all()
    assert curves[1].steps[-1] <= optimal_cutoff(record).double().mean() + 1e-12
    assert (curves[1].accuracy.diff() >= 0).all()


@settings(max_examples=50, deadline=None)
@given(tables())
def test_a_budget_is_a_point_of_the_static_curve(record: ExitRecord) -> None:
    static = static_curve(record)
    for step in range(1, len(static.steps) + 1):
        curve = policy_curve(FixedSteps.of(step), record)
        assert curve.steps[-1] == static.steps[step - 1]
        assert curve.accuracy[-1] == static.accuracy[step - 1]


@settings(max_examples=30, deadline=None)
@given(tables())
def test_the_closed_exit_time_is_the_oracle_where_right_stays_right(record: ExitRecord) -> None:
    lasting = record.right().cummax(1).values
    steady = record_of(lasting, record.lengths)
    assert average_exit_time(steady) == pytest.approx(oracle_curve(steady).steps[-1].item())
    assert optimal_cutoff(steady).double().mean().item() == pytest.approx(average_exit_time(steady))
