import numpy as np
import pytest

from dendrix.errors import InputError
from dendrix.sdr import SDR, false_positive, stack
from dendrix.teach import thinned_segments
from support.taught import backbone, codes


def test_theory_over_the_measured_overlaps_predicts_what_thinned_segments_do():
    others = stack([codes(word, 20, seed=1, speaker=8) for word in range(101, 121)])
    found = thinned_segments(codes(100, 3), others, (4, 6, 8), rate=0.05, choices=400)
    for one in found:
        assert 1e-4 < one.theory <= 0.05
        assert one.measured == pytest.approx(one.theory, rel=0.1)
    assert found[0].theta < found[-1].theta


def test_random_codes_have_the_uniform_rate():
    stored, others = SDR.random(200, 20, 5, 0), SDR.random(200, 20, 4000, 1)
    (one,) = thinned_segments(stored, others, (10,), rate=0.05)
    assert one.uniform == pytest.approx(float(np.asarray(false_positive(200, 20, 10, one.theta))))
    assert one.theory == pytest.approx(one.uniform, rel=0.15)


@pytest.mark.parametrize(
    ("synapses", "rate", "others", "message"),
    [
        ((0,), 0.1, 120, "from 1 to 12"),
        ((), 0.1, 120, "got none"),
        ((13,), 0.1, 120, "from 1 to 12"),
        ((4,), 0.0, 120, "rate"),
        ((4,), 0.1, 64, "equally many cells"),
    ],
)
def test_wrong_calls_are_refused(synapses, rate, others, message):
    assert backbone().n == 120
    with pytest.raises(InputError, match=message):
        thinned_segments(codes(100, 3), SDR.random(others, 12, 3, 0), synapses, rate)
