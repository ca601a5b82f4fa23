"""Tests for pairs, against hand counts and scipy."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from dendrix.reproduce.studies.paired import cell_test, clip_test, holm


def test_only_clips_that_differ_count() -> None:
    one = np.array([True] * 8 + [False] * 2 + [True] * 50 + [False] * 40)
    other = np.array([False] * 8 + [True] * 2 + [True] * 50 + [False] * 40)
    assert clip_test(one, other) == (8, 2, pytest.approx(2 * (1 + 10 + 45) / 2**10))
    assert clip_test(one, one) == (0, 0, 1.0)
    with pytest.raises(ValueError, match="same 100 clips, got 99"):
        clip_test(one, other[1:])


def test_pairs_of_one_sign_give_the_smallest_p_that_there_is() -> None:
    assert cell_test([0.5, 1, 2, 0.1, 3, 0.2]) == 2 / 2**6
    assert cell_test([-1] * 10) == 2 / 2**10
    assert cell_test([0, 0, 0]) == 1
    with pytest.raises(ValueError, match="at least one pair"):
        cell_test([])


@pytest.mark.parametrize("pairs", [7, 16, 25])
def test_equals_scipy(pairs: int) -> None:
    values = np.random.default_rng(pairs).normal(0.3, 1, pairs)
    drawn = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=200_000, rng=1)
    assert cell_test(values.tolist()) == pytest.approx(drawn.pvalue, rel=0 if pairs == 7 else 0.05)


def test_false_alarms_come_at_their_rate() -> None:
    rng = np.random.default_rng(0)
    alarms = np.mean([cell_test(rng.normal(0, 1, 10).tolist()) < 0.05 for _ in range(1000)])
    assert 0.03 < alarms < 0.07


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert list(holm({"z": 0.2, "y": 0.1})) == ["z", "y"]
