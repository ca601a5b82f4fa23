import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.core import ATan, Boxcar, Sigmoid, Surrogate, Triangle

CASES: list[tuple[Surrogate, Callable[[float], float]]] = [
    (ATan(5.0), lambda u: 2.5 / (1 + (math.pi / 2 * 5 * u) ** 2)),
    (Sigmoid(3.0), lambda u: 3 * math.exp(-3 * u) / (1 + math.exp(-3 * u)) ** 2),
    (Triangle(0.5), lambda u: max(0.0, 1 - abs(u) / 0.5) / 0.5),
    (Boxcar(0.25), lambda u: 2.0 if abs(u) < 0.25 else 0.0),
]


@pytest.mark.parametrize(("spike", "formula"), CASES, ids=lambda case: type(case).__name__)
@given(u=st.floats(-4, 4), upstream=st.floats(-3, 3))
def test_step_forward_bump_backward(spike: Surrogate, formula: Callable[[float], float], u: float, upstream: float) -> None:
    x = torch.tensor(u, dtype=torch.float64, requires_grad=True)
    y = spike(x)
    y.backward(torch.tensor(upstream, dtype=torch.float64))
    assert y.item() == (u >= 0)
    assert x.grad is not None
    assert math.isclose(x.grad.item(), upstream * formula(u), rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("spike", [ATan(2.0), Sigmoid(4.0), Triangle(1.0), Boxcar(0.5)], ids=repr)
def test_a_bump_has_area_one(spike: Surrogate) -> None:
    u = torch.linspace(-2000, 2000, 8_000_001, dtype=torch.float64)
    assert torch.trapezoid(spike.derivative(u), u).item() == pytest.approx(1, abs=1e-3)


def test_zero_fires() -> None:
    assert ATan()(torch.zeros(1)).item() == 1


@pytest.mark.parametrize("surrogate", [ATan, Sigmoid, Triangle, Boxcar])
@pytest.mark.parametrize("size", [0.0, -1.0, math.nan])
def test_a_bump_has_a_positive_size(surrogate: type[Surrogate], size: float) -> None:
    with pytest.raises(ValueError, match=r"expected a number in \(0, inf\), got"):
        surrogate(size)  # type: ignore[call-arg]
