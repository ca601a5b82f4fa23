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


def test_forward_mode_and_vmap_have_the_same_derivative() -> None:
    spike, u, tangent = ATan(5.0), torch.randn(4, 3), torch.randn(4, 3)
    slope = spike.derivative(u)
    assert torch.equal(torch.func.jvp(spike, (u,), (tangent,))[1], tangent * slope)
    assert torch.equal(torch.func.vmap(torch.func.grad(lambda u: spike(u).sum()))(u), slope)
    torch.testing.assert_close(torch.func.jacfwd(spike)(u[0]), torch.diag(slope[0]))
    with torch.autograd.forward_ad.dual_level():
        dual = spike(torch.autograd.forward_ad.make_dual(u, tangent))
        assert torch.equal(torch.autograd.forward_ad.unpack_dual(dual).tangent, tangent * slope)


def test_the_second_derivative_is_that_of_the_surrogate() -> None:
    u = torch.randn(5, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(ATan()(u).sum(), u, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), u)
    (expected,) = torch.autograd.grad(ATan().derivative(u).sum(), u)
    assert torch.equal(second, expected)
