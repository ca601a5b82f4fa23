"""False positives and negatives: enumeration, the properties of the law, agreement of the backends, limits, bad input."""

import itertools
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.sdr import false_negative, false_positive, overlap_count, pattern_count, set_false_positive

BACKENDS = ("float64", "exact", "mpmath")


@st.composite
def urns(draw: st.DrawFn, largest: int = 400) -> tuple[int, int, int, int]:
    """(n, a, s, theta), also where theta is out of reach."""
    n = draw(st.integers(1, largest))
    a, s = draw(st.integers(0, n)), draw(st.integers(0, n))
    return n, a, s, draw(st.integers(-1, min(a, s) + 1))


def close(got: float, expected: Any) -> None:
    assert got == pytest.approx(float(expected), rel=1e-12, abs=0)


def patterns(n: int, size: int) -> list[int]:
    """All patterns of this size as bit masks."""
    return [sum(1 << bit for bit in chosen) for chosen in itertools.combinations(range(n), size)]


@pytest.mark.parametrize(("n", "a", "s"), [(12, 5, 4), (11, 8, 6), (12, 6, 6), (9, 3, 0), (8, 8, 3)])
def test_false_positive_counts_patterns(n: int, a: int, s: int) -> None:
    segment = (1 << s) - 1
    overlaps = [(pattern & segment).bit_count() for pattern in patterns(n, a)]
    for theta in range(-1, s + 2):
        share = Fraction(sum(overlap >= theta for overlap in overlaps), len(overlaps))
        assert false_positive(n, a, s, theta, backend="exact") == share
        close(false_positive(n, a, s, theta), share)
        assert overlap_count(n, a, s, max(theta, 0)) == overlaps.count(max(theta, 0))


@pytest.mark.parametrize(("n", "a", "s", "v"), [(12, 6, 4, 3), (12, 6, 6, 6), (10, 5, 3, 5), (9, 4, 4, 0)])
def test_false_negative_counts_moves(n: int, a: int, s: int, v: int) -> None:
    segment = (1 << s) - 1
    seen = [
        ((((1 << a) - 1) ^ gone | new << a) & segment).bit_count() for gone, new in itertools.product(patterns(a, v), patterns(n - a, v))
    ]
    for theta in range(-1, s + 2):
        share = Fraction(sum(overlap < theta for overlap in seen), len(seen))
        assert false_negative(a, s, v, theta, backend="exact") == share
        close(false_negative(a, s, v, theta), share)


@pytest.mark.parametrize("failure", [Fraction(1, 4), Fraction(1), Fraction(0)])
def test_failing_synapses_thin_the_overlap(failure: Fraction) -> None:
    n, a, s = 8, 4, 5
    for theta in range(-1, 6):
        reached = Fraction(0)
        for working in range(1 << s):
            chance = math.prod((1 - failure) if working >> bit & 1 else failure for bit in range(s))
            found = [(pattern & working).bit_count() >= theta for pattern in patterns(n, a)]
            reached += chance * Fraction(sum(found), len(found))
        assert false_positive(n, a, s, theta, failure=failure, backend="exact") == reached
        close(false_positive(n, a, s, theta, failure=float(failure)), reached)
        if s <= n - a:  # the same urn: n cells of the pattern, of which n - a moved
            assert false_negative(n, s, n - a, theta, failure=failure, backend="exact") == 1 - reached
            close(false_negative(n, s, n - a, theta, failure=float(failure)), 1 - reached)


@settings(deadline=None, max_examples=60)
@given(urns(), st.sampled_from([0.0, 0.125, 0.3]))
def test_backends_agree(urn: tuple[int, int, int, int], failure: float) -> None:
    n, a, s, theta = urn
    if failure:
        a, s = a % 30, s % 30
    for function, args in ((false_positive, (n, a, s, theta)), (false_negative, (n, s, a, theta))):
        exact = function(*args, failure=failure, backend="exact")
        assert isinstance(exact, Fraction)
        close(function(*args, failure=failure), exact)
        close(function(*args, failure=failure, backend="mpmath"), exact)
        logs = [float(function(*args, failure=failure, log=True, backend=backend)) for backend in BACKENDS]
        assert logs[0] == pytest.approx(logs[1], rel=1e-12, abs=1e-300)
        assert logs[2] == pytest.approx(logs[1], rel=1e-12, abs=1e-300)


