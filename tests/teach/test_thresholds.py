import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dendrix.errors import InputError, NoCertificateError
from dendrix.teach import Calibration, calibrate, clustered_upper_bound, false_alarm_rates, threshold, word_weights


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), st.floats(0, 0.999))
def test_the_threshold_is_the_smallest_that_fires_at_most_at_the_share(scores, share):
    theta = threshold(scores, share)
    s = np.array(scores)
    assert (s >= theta).mean() <= share + 1e-9
    assert theta == 1 + s.min() - 1 or (s >= theta - 1).mean() > share


@given(st.lists(st.integers(0, 6), min_size=1, max_size=100))
def test_words_weigh_the_same(words):
    weights = word_weights(words)
    sums = [weights[np.array(words) == w].sum() for w in set(words)]
    np.testing.assert_allclose(sums, 1 / len(set(words)))


def test_rates_of_words():
    rates = false_alarm_rates([5, 1, 9, 9], 5, [0, 0, 2, 2])
    assert rates.by_word.tolist() == [0.5, 1.0]
    assert rates.words.tolist() == [0, 2]
    assert rates.mean == 0.75


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(0, 30))
def test_the_bound_of_independent_clips_is_that_of_clopper_and_pearson(count, hits):
    hits = min(hits, count)
    fired = np.arange(count) < hits
    exact = stats.binomtest(hits, count).proportion_ci(0.90, "exact").high  # two-sided 90 %: 95 % above
    assert clustered_upper_bound(fired, np.arange(count)) == pytest.approx(exact)


def test_the_bound_of_whole_clusters_is_that_of_as_many_clips():
    cluster = np.repeat(np.arange(20), 30)
    exact = stats.binomtest(2, 20).proportion_ci(0.90, "exact").high
    assert clustered_upper_bound(cluster < 2, cluster) == pytest.approx(exact, rel=1e-6)
    rng = np.random.default_rng(0)
    spread = clustered_upper_bound(rng.permutation(cluster < 2), cluster)
    assert spread < 0.8 * exact


def world(words, clips=60, spread=6.0, seed=0, detectors=1):
    """Scores of detectors on clips of words: the similarity of each word, and noise."""
    rng = np.random.default_rng(seed)
    word = np.repeat(np.arange(words), clips)
    scores = [np.rint(30 + spread * rng.normal(size=words)[word] + 3 * rng.normal(size=len(word))).astype(int) for _ in range(detectors)]
    return scores, word


def test_kappa_makes_words_left_out_fire_at_the_asked_rate():
    scores, word = world(22, detectors=88)
    table = calibrate(scores, list(range(22)) * 4, word, alphas=(0.1, 0.03))
    assert table.words == (20,)
    for column, alpha in enumerate((0.1, 0.03)):
        assert 0 < table.kappa[0][column] < 1.1
        assert table.low[0][column] < 1 < table.high[0][column]
        fresh, other = world(22, seed=1, detectors=200)
        fired = []
        for row in fresh:  # 20 words of background, another word
            theta = threshold(row[other < 20], table.kappa[0][column] * alpha, word_weights(other[other < 20]))
            fired.append((row[other >= 20] >= theta).mean())
        assert np.mean(fired) == pytest.approx(alpha, rel=0.35)


def test_several_chances_to_fire_need_a_smaller_kappa():
    scores, word = world(22, detectors=88)
    rng = np.random.default_rng(3)
    looks = [np.maximum(row, row + rng.integers(-12, 6, len(row))) for row in scores]
    of = list(range(22)) * 4
    once, often = calibrate(scores, of, word, alphas=(0.1, 0.03)), calibrate(scores, of, word, heard=looks, alphas=(0.1, 0.03))
    for column, alpha in enumerate(often.alphas):
        assert often.kappa[0][column] < once.kappa[0][column]
        fresh, other = world(22, seed=1, detectors=200)
        fired = []
        for row in fresh:
            theta = threshold(row[other < 20], often.kappa[0][column] * alpha, word_weights(other[other < 20]))
            fired.append((np.maximum(row, row + rng.integers(-12, 6, len(row)))[other >= 20] >= theta).mean())
        assert np.mean(fired) == pytest.approx(alpha, rel=0.35)


def test_fewer_background_words_need_a_smaller_kappa():
    scores, word = world(22, detectors=44)
    table = calibrate(scores, list(range(22)) * 2, word, alphas=(0.1, 0.03), sizes=(4, 10))
    assert table.words == (4, 10, 20)
    assert table.kappa[0][1] < table.kappa[1][1] < table.kappa[2][1]
    assert table.kappa[0][1] < table.at(0.03, 6)[0] < table.kappa[1][1]


def test_rates_that_the_background_cannot_support_are_refused():
    scores, word = world(12, detectors=24)
    table = calibrate(scores, list(range(12)) * 2, word)
    smallest = table.smallest(len(word), 12)
    assert 0.01 < smallest < 0.1
    table.expect_supported(smallest * 1.01, len(word), 12)
    with pytest.raises(NoCertificateError, match=r"clips of \d+ words") as refusal:
        table.expect_supported(1e-4, len(word), 12)
    assert refusal.value.needed > len(word)
    with pytest.raises(InputError, match="rate"):
        table.expect_supported(0.0, len(word), 12)
    with pytest.raises(InputError, match="at least 4 known words"):
        calibrate([np.zeros(3, int)], [0], [0, 1, 2])


def test_the_expected_rate_inverts_kappa():
    table = Calibration((0.3, 0.1, 0.01), (10,), ((1.0, 0.8, 0.5),), ((0.0,) * 3,), ((2.0,) * 3,), known=12)
    for alpha in (0.3, 0.1, 0.05, 0.01, 0.001):
        assert table.expected(table.at(alpha, 10)[0] * alpha, 10) == pytest.approx(alpha, rel=0.05)
    assert table.expected(1.0, 10) == 1.0
    assert table.own(0.1, 10) is None


def test_the_range_of_own_words_is_that_of_the_speakers_clips():
    rng = np.random.default_rng(0)
    word = np.repeat(np.arange(8), 50)
    own = np.tile(np.arange(50) < 10, 8)
    scores = [np.where(own, 20, 0) + rng.integers(0, 20, 400) for _ in range(8)]  # clips by the speaker score higher
    table = calibrate(scores, range(8), word, [~own] * 8, [own] * 8)
    assert table.own(0.1, 6)[0] > table.at(0.1, 6)[2]
