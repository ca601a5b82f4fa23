"""Inverse problems: reference answers, round trips through the probabilities, and empty answers."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dendrix.sdr import (
    false_negative,
    false_positive,
    max_noise,
    max_set,
    min_n,
    min_s,
    set_false_positive,
    union_capacity,
    union_false_positive,
)

targets = st.floats(1e-15, 0.5)


@pytest.mark.parametrize(
    ("a", "s", "theta", "target", "n"), [(64, 24, 12, 1e-12, 1963), (300, 30, 15, 1e-15, 10033), (40, 20, 10, 1e-9, 922)]
)
def test_min_n_reference(a: int, s: int, theta: int, target: float, n: int) -> None:
    assert min_n(a, s, theta, target) == n


@pytest.mark.parametrize(("target", "s"), [(1e-9, 16), (1e-12, 22), (1e-15, 26)])
def test_min_s_reference(target: float, s: int) -> None:
    assert min_s(10000, 200, target, fraction=0.5, multiple_of=2) == s


@pytest.mark.parametrize(("a", "target", "v"), [(300, 1e-6, 70), (128, 1e-3, 47)])
def test_max_noise_reference(a: int, target: float, v: int) -> None:
    assert max_noise(a, 30, 12, target) == v


def test_max_set_reference() -> None:
    assert max_set(10000, 300, 30, 15, 1e-9) == 953114


@pytest.mark.parametrize(
    ("n", "a", "s", "theta", "target", "m"),
    [(20000, 200, 25, 15, 1e-9, 7), (20000, 100, 25, 15, 1e-9, 15), (20000, 100, 25, 15, 1e-12, 9), (10000, 200, 20, 12, 1e-6, 5)],
)
def test_union_capacity_reference(n: int, a: int, s: int, theta: int, target: float, m: int) -> None:
    assert union_capacity(n, a, s, theta, target) == m


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 12), st.floats(1e-12, 0.5))
def test_min_n_is_the_edge(a: int, s: int, theta: int, target: float) -> None:
    assume(theta <= min(a, s))
    n = min_n(a, s, theta, target)
    assert false_positive(n, a, s, theta) <= target * (1 + 1e-11)
    assert n == max(a, s) or false_positive(n - 1, a, s, theta) > target


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(1, 30), st.integers(1, 30), st.integers(0, 5000))
def test_min_n_finds_back_the_n_whose_error_is_the_target(a: int, s: int, theta: int, more: int) -> None:
    assume(theta <= min(a, s))
    n = max(a, s) + more
    target = false_positive(n, a, s, theta)
    assume(0 < target < 0.99)
    assert min_n(a, s, theta, target) == n


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(1, 30), st.integers(1, 30), targets)
def test_max_noise_is_the_edge(a: int, s: int, theta: int, target: float) -> None:
    assume(theta <= s <= a)
    v = max_noise(a, s, theta, target)
    assert s - theta <= v
    assert false_negative(a, s, v, theta) <= target * (1 + 1e-11)
    assert v == a or false_negative(a, s, v + 1, theta) > target


@settings(max_examples=40)
@given(st.integers(100, 5000), st.integers(1, 60), st.integers(1, 30), st.integers(1, 10), targets)
def test_max_set_is_the_edge(n: int, a: int, s: int, theta: int, target: float) -> None:
    assume(1e-10 < false_positive(n, a, s, theta) <= target)
    m = max_set(n, a, s, theta, target)
    assert set_false_positive(n, a, s, theta, m) <= target * (1 + 1e-11)
    assert set_false_positive(n, a, s, theta, m + 1) > target


@settings(max_examples=25)
@given(st.integers(100, 2000), st.integers(5, 40), st.integers(1, 20), st.integers(1, 8), targets)
def test_union_capacity_is_the_edge(n: int, a: int, s: int, theta: int, target: float) -> None:
    assume(theta <= a and false_positive(n, a, s, theta) <= target)
    m = union_capacity(n, a, s, theta, target)
    assert union_false_positive(n, a, s, theta, m) <= target * (1 + 1e-11)
    assert union_false_positive(n, a, s, theta, m + 1) > target


@settings(max_examples=25)
@given(st.integers(100, 3000), st.integers(2, 40), st.sampled_from([0.3, 0.5, 0.7, 0.9]), st.integers(0, 6), targets)
def test_min_s_is_the_first_of_all(n: int, a: int, fraction: float, v: int, target: float) -> None:
    assume(v <= a)
    tenths = round(10 * fraction)
    sizes = [
        s
        for s in range(1, a + 1)
        if false_positive(n, a, s, theta := -(-tenths * s // 10)) <= target and false_negative(a, s, v, theta) <= 0.1
    ]
    assume(sizes)
    assert min_s(n, a, target, fraction=fraction, v=v, target_fn=0.1) == sizes[0]


def test_min_s_at_a_fixed_threshold_is_set_by_the_false_negatives() -> None:
    s = min_s(10000, 300, 1e-9, theta=12, v=60, target_fn=1e-6)
    assert false_negative(300, s, 60, 12) <= 1e-6 < false_negative(300, s - 1, 60, 12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: min_n(40, 20, 0, 1e-9), "No n up to .* raise theta"),
        (lambda: min_s(1000, 100, 1e-12, theta=5, v=20, target_fn=1e-9), r"<= 1e-12 hold within s=1\.\.4, .* within s=\d+\.\.100; raise n"),
        (lambda: min_s(1000, 100, 1e-300, fraction=0.1), "hold for no s.*; raise n"),
        (lambda: min_s(1000, 100, 1e-9, fraction=float("nan")), r"fraction: expected a probability in \[0, 1\], got nan"),
        (lambda: min_s(1000, 100, 1e-9, fraction=5), r"fraction: expected a probability in \[0, 1\], got 5"),
        (lambda: min_s(1000, 100, 1e-9, theta=[5, 6]), "theta: expected one setting at a time"),
        (lambda: min_s(1000, 100, 1e-9), "theta, fraction: expected exactly one of the two"),
        (lambda: min_s(1000, 100, 1e-9, theta=5, fraction=0.5), "theta, fraction: expected exactly one of the two"),
        (lambda: min_s(1000, 100, 1e-9, theta=5, multiple_of=101), "multiple_of: expected .* got 101"),
        (lambda: max_noise(40, 20, 21, 1e-3), "never reach theta=21; lower theta"),
        (lambda: max_set(300, 64, 24, 12, 1e-9), "One segment alone has false positives 0.00109, above the target 1e-09; raise theta"),
        (lambda: max_set(300, 64, 24, 25, 1e-9), "No limit below 2"),
        (lambda: union_capacity(300, 64, 24, 12, 1e-9), "One segment alone"),
        (lambda: union_capacity(300, 20, 24, 21, 1e-9), "No limit below 2"),
        (lambda: union_capacity(300, 64, 24, 12, 1.0), "No limit below 2"),
        (lambda: min_n(40.5, 20, 10, 1e-9), "a: expected whole numbers"),
        (lambda: min_n(40, 20, 10, 0), "target_fp: expected a probability"),
        (lambda: max_set(40, 50, 20, 10, 1e-9), "a: expected at most n"),
        (lambda: max_noise(20, 40, 10, 1e-9), "s: expected at most a"),
    ],
)
def test_bad_input_and_empty_answers_are_one_sentence(call: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        call()
    assert "\n" not in str(error.value)