@settings(deadline=None, max_examples=50)
@given(urns(100))
def test_properties(urn: tuple[int, int, int, int]) -> None:
    n, a, s, theta = urn
    assert sum(overlap_count(n, a, s, b) for b in range(s + 1)) == pattern_count(n, a)  # Vandermonde
    here = false_positive(n, a, s, theta, backend="exact")
    assert here == false_positive(n, s, a, theta, backend="exact")
    assert (here == 1) == (theta <= max(0, a + s - n))
    assert (here == 0) == (theta > min(a, s))
    assert here >= false_positive(n, a, s, theta + 1, backend="exact")
    assert here >= false_positive(n + 1, a, s, theta, backend="exact")
    assert here <= false_positive(n + 1, a + 1, s, theta, backend="exact")
    if s < n:
        assert here <= false_positive(n, a, s + 1, theta, backend="exact")
    below = sum(overlap_count(n, a, s, b) for b in range(max(theta, 0)))
    assert here + Fraction(below, pattern_count(n, a)) == 1


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 60), st.data())
def test_no_false_negative_within_the_margin(a: int, data: st.DataObject) -> None:
    s, v = data.draw(st.integers(0, a)), data.draw(st.integers(0, a))
    theta = data.draw(st.integers(1, s + 1))
    for backend in BACKENDS:
        assert (false_negative(a, s, v, theta, backend=backend) == 0) == (v <= s - theta)
        assert (false_negative(a, s, v, theta, backend=backend) == 1) == (theta > s or v - (a - s) >= s - theta + 1)


def test_settings_of_millions_of_cells_and_far_tails() -> None:
    draw = np.random.default_rng(0)
    n = (10 ** draw.uniform(2, np.log10(2e6), 60)).astype(int)
    a, s = (n * 10 ** draw.uniform(-3, -0.1, 60)).astype(int), np.minimum(draw.integers(1, 2001, 60), n)
    theta = (draw.uniform(0, 1, 60) * np.minimum(a, s)).astype(int)
    logs = false_positive(n, a, s, theta, log=True)
    with mpmath.workdps(40):
        exact = false_positive(n, a, s, theta, log=True, backend="mpmath")
    inside = logs > -450 * math.log(10)
    assert inside.sum() > 30
    assert max(abs(exact - logs)[inside]) < 2e-13
    close(logs.sum(), sum(exact))


def test_the_far_tail_that_underflows() -> None:
    assert false_positive(200_000, 2000, 300, 250) == 0
    assert false_positive(200_000, 2000, 300, 250, log=True) == pytest.approx(math.log(2.049741691501) - 450 * math.log(10), abs=1e-12)


def test_near_one_the_logarithm_keeps_its_digits() -> None:
    with mpmath.workdps(30):
        exact = false_positive(1000, 500, 200, 20, log=True, backend="mpmath")
    assert -1e-30 < exact < -1e-50
    close(false_positive(1000, 500, 200, 20, log=True), exact)
    close(false_positive(1000, 500, 200, 20, log=True, backend="exact"), exact)


def test_a_grid_equals_its_scalars() -> None:
    n, a, theta = np.array([100, 500, 64])[:, None, None], np.array([[8], [20]]), np.arange(-1, 12)
    grid = false_positive(n, a, 10, theta)
    assert grid.shape == (3, 2, 13)
    for i, j, k in np.ndindex(grid.shape):
        assert grid[i, j, k] == false_positive(int(n[i, 0, 0]), int(a[j, 0]), 10, int(theta[k]))
    exact = false_positive(n, a, 10, theta, backend="exact")
    np.testing.assert_allclose(grid, exact.astype(float), rtol=1e-13)


