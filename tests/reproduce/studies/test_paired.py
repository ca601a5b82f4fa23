"""Tests for paired outcomes, against hand counts."""

import itertools

import numpy as np
import pytest

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


def test_p_counts_the_choices_of_signs_with_a_mean_at_least_as_large() -> None:
    values = np.array([0.4, -0.1, 0.3, 0.2, 0.6, 0.1, -0.2])
    sums = [abs(float(values @ signs)) for signs in itertools.product((1, -1), repeat=7)]
    assert cell_test(values.tolist()) == sum(one >= sums[0] - 1e-12 for one in sums) / 2**7
    assert cell_test([0.5]) == 1


def test_many_pairs_are_drawn() -> None:
    assert cell_test([1.0] * 25) == pytest.approx(2 / 100_001)


def test_false_alarms_come_at_their_rate() -> None:
    rng = np.random.default_rng(0)
    alarms = np.mean([cell_test(rng.normal(0, 1, 10).tolist()) < 0.05 for _ in range(1000)])
    assert 0.03 < alarms < 0.07


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert list(holm({"z": 0.2, "y": 0.1})) == ["z", "y"]
