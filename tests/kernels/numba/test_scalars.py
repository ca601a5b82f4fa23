import math

import numpy as np
import pytest
import torch

from dendrix.core import ATan, Boxcar, Sigmoid, Surrogate, Triangle
from dendrix.kernels.numba import scalars
from dendrix.kernels.numba.specialise import specialise


def test_exp_of_a_negative_number() -> None:
    exp = specialise(scalars.exp_of_negative)
    for x in np.linspace(-87, 0, 2001, dtype=np.float32):
        assert exp(x) == pytest.approx(math.exp(x), rel=1e-7)
    assert math.isnan(exp(np.float32(np.nan)))


def test_bfloat16_rounds_as_torch_does() -> None:
    widen, narrow = specialise(scalars.widen), specialise(scalars.narrow)
    ties = [1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8]
    values = torch.tensor([0.0, -0.0, 1.0, math.pi, 1e-30, 3e38, math.inf, -math.inf, *ties, *torch.randn(100).tolist()])
    expected = values.bfloat16()
    bits = [int(narrow(np.float32(v))) for v in values.tolist()]
    assert bits == expected.view(torch.int16).tolist()
    assert [widen(np.int16(b)) for b in bits] == expected.float().tolist()
    assert math.isnan(widen(np.int16(narrow(np.float32(np.nan)))))


@pytest.mark.parametrize("spike", [ATan(5.0), Sigmoid(3.0), Triangle(0.7), Boxcar(0.3)], ids=repr)
def test_derivatives_equal_those_of_the_surrogates(spike: Surrogate) -> None:
    derivative = specialise(scalars.DERIVATIVES[type(spike)], exponential=specialise(scalars.exp_of_negative))
    sharpness = np.float32(getattr(spike, "alpha", None) or spike.width)
    u = torch.linspace(-3, 3, 101)
    ours = torch.tensor([derivative(np.float32(v), sharpness) for v in u.tolist()])
    torch.testing.assert_close(ours, spike.derivative(u), rtol=1e-5, atol=1e-6)