@settings(deadline=None, max_examples=50)
@given(urns(60), st.integers(0, 1000))
def test_sets(urn: tuple[int, int, int, int], m: int) -> None:
    single = false_positive(*urn, backend="exact")
    exact = set_false_positive(*urn, m, backend="exact")
    assert exact == 1 - (1 - single) ** m
    assert exact <= m * single
    for log in (False, True):
        reference = float(set_false_positive(*urn, m, backend="exact", log=log))
        assert set_false_positive(*urn, m, log=log) == pytest.approx(reference, rel=1e-12, abs=1e-300)
        assert float(set_false_positive(*urn, m, backend="mpmath", log=log)) == pytest.approx(reference, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_set_of_unequal_segments(backend: str) -> None:
    sizes, thresholds = [10, 12, 20], [4, 5, 9]
    silent = math.prod(1 - false_positive(200, 30, s, theta, backend="exact") for s, theta in zip(sizes, thresholds, strict=True))
    close(float(set_false_positive(200, 30, sizes, thresholds, backend=backend)), 1 - silent)
    curve = set_false_positive(np.array([[200], [300]]), 30, sizes, thresholds, backend=backend)
    assert curve.shape == (2,)
    close(float(curve[0]), 1 - silent)


def test_a_set_below_the_range_of_floats() -> None:
    single = false_positive(200_000, 2000, 300, 250, log=True)
    assert set_false_positive(200_000, 2000, 300, 250, 1000, log=True) == pytest.approx(single + math.log(1000), rel=1e-15)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: false_positive(10, 11, 5, 3), "a: expected at most n, got a=11 with n=10"),
        (lambda: false_positive(10, 5, 11, 3), "s: expected at most n, got s=11"),
        (lambda: false_positive(10.5, 5, 5, 3), "n: expected whole numbers up to 2\\^53, got 10.5"),
        (lambda: false_positive(math.nan, 5, 5, 3), "n: expected whole numbers up to 2\\^53, got nan"),
        (lambda: false_positive(2**60, 5, 5, 3), "n: expected whole numbers up to 2\\^53"),
        (lambda: false_positive(10, -1, 5, 3), "a: expected at least 0, got -1"),
        (lambda: false_positive("10", 5, 5, 3), "n: expected an integer or an array of integers, got '10'"),
        (lambda: false_positive(True, 1, 1, 1), "n: expected an integer or an array of integers, got True"),
        (lambda: false_positive([10, 20], [1, 2, 3], 5, 3), "expected shapes that broadcast, got n \\[2\\], a \\[3\\]"),
        (lambda: false_positive(np.arange(10**5)[:, None], 0, 0, np.arange(10**4)), "at most 100,000,000 settings, got 1,000,000,000"),
        (lambda: false_positive(10**12, 10**11, 10**11, 3), "expected overlaps of at most 100,000,000 cells"),
        (lambda: false_positive(10**12, 10**11, 10**11, 3, backend="exact"), "Choose another backend"),
        (lambda: false_positive(10**6, 10**4, 10**4, 3, backend="exact"), "Choose another backend"),
        (lambda: false_positive(10**5, 10**3, 10**3, 3, failure=0.1, backend="exact"), "Choose another backend"),
        (lambda: set_false_positive(10_000, 300, 30, 15, 10**5, backend="exact"), "Choose another backend"),
        (lambda: false_positive(np.arange(2 * 10**6) + 10**6, 10**6, 10**6, 3), "at most 1e.11 overlaps over all settings, got 2e.12"),
        (lambda: false_positive(10, 5, 5, 3, backend="float32"), "backend: expected one of float64, exact, mpmath, got 'float32'"),
        (lambda: false_positive(10, 5, 5, 3, failure=1.5), "failure: expected a probability in \\[0, 1\\], got 1.5"),
        (lambda: false_negative(10, 5, 11, 3), "v: expected at most a, got v=11 with a=10"),
        (lambda: false_negative(10, 11, 5, 3), "s: expected at most a, got s=11 with a=10"),
        (lambda: set_false_positive(10, 5, 5, 3, -1), "m: expected at least 0, got -1"),
        (lambda: set_false_positive(10, 5, 5, 3), "m: expected the number of segments, got None"),
    ],
)
def test_bad_input_is_one_sentence(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
