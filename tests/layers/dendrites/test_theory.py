"""The numbers of the theory where they can be counted by hand or by trying every case."""

import itertools

import pytest

from dendrix.layers.dendrites.theory import match_theory


def test_one_segment_by_counting_every_code() -> None:
    segment = {0, 1, 2, 3}
    codes = [set(code) for code in itertools.combinations(range(9), 5)]
    matches = sum(len(segment & code) >= 3 for code in codes)
    assert match_theory(n=9, a=5, s=4, theta=3).false_positive == pytest.approx(matches / len(codes), rel=1e-12)


@pytest.mark.parametrize("s", [3, 6], ids=["a sample of the code", "more than the code"])
def test_misses_by_counting_every_noise(s: int) -> None:
    n, a, theta, v = 10, 4, 2, 2
    segment, code, others = set(range(s)), set(range(a)), set(range(a, n))
    noisy = [(code - set(lost)) | set(new) for lost in itertools.combinations(code, v) for new in itertools.combinations(others, v)]
    misses = sum(len(segment & active) < theta for active in noisy)
    assert match_theory(n, a, s, theta, v).false_negative == pytest.approx(misses / len(noisy), rel=1e-12)


def test_several_segments_match_more_often_and_rescue_misses() -> None:
    one, three = match_theory(60, 10, 6, 4, 4), match_theory(60, 10, 6, 4, 4, segments=3)
    assert three.false_positive == pytest.approx(1 - (1 - one.false_positive) ** 3, rel=1e-12)
    assert three.false_negative == pytest.approx(one.false_negative * (1 - one.false_positive) ** 2, rel=1e-12)


def test_the_published_setting() -> None:
    theory = match_theory(n=10_000, a=300, s=30, theta=12, v=60)
    assert theory.false_positive == pytest.approx(2.27907942026515e-11, rel=1e-12)
    assert theory.false_negative == pytest.approx(3.94743608739284e-8, rel=1e-12)
