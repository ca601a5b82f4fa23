"""Thresholds: reference windows, brute-force agreement, ties and empty windows."""

import math

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dendrix.sdr import ThetaWindow, best_theta, false_negative, false_positive, max_theta, min_theta, theta_window


@pytest.mark.parametrize(
    ("n", "a", "s", "v", "target_fp", "target_fn", "low", "high"),
    [(10000, 300, 30, 60, 1e-9, 1e-6, 11, 13), (2048, 40, 20, 8, 1e-9, 1e-3, 9, 12), (6000, 128, 30, 38, 1e-10, 1e-4, 11, 13)],
)
def test_theta_window_reference(n: int, a: int, s: int, v: int, target_fp: float, target_fn: float, low: int, high: int) -> None:
    assert theta_window(n, a, s, v, target_fp, target_fn) == ThetaWindow(low, high)


def test_best_theta_reference() -> None:
    best = best_theta(10000, 300, 30, 60)
    assert (best.min_theta, best.max_theta) == (11, 11)
    assert 2 * best.error == pytest.approx(4.29164344875892e-9, rel=1e-12)
    assert best.false_positive + best.false_negative == pytest.approx(2 * best.error, rel=1e-12)


@settings(max_examples=60)
@example(20, 24, 24, 20, 0.5, 0.5)  # thresholds 1 to 4 and 24 tie, those between are worse
@given(st.integers(2, 300), st.integers(1, 60), st.integers(1, 25), st.integers(0, 60), st.floats(1e-9, 0.5), st.floats(1e-9, 0.5))
def test_window_and_best_against_every_threshold(more: int, a: int, s: int, v: int, target_fp: float, target_fn: float) -> None:
    assume(s <= a and v <= a)
    n = a + more
    positives = {theta: false_positive(n, a, s, theta) for theta in range(1, s + 1)}
    negatives = {theta: false_negative(a, s, v, theta) for theta in range(1, s + 1)}
    low = next((theta for theta, error in positives.items() if error <= target_fp), None)
    high = max((theta for theta, error in negatives.items() if error <= target_fn), default=None)
    if low is None or high is None or low > high:
        with pytest.raises(ValueError, match=r"even at theta|No theta meets both"):
            theta_window(n, a, s, v, target_fp, target_fn)
    else:
        assert theta_window(n, a, s, v, target_fp, target_fn) == ThetaWindow(low, high)
    for prior in (0.5, 0.01):
        least = min((1 - prior) * positives[theta] + prior * negatives[theta] for theta in positives)
        best = best_theta(n, a, s, v, prior)
        assert best.error == pytest.approx(least, rel=1e-11)
        for theta in range(best.min_theta, best.max_theta + 1):
            assert (1 - prior) * positives[theta] + prior * negatives[theta] == pytest.approx(least, rel=1e-11)


def test_ties_are_an_interval() -> None:
    # every cell is active, so any theta matches; without noise none misses
    best = best_theta(8, 8, 4, 0)
    assert (best.min_theta, best.max_theta, best.error) == (1, 4, 0.5)


def test_the_prior_moves_the_threshold() -> None:
    rare, frequent = best_theta(1000, 100, 24, 40, prior=1e-6), best_theta(1000, 100, 24, 40, prior=1 - 1e-6)
    assert rare.min_theta > frequent.max_theta
    assert math.isclose(rare.error, (1 - 1e-6) * rare.false_positive + 1e-6 * rare.false_negative, rel_tol=1e-11)


def test_an_empty_window_states_both_bounds() -> None:
    with pytest.raises(
        ValueError, match=r"false positives <= 1e-13 need theta >= 14, false negatives <= 1e-06 need theta <= 13; raise s or n"
    ):
        theta_window(10000, 300, 30, 60, 1e-13, 1e-6)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: min_theta(100, 50, 4, 1e-9), "even at theta=4, the largest overlap, above 1e-09; raise n or s"),
        (lambda: max_theta(40, 4, 40, 1e-9), "even at theta=1, above 1e-09; lower v=40"),
        (lambda: best_theta(2048, 40, 20, 8, prior=1.0), "prior: expected a number in \\(0, 1\\), got 1.0"),
        (lambda: best_theta(2048, 40, 20, 8, prior=float("nan")), "prior: expected a probability"),
        (lambda: theta_window(2048, 40, 20, 41, 0.1, 0.1), "v: expected at most a"),
        (lambda: theta_window(2048, 40, 20, 8.5, 0.1, 0.1), "v: expected whole numbers"),
        (lambda: min_theta(2048, float("nan"), 20, 0.1), "a: expected whole numbers"),
        (lambda: min_theta(2048, 0, 20, 0.1), "a: expected at least 1, got 0"),
        (lambda: max_theta(40, 0, 8, 0.1), "s: expected at least 1, got 0"),
        (lambda: max_theta(40, 20, 8, 0), "target_fn: expected a probability"),
    ],
)
def test_bad_input_is_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)
