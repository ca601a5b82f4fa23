"""The Pareto set of sizes: every member meets its targets, and a plain search over all sizes finds the same set."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.sdr import design, false_negative, false_positive


def brute_force(target_fp: float, noise: float, target_fn: float, sizes: tuple[range, range, range]) -> set[tuple[int, int, int]]:
    feasible = []
    for n, a, s in itertools.product(*sizes):
        v = math.ceil(round(noise * a, 9))
        if s > a or a + v > n:
            continue
        thetas = range(1, s + 1)
        if any(false_positive(n, a, s, theta) <= target_fp and false_negative(a, s, v, theta) <= target_fn for theta in thetas):
            feasible.append((n, a, s))
    return {p for p in feasible if not any(q != p and all(x <= y for x, y in zip(q, p, strict=True)) for q in feasible)}


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([1e-1, 1e-2, 1e-3]), st.sampled_from([0.0, 0.2, 0.35]), st.sampled_from([1e-3, 0.05, 0.3]))
def test_it_is_the_whole_front(target_fp: float, noise: float, target_fn: float) -> None:
    bounds = ((8, 18), (3, 7), (1, 6))
    expected = brute_force(target_fp, noise, target_fn, tuple(range(low, high + 1) for low, high in bounds))
    if not expected:
        with pytest.raises(ValueError, match="No "):
            design(target_fp, noise, target_fn, n=bounds[0], a=bounds[1], s=bounds[2])
        return
    assert {(d.n, d.a, d.s) for d in design(target_fp, noise, target_fn, n=bounds[0], a=bounds[1], s=bounds[2])} == expected


def test_every_design_meets_its_targets() -> None:
    designs = design(1e-9, 0.2)
    assert len(designs) > 5
    assert [d.s for d in designs] == sorted(d.s for d in designs)
    for d in designs:
        assert d.v == math.ceil(round(0.2 * d.a, 9))
        assert d.false_positive == pytest.approx(false_positive(d.n, d.a, d.s, d.theta), rel=1e-11)
        assert d.false_negative == pytest.approx(false_negative(d.a, d.s, d.v, d.theta), rel=1e-11)
        assert d.margin_fp == pytest.approx(-9 - math.log10(d.false_positive), abs=1e-9)
        assert d.margin_fp >= -1e-11
        assert d.margin_fn >= -1e-11


def test_fixed_sizes_leave_the_threshold() -> None:
    (only,) = design(1e-9, 0.2, n=10000, a=300, s=30)
    assert (only.n, only.a, only.s, only.v) == (10000, 300, 30, 60)
    assert only.theta in (11, 12, 13)
    smaller = [
        min(-9 - math.log10(false_positive(10000, 300, 30, t)), -6 - math.log10(false_negative(300, 30, 60, t))) for t in (11, 12, 13)
    ]
    assert min(only.margin_fp, only.margin_fn) == pytest.approx(max(smaller), rel=1e-9)


def test_a_fixed_threshold_is_kept() -> None:
    assert {d.theta for d in design(1e-6, 0.1, theta=9, a=(20, 40), s=(9, 20))} == {9}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: design(1e-9, 0.2, n=100, a=60),
            r"allow theta <= \d+ at a=60, s=\d+, where false positives are .* above 1e-09; raise n or s",
        ),
        (lambda: design(1e-9, 1.0), "keeps false negatives <= 1e-06 with 1 of the active cells moved; lower theta"),
        (lambda: design(1e-9, 1.2), r"target_noise: expected a probability in \[0, 1\], got 1.2"),
        (lambda: design(1e-9, "much"), "target_noise: expected a probability"),
        (lambda: design(1e-9, 0.2, n=(1, 2, 3)), r"n: expected a positive number or \(smallest, largest\), got \(1, 2, 3\)"),
        (lambda: design(1e-9, 0.2, a=(20, 10**5), s=(1, 10**5)), "at most 10,000,000 pairs of a and s, got 9,998,100,000. Narrow"),
        (lambda: design(0.0, 0.2), "target_fp: expected a probability"),
        (lambda: design(1e-9, 0.2, n=(2000, 1000)), r"n: expected .* got \(2000, 1000\)"),
        (lambda: design(1e-9, 0.2, s=0), "s: expected .* got 0"),
        (lambda: design(1e-9, 0.2, a=40.5), "a: expected whole numbers"),
        (lambda: design(1e-9, float("nan")), "target_noise: expected a probability"),
    ],
)
def test_bad_input_and_empty_answers_are_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)
