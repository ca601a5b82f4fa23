"""Thresholds of every step on a path from the earliest exits to the latest."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.exits import ExitRecord, Margin, fit
from dendrix.exits.fitting.outcomes import trace
from dendrix.exits.fitting.per_step import fit_path
from support.exit_records import pool


@given(seed=st.integers(0, 50), low=st.floats(0, 1), high=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_path_is_nested(seed: int, low: float, high: float) -> None:
    record = pool(60, steps=5, classes=3, seed=seed)
    traces = trace(Margin(0.0), record)
    path = fit_path(traces, traces.lost("accuracy-drop"), never=torch.inf)
    low, high = sorted((low, high))
    assert all(a <= b for a, b in zip(path.thresholds(low), path.thresholds(high), strict=True))
    level, fresh = path.level(traces.score), traces.score
    assert torch.equal(level > high, fresh > torch.tensor(path.thresholds(high)))


@pytest.mark.parametrize(
    ("lost", "candidates", "safety", "level", "threshold"),
    [
        ([True, False, False, False], [0, 0.2], [0 / 2, 3 / 4], 0.7, 0.2),
        ([True, False, False, False], [0, 0.2], [0 / 2, 3 / 4], 0.75, torch.inf),
        ([False, True, False, False], [0, 0.5], [1 / 3, 2 / 3], 0.3, 0),  # a score may not be safer than a higher one: they are pooled
        ([True, True, True, True], [0], [0 / 5], 0, torch.inf),
        ([False, False, True, False], [0, 0.7], [2 / 4, 2 / 4], 0.4, 0),  # one loss is added to each block, and shares must not fall
    ],
)
def test_path_by_hand(lost: list[bool], candidates: list[float], safety: list[float], level: float, threshold: float) -> None:
    scores = torch.tensor([[0.2, 1.0], [0.5, 1.0], [0.7, 1.0], [0.9, 1.0]], dtype=torch.float64)
    differs = torch.tensor([[one, False] for one in lost])
    traces = replace(trace(Margin(0.0), ExitRecord(torch.zeros(4, 2, 2))), score=scores, differs=differs)
    path = fit_path(traces, differs, never=torch.inf)
    assert path.candidates[0].tolist() == candidates
    assert path.safety[0].tolist() == pytest.approx(safety)
    assert path.thresholds(level)[0] == threshold


def test_path_keeps_what_a_later_loss_makes_unsafe() -> None:
    """An answer that is right at step 1 and wrong at step 2 was no safe one to build on."""
    scores = torch.full((4, 3), 0.5)
    differs = torch.tensor([[False, True, False]] * 4)
    traces = replace(trace(Margin(0.0), ExitRecord(torch.zeros(4, 3, 2))), score=scores, differs=differs)
    path = fit_path(traces, differs, never=torch.inf)
    assert [safety.tolist() for safety in path.safety] == [[0], [0], [4 / 5]]


def test_path_of_steps_that_nobody_may_use_or_reach() -> None:
    record = pool(60, steps=6)
    policy = fit(replace(record, lengths=torch.full((60,), 4)), Margin(0.0, min_steps=3), per_step=True)
    assert isinstance(policy.rule.threshold, tuple)
    assert [policy.rule.threshold[t] for t in (0, 1, 4, 5)] == [torch.inf] * 4
