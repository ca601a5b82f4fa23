"""Verification by drawing: calibrated, deterministic, and able to find a wrong theory."""

import math
import statistics
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from dendrix.sdr import (
    false_negative,
    false_positive,
    set_false_positive,
    simulation,
    union_false_negative,
    union_false_positive,
    verification,
    verify,
)
from dendrix.sdr.simulation import count_overlaps, weigh_hits

CASES = {
    "false positive": dict(n=200, a=30, s=12, theta=4),
    "dense": dict(n=60, a=40, s=10, theta=7),
    "set": dict(n=200, a=20, s=10, theta=4, m=5),
    "union": dict(n=200, a=20, s=10, theta=6, m=5, union=True),
    "false negative": dict(n=300, a=30, s=12, theta=8, v=14),
    "false negative of a union": dict(n=300, a=30, s=12, theta=8, v=14, m=5, union=True),
}

RARE = {
    "false positive 1e-15": dict(n=10000, a=300, s=30, theta=15),
    "false positive, all synapses": dict(n=20000, a=300, s=10, theta=10),
    "union 8e-16": dict(n=20000, a=200, s=25, theta=15, m=3, union=True),
    "false negative 3e-16": dict(n=6000, a=128, s=30, theta=8, v=26),
    "false negative of a union 2e-8": dict(n=2000, a=100, s=30, theta=12, v=26, m=2, union=True),
}


def standardised(values: list[float]) -> tuple[float, float]:
    return statistics.mean(values), statistics.variance(values)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_z_has_no_bias_and_unit_variance(case: dict[str, int]) -> None:
    runs = [verify(**case, draws=2500, seed=seed, sampling="plain") for seed in range(200)]
    mean, variance = standardised([run.z for run in runs])
    assert abs(mean) < 3 / math.sqrt(200)
    assert abs(variance - 1) < 3 * math.sqrt(2 / 199)
    covered = sum(run.low <= run.exact <= run.high for run in runs)
    assert 180 <= covered <= 199


@pytest.mark.parametrize("case", RARE.values(), ids=RARE)
def test_importance_sampling_is_calibrated(case: dict[str, int]) -> None:
    runs = [verify(**case, draws=2000, seed=seed) for seed in range(100)]
    assert {run.sampling for run in runs} == {"tilted"}
    mean, variance = standardised([run.z for run in runs])
    assert abs(mean) < 0.4  # z of skewed weights leans to below: the error is underestimated where the estimate is low
    assert 0.6 < variance < 1.6
    covered = sum(run.low <= run.exact <= run.high for run in runs)
    assert 88 <= covered <= 99
    together = statistics.mean(run.estimate for run in runs)
    error = statistics.stdev(run.estimate for run in runs) / math.sqrt(100)
    assert abs(together - runs[0].exact) < 3.5 * error


HARDER = {"false negative of many patterns 2e-12": dict(n=2000, a=100, s=30, theta=12, v=22, m=5, union=True)}


@pytest.mark.parametrize("case", (RARE | HARDER).values(), ids=RARE | HARDER)
def test_a_hundred_thousand_draws_give_two_digits(case: dict[str, int]) -> None:
    run = verify(**case, draws=100_000)
    assert run.sampling == "tilted"
    assert run.relative_error < 0.05
    assert abs(run.z) < 4
    assert "agree:" in run.verdict


def test_tilted_and_plain_drawing_agree_where_both_can_see() -> None:
    for case in (CASES["false positive"], CASES["union"], CASES["false negative"], CASES["false negative of a union"]):
        plain, tilted = (verify(**case, draws=50_000, sampling=sampling) for sampling in ("plain", "tilted"))
        assert abs(plain.z) < 4
        assert abs(tilted.z) < 4


def test_every_overlap_comes_up_as_often_as_it_should() -> None:
    n, a, s, draws = 40, 10, 8, 200_000
    counts = count_overlaps(n, a, s, 0, 1, False, False, draws, np.random.default_rng(0))
    exact = [Fraction(comb(s, b) * comb(n - s, a - b), comb(n, a)) for b in range(a + 1)]
    assert counts.sum() == draws
    chi_square = sum((count - draws * p) ** 2 / (draws * p) for count, p in zip(counts.tolist(), map(float, exact), strict=True) if p)
    assert chi_square < 26  # 8 degrees of freedom: one in a thousand


def test_loops_do_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def both() -> tuple[list[int], tuple[int, float, float]]:
        counts = count_overlaps(50, 12, 8, 4, 3, True, True, 1100, np.random.default_rng(3))
        return counts.tolist(), weigh_hits(50, 12, 8, 4, 3, 5, True, (0.3, 0.2), 1100, np.random.default_rng(3))

    counts, (hits, total, squares) = both()
    monkeypatch.setattr(simulation, "compiled", lambda loop: loop)
    assert both() == (counts, (hits, pytest.approx(total, rel=1e-12), pytest.approx(squares, rel=1e-12)))


