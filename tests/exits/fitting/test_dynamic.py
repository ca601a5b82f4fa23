"""Thresholds per step by dynamic programming: by hand, against all thresholds of a small case, and as a nested path."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.exits import Guarantee, Margin, decide, exit_losses, fit
from dendrix.exits.fitting import dynamic
from dendrix.exits.fitting.dynamic import fit_dynamic_path
from dendrix.exits.fitting.outcomes import trace
from support.exit_records import pool


@given(seed=st.integers(0, 200), price=st.sampled_from([0.03, 0.1, 0.4]))
@settings(max_examples=25, deadline=None)
def test_last_thresholds_are_the_best_of_all(seed: int, price: float) -> None:
    """With two steps there is one decision, at step 1, and backward induction finds its best threshold; a stop costs one added loss."""
    record = pool(12, steps=2, classes=3, seed=seed)
    traces = trace(Margin(0.0), record)
    lost = traces.lost("accuracy-drop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamic, "PRICES", (price,))
        path = fit_dynamic_path(traces, lost, never=float("inf"))
    thresholds = path.thresholds(1 / (1 + price) - 1e-9)

    def cost(first: float) -> float:
        rule = Margin((first, float("inf")))
        steps = decide(rule, record).steps
        return exit_losses(rule, record).sum().item() + price * steps.sum().item() + bool((steps == 1).any())

    candidates = [0.0, *traces.score[:, 0].tolist(), float("inf")]
    assert cost(thresholds[0]) == pytest.approx(min(map(cost, candidates)))


def test_three_steps_are_no_worse_than_one_threshold() -> None:
    record, price = pool(300, steps=3, classes=4), 0.02
    traces = trace(Margin(0.0), record)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamic, "PRICES", (price,))
        path = fit_dynamic_path(traces, traces.lost("accuracy-drop"), never=float("inf"))

    def cost(rule: Margin) -> float:
        return exit_losses(rule, record).sum().item() + price * decide(rule, record).steps.sum().item()

    found = cost(Margin(path.thresholds(1 / (1 + price) - 1e-9)))
    grid = np.quantile(traces.score.numpy(), np.linspace(0, 1, 12)).tolist()
    added = 2  # losses, one for each step
    assert found <= min(cost(Margin(one)) for one in grid) + added
    assert found <= min(cost(Margin((a, b, float("inf")))) for a, b in product(grid, grid)) + added


@given(seed=st.integers(0, 50), low=st.floats(0.4, 1), high=st.floats(0.4, 1))
@settings(max_examples=20, deadline=None)
def test_path_is_nested(seed: int, low: float, high: float) -> None:
    traces = trace(Margin(0.0), pool(60, steps=5, classes=3, seed=seed))
    path = fit_dynamic_path(traces, traces.lost("accuracy-drop"), never=torch.inf)
    low, high = sorted((low, high))
    assert all(a <= b for a, b in zip(path.thresholds(low), path.thresholds(high), strict=True))
    assert torch.equal(path.level(traces.score) > high, traces.score > torch.tensor(path.thresholds(high)))


def test_certified_on_other_inputs() -> None:
    record, goal = pool(4000), Guarantee(0.02, 0.1)
    fixed, dynamic_fit = fit(record, "fixed-steps", goal), fit(record, "margin", goal, per_step="dynamic")
    assert dynamic_fit.parts == {"certification": 2000, "selection": 0, "fit": 2000}
    assert isinstance(dynamic_fit.rule.threshold, tuple)
    assert dynamic_fit.mean_steps < 11 < fixed.mean_steps
    fresh = pool(4000, seed=9)
    assert exit_losses(dynamic_fit.rule, fresh).double().mean() < 0.03
    shorter = fit(replace(record, lengths=torch.full((4000,), 9)), "margin", goal, per_step="dynamic")
    assert shorter.rule.thresholds[9:] == (float("inf"),) * 7
    with pytest.raises(ValueError, match="per_step: expected one of dynamic, isotonic"):
        fit(record, per_step="greedy")
