"""Unions: enumeration, the mixture over union sizes, properties, agreement of the backends, bad input."""

import itertools
import math
import tracemalloc
from collections import Counter
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.sdr import false_negative, false_positive, union_false_negative, union_false_positive, union_size
from dendrix.sdr.unions import MODES

BACKENDS = ("float64", "exact", "mpmath")


def close(got: float, expected: Any) -> None:
    assert got == pytest.approx(float(expected), rel=1e-12, abs=0)


def patterns(n: int, size: int) -> list[int]:
    """All patterns of this size as bit masks."""
    return [sum(1 << bit for bit in chosen) for chosen in itertools.combinations(range(n), size)]


def unions(n: int, sizes: list[int]) -> Counter[int]:
    """How often each union occurs among all choices of patterns of these sizes."""
    found: Counter[int] = Counter({0: 1})
    for size in sizes:
        found, before = Counter(), found
        for union, pattern in itertools.product(before, patterns(n, size)):
            found[union | pattern] += before[union]
    return found


@pytest.mark.parametrize(("n", "a", "sizes"), [(12, 4, [3, 3]), (8, 4, [2, 2, 2]), (8, 3, [1, 4, 2]), (7, 7, [3, 5]), (6, 2, [3])])
def test_false_positive_and_size_count_unions(n: int, a: int, sizes: list[int]) -> None:
    found = unions(n, sizes)
    total = found.total()
    size = Fraction(sum(union.bit_count() * times for union, times in found.items()), total)
    assert union_size(n, sizes, backend="exact") == size
    close(union_size(n, sizes), size)
    probe = (1 << a) - 1
    for theta in range(-1, a + 2):
        share = Fraction(sum(times for union, times in found.items() if (union & probe).bit_count() >= theta), total)
        assert union_false_positive(n, a, sizes, theta, backend="exact") == share
        close(union_false_positive(n, a, sizes, theta), share)
        if len(set(sizes)) == 1:
            assert union_false_positive(n, a, sizes[0], theta, len(sizes), backend="exact") == share


@pytest.mark.parametrize(("n", "a", "sizes", "v"), [(9, 4, [3, 3], 2), (7, 3, [2, 1, 3], 3), (8, 4, [4], 3)])
def test_false_negative_counts_moves(n: int, a: int, sizes: list[int], v: int) -> None:
    own = (1 << sizes[0]) - 1
    found = unions(n, sizes[1:])
    overlaps: Counter[int] = Counter()
    for gone, new in itertools.product(patterns(a, v), patterns(n - a, v)):
        noisy = ((1 << a) - 1) ^ gone | new << a
        for union, times in found.items():
            overlaps[((own | union) & noisy).bit_count()] += times
    for theta in range(-1, a + 2):
        share = Fraction(sum(times for overlap, times in overlaps.items() if overlap < theta), overlaps.total())
        assert union_false_negative(n, a, sizes, v, theta, backend="exact") == share, theta
        close(union_false_negative(n, a, sizes, v, theta), share)


def occupancy(n: int, s: int, m: int) -> list[Fraction]:
    """P[the union of m patterns of s cells has u cells], by adding one pattern at a time."""
    law = [Fraction(1)] + [Fraction(0)] * n
    for _ in range(m):
        law = [
            sum(
                (
                    law[u] * Fraction(math.comb(n - u, w - u) * math.comb(u, s - w + u), math.comb(n, s))
                    for u in range(max(0, w - s), w + 1)
                ),
                Fraction(0),
            )
            for w in range(n + 1)
        ]
    return law


@pytest.mark.parametrize(("n", "a", "s", "theta", "m"), [(30, 8, 5, 4, 3), (40, 10, 6, 7, 4), (25, 25, 4, 9, 3), (20, 6, 12, 6, 2)])
def test_the_chain_is_the_mixture_over_union_sizes(n: int, a: int, s: int, theta: int, m: int) -> None:
    mixture = sum(share * false_positive(n, a, u, theta, backend="exact") for u, share in enumerate(occupancy(n, s, m)))
    assert union_false_positive(n, a, s, theta, m, backend="exact") == mixture
    assert union_size(n, s, m, backend="exact") == sum(share * u for u, share in enumerate(occupancy(n, s, m)))