@pytest.mark.parametrize(
    ("case", "published", "draws"),
    [
        (dict(n=300, a=128, s=24, theta=12), 0.292048, 200_000),
        (dict(n=500, a=256, s=24, theta=12), 0.629267, 200_000),
        (dict(n=700, a=256, s=24, theta=12), 0.121048, 200_000),
        (dict(n=6000, a=128, s=30, theta=12, v=64), 0.0716827, 200_000),
        (dict(n=6000, a=128, s=30, theta=12, v=77), 0.426699, 200_000),
    ],
)
def test_published_simulations_are_reproduced(case: dict[str, int], published: float, draws: int) -> None:
    """Ahmad & Hawkins, arXiv 1601.00720, figures 4A and 4B, 1e8 comparisons each."""
    run = verify(**case, draws=draws)
    assert abs(run.estimate - published) < 4 * run.relative_error * run.estimate
    assert abs(run.z) < 4


def test_the_exact_value_is_that_of_the_theory() -> None:
    assert verify(200, 30, 12, 4, draws=10).exact == pytest.approx(false_positive(200, 30, 12, 4), rel=1e-14)
    assert verify(200, 30, 12, 4, m=7, draws=10).exact == set_false_positive(200, 30, 12, 4, 7)
    assert verify(200, 30, 12, 9, m=7, union=True, draws=10).exact == union_false_positive(200, 30, 12, 9, 7)
    assert verify(200, 30, 12, 9, v=9, draws=10).exact == false_negative(30, 12, 9, 9)
    assert verify(200, 30, 12, 9, v=9, m=4, union=True, draws=10).exact == union_false_negative(200, 30, 12, 9, 9, 4)


@pytest.mark.parametrize(("sampling", "theta"), [("plain", 4), ("tilted", 9)])
def test_a_theory_that_is_off_by_a_tenth_is_found_out(monkeypatch: pytest.MonkeyPatch, sampling: str, theta: int) -> None:
    monkeypatch.setattr(verification, "set_false_positive", lambda *sizes: 1.1 * set_false_positive(*sizes))
    run = verify(200, 30, 12, theta, draws=100_000, sampling=sampling)
    assert run.z < -4
    assert "disagree:" in run.verdict


def test_the_same_seed_gives_the_same_result() -> None:
    first = verify(200, 30, 12, 4, draws=5000, seed=7)
    assert verify(200, 30, 12, 4, draws=5000, seed=7) == first
    assert verify(200, 30, 12, 4, draws=5000, seed=8).hits != first.hits


@pytest.mark.parametrize(
    ("case", "exact"),
    [
        (dict(n=100, a=10, s=5, theta=6), 0.0),
        (dict(n=100, a=10, s=5, theta=0), 1.0),
        (dict(n=100, a=10, s=5, theta=-2), 1.0),
        (dict(n=20, a=18, s=5, theta=3), 1.0),
        (dict(n=100, a=10, s=5, theta=3, v=2), 0.0),
        (dict(n=100, a=10, s=5, theta=3, v=8), 1.0),
        (dict(n=100, a=10, s=5, theta=0, v=8), 0.0),
        (dict(n=100, a=10, s=5, theta=3, v=2, m=4, union=True), 0.0),
    ],
)
def test_certain_and_impossible_events(case: dict[str, int], exact: float) -> None:
    run = verify(**case, draws=2000)
    assert (run.estimate, run.exact, run.z) == (exact, exact, 0.0)
    assert run.low <= exact <= run.high


def test_too_few_draws_say_so() -> None:
    run = verify(10000, 300, 30, 15, draws=1000, sampling="plain")
    assert run.hits == 0
    assert math.isinf(run.relative_error)
    assert run.verdict.startswith("No hit in 1000 draws: the probability is at most 0.0038")


def test_uneven_weights_give_no_verdict() -> None:
    run = verify(10000, 300, 30, 15, draws=20)
    assert run.hits > 1
    assert run.relative_error > 0.2
    assert run.verdict.startswith("Inconclusive: a few of the")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(n=100.5), "n: expected whole numbers"),
        (dict(theta=float("nan")), "theta: expected whole numbers"),
        (dict(v=2.5), "v: expected whole numbers"),
        (dict(v=-1), "v: expected at least 0"),
        (dict(a=101), "a, s: expected at most n, got n=100, a=101"),
        (dict(s=101), "a, s: expected at most n"),
        (dict(s=11, v=2), "at most a=10 synapses, one per active cell"),
        (dict(v=11), "at most a=10 active cells and .* got 11"),
        (dict(a=98, v=3), "at most a=98 active cells and n - a = 2 inactive ones, got 3"),
        (dict(v=2, m=3), "one segment or a union for false negatives, got a set of 3"),
        (dict(m=0), "m: expected at least 1"),
        (dict(draws=0), "draws: expected at least 1"),
        (dict(seed=-1), "seed: expected at least 0, got -1"),
        (dict(seed=1.5), "seed: expected whole numbers"),
        (dict(n=10**9), "at most 100000000 cells in a simulation, .* got 1000000000"),
        (dict(m=10**6, draws=10**6), "at most 1e[+]11 synapses in all, .* Lower draws or m"),
        (dict(m=3, sampling="tilted"), "for a set of 3 segments, got tilted"),
        (dict(sampling="titled"), "sampling: expected auto, plain or tilted, got 'titled'"),
        (dict(a=[10, 20]), "one setting at a time"),
    ],
)
def test_bad_input_is_one_sentence(changes: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        verify(**{**dict(n=100, a=10, s=5, theta=3, draws=10), **changes})
    assert "\n" not in str(error.value)
