"""Correlated patterns: what the generator makes, and how far they leave the theory."""

from math import comb

import numpy as np
import pytest

from dendrix.sdr import correlated_patterns, false_negative, false_positive, verify_correlated


def clustered_false_positive(n: int, a: int, s: int, theta: int, cluster: int) -> float:
    """Exact: two patterns share a hypergeometric number of clusters, and the segment samples the second pattern."""
    total, active = n // cluster, a // cluster
    shared = [comb(active, k) * comb(total - active, active - k) / comb(total, active) for k in range(active + 1)]
    return sum(p * (1 - false_negative(a, s, a - cluster * k, theta)) for k, p in enumerate(shared))


def test_patterns_are_whole_clusters_in_random_order() -> None:
    patterns = correlated_patterns(120, 24, 4, 3000, np.random.default_rng(0))
    assert patterns.shape == (3000, 24)
    sorted_cells = np.sort(patterns, axis=1).reshape(3000, 6, 4)
    assert (sorted_cells % 4 == np.arange(4)).all()
    assert (np.diff(sorted_cells[:, :, 0], axis=1) > 0).all()
    assert np.bincount(patterns.ravel(), minlength=120) / 3000 == pytest.approx(np.full(120, 0.2), abs=0.035)
    assert np.bincount(patterns[:, 0], minlength=120).max() < 55  # a first column in order would favour low cells


@pytest.mark.parametrize(
    ("n", "a", "s", "theta", "cluster"), [(400, 40, 20, 6, 1), (400, 40, 20, 6, 2), (400, 40, 20, 6, 4), (2000, 32, 20, 10, 8)]
)
def test_the_rate_is_that_of_shared_clusters(n: int, a: int, s: int, theta: int, cluster: int) -> None:
    exact = clustered_false_positive(n, a, s, theta, cluster)
    run = verify_correlated(n, a, s, theta, cluster, draws=200_000)
    assert abs(run.estimate - exact) < 4 * np.sqrt(exact / 200_000)
    assert run.independent == false_positive(n, a, s, theta)
    assert run.ratio == run.estimate / run.independent


def test_the_report_says_where_the_theory_holds() -> None:
    assert "the difference is not significant" in verify_correlated(400, 40, 20, 6, 1, draws=20_000).verdict
    report = verify_correlated(400, 40, 20, 6, 4, draws=20_000)
    assert report.ratio > 6
    assert "does not apply to these patterns" in report.verdict


def test_the_same_seed_gives_the_same_result() -> None:
    assert verify_correlated(400, 40, 20, 6, 4, draws=9000, seed=5) == verify_correlated(400, 40, 20, 6, 4, draws=9000, seed=5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(cluster=3), "n and a: expected multiples of the cluster size, got n=100, a=20, cluster=3"),
        (dict(cluster=0), "cluster: expected at least 1"),
        (dict(cluster=2.5), "cluster: expected whole numbers"),
        (dict(a=200), "a: expected at most n, got n=100, a=200"),
        (dict(s=21), "at most a=20 synapses for a segment that learned a pattern, got 21"),
        (dict(draws=0), "draws: expected at least 1"),
        (dict(seed=-1), "seed: expected at least 0, got -1"),
        (dict(n=10**12), "at most 100,000,000 cells per call, got n=1,000,000,000,000"),
    ],
)
def test_bad_input_is_one_sentence(changes: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        verify_correlated(**{**dict(n=100, a=20, s=10, theta=5, cluster=4, draws=10), **changes})