@st.composite
def unions_of_one_size(draw: st.DrawFn) -> dict[str, int]:
    n = draw(st.integers(1, 30))
    a, s, m = draw(st.integers(0, n)), draw(st.integers(0, n)), draw(st.integers(1, 4))
    return dict(n=n, a=a, s=s, theta=draw(st.integers(-1, min(a, s * m) + 1)), m=m)


@pytest.mark.parametrize(
    ("n", "a", "s", "theta", "m", "mode"),
    [(4, 1, 1, 1, 1, "plugin_real"), (27, 1, 1, 1, 1, "plugin_real"), (8, 1, 2, 1, 2, "plugin_round")],
)
def test_sizes_that_are_whole_or_half_are_not_rounded_down(n: int, a: int, s: int, theta: int, m: int, mode: str) -> None:
    exact = union_false_positive(n, a, s, theta, m, mode=mode, backend="exact")
    for backend in ("float64", "mpmath"):
        assert float(union_false_positive(n, a, s, theta, m, mode=mode, backend=backend)) == pytest.approx(float(exact), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(unions_of_one_size(), st.sampled_from(MODES), st.sampled_from([0.0, 0.25]), st.data())
def test_backends_agree(setting: dict[str, int], mode: str, failure: float, data: st.DataObject) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = [(union_false_positive, setting | dict(mode=mode, failure=failure))]
    n, a, s = setting["n"], setting["a"], setting["s"]
    if s <= a:
        calls.append((union_false_negative, setting | dict(v=data.draw(st.integers(0, min(a, n - a))), failure=failure)))
    for function, arguments in calls:
        exact, log = (function(**arguments, backend="exact", log=log) for log in (False, True))
        assert isinstance(exact, Fraction)
        assert 0 <= exact <= 1
        for backend in ("float64", "mpmath"):
            assert float(function(**arguments, backend=backend)) == pytest.approx(float(exact), rel=1e-12, abs=0)
            assert float(function(**arguments, backend=backend, log=True)) == pytest.approx(log, rel=1e-12, abs=3e-16)


@settings(deadline=None, max_examples=40)
@given(unions_of_one_size(), st.data())
def test_properties(setting: dict[str, int], data: st.DataObject) -> None:
    n, a, s, theta, m = (setting[name] for name in ("n", "a", "s", "theta", "m"))
    exact = union_false_positive(n, a, s, theta, m, backend="exact")
    assert union_false_positive(n, a, s, theta, 1, backend="exact") == false_positive(n, a, s, theta, backend="exact")
    assert exact <= union_false_positive(n, a, s, theta, m + 1, backend="exact")
    assert union_false_positive(n, a, s, theta, 0, backend="exact") == (theta <= 0)
    assert union_size(n, s, m, backend="exact") <= min(n, s * m)
    if s <= a:
        v = data.draw(st.integers(0, min(a, n - a)))
        missed = union_false_negative(n, a, s, v, theta, m, backend="exact")
        assert union_false_negative(n, a, s, v, theta, 1, backend="exact") == false_negative(a, s, v, theta, backend="exact")
        assert missed >= union_false_negative(n, a, s, v, theta, m + 1, backend="exact")
        assert missed == 0 or v > s - theta


@pytest.mark.parametrize(("m", "expected"), [(1, 0.0411793885097556), (5, 0.0153374692218921), (10, 0.00433757279911959)])
def test_other_patterns_help_the_noisy_one(m: int, expected: float) -> None:
    assert union_false_negative(2000, 40, 20, 12, 12, m) == pytest.approx(expected, rel=1e-12)


def test_many_patterns_and_far_tails() -> None:
    cases: list[tuple[Any, dict[str, int]]] = [
        (union_false_positive, dict(n=200_000, a=200, s=20, theta=20, m=10_000)),
        (union_false_positive, dict(n=2_000_000, a=40, s=20, theta=20, m=10_000)),
        (union_false_positive, dict(n=10**10, a=100, s=60, theta=45, m=2)),
        (union_false_negative, dict(n=3385, a=1000, s=12, v=797, theta=6, m=6555)),
        (union_false_negative, dict(n=2000, a=1000, s=950, v=900, theta=20, m=3)),
    ]
    for function, case in cases:
        with mpmath.workdps(30):
            exact = function(**case, log=True, backend="mpmath")
        assert function(**case, log=True) == pytest.approx(float(exact), rel=3e-15), case


def test_large_patterns_take_little_memory() -> None:
    tracemalloc.start()
    missed = 1 - union_false_positive(10**7, 200, 10**6, 30, 3)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    # So many cells are nearly independent of each other.
    share = 1 - 0.9**3
    alike = sum(math.comb(200, b) * share**b * (1 - share) ** (200 - b) for b in range(30))
    assert missed == pytest.approx(alike, rel=1e-2)


def test_grids_equal_their_scalars() -> None:
    theta, m = np.arange(0, 6), np.array([[1], [4]])
    grid = union_false_positive(100, 20, 8, theta, m)
    misses = union_false_negative(100, 20, 8, 5, theta, m)
    for i, j in np.ndindex(2, 6):
        assert grid[i, j] == union_false_positive(100, 20, 8, int(theta[j]), int(m[i, 0]))
        assert misses[i, j] == union_false_negative(100, 20, 8, 5, int(theta[j]), int(m[i, 0]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_size_in_every_backend(backend: str) -> None:
    sizes = union_size(np.array([20_000, 1000]), 25, 10, backend=backend)
    assert sizes.shape == (2,)
    close(float(sizes[0]), 248.598427261459)
    logs = union_size(np.array([20_000, 1000]), 25, 10, backend=backend, log=True)
    close(float(logs[0]), math.log(248.598427261459))
    assert union_size(10, 10, 3, backend=backend) == 10
    assert union_size(10, 0, 3, backend=backend) == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: union_size(10, 11, 2), "s: expected at most n, got s=11 with n=10"),
        (lambda: union_size(0, 0, 2), "n: expected at least 1 cell"),
        (lambda: union_size(10, 5), "s: expected a list of sizes if m is None, got 5"),
        (lambda: union_false_positive(10, 5, [], 2), "s: expected a list of sizes if m is None"),
        (lambda: union_false_positive(10, 5, 5, 2, 2, "average"), "mode: expected one of exact, plugin_round, plugin_real, bloom"),
        (lambda: union_false_positive(10**6, 5000, 500, 2500, 20), "expected theta up to 2,000 for a union, got 2,500"),
        (lambda: union_false_positive(10**6, 500, 500, 25, 10**7, backend="exact"), "Choose another backend"),
        (lambda: union_false_positive(10_000, 200, 25, 60, 1000, backend="exact"), "Choose another backend"),
        (lambda: union_false_positive(10_000, 300, 25, 300, 1000, backend="mpmath"), "Choose another backend"),
        (lambda: union_false_negative(10, 5, 4, 6, 2, 2), "v: expected at most a, got v=6 with a=5"),
        (lambda: union_false_negative(10, 8, 4, 3, 2, 2), "v: expected at most n - a, got v=3 with n - a=2"),
        (lambda: union_false_negative(10, 4, 5, 3, 2, 2), "s: expected at most a, got s=5 with a=4"),
        (lambda: union_false_negative(10, 5, 4, 3, 2, 0), "m: expected at least 1 pattern, got 0"),
    ],
)
def test_bad_input_is_one_sentence(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
