"""PLIF, CubaLIF, AdLIF and LI against traces worked out by hand or written with Python floats."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.core import ATan
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, Neuron
from dendrix.neurons.adlif import AdLIFState, adlif_step
from dendrix.neurons.cuba import CubaLIFState, cuba_lif_step

currents = st.lists(st.floats(-2, 3, width=32), min_size=1, max_size=12)
decays = st.floats(0.05, 0.99)


def test_plif_starts_as_a_lif_with_that_time_constant_and_learns_one_number() -> None:
    layer = PLIF(3, tau_ms=8.0, dt_ms=2.0)
    y, state = layer(torch.full((1, 2, 3), 0.8))
    assert not y.any()
    torch.testing.assert_close(state.v, torch.full((1, 3), 0.8 / 4 + 0.75 * 0.8 / 4))
    state.v.sum().backward()
    assert [p.shape for p in layer.parameters()] == [torch.Size([])]
    assert layer.w.grad is not None


def test_the_time_constant_of_plif_is_longer_than_a_step() -> None:
    with pytest.raises(ValueError, match=r"tau_ms: expected a number in \(0\.5, inf\), got 0\.5\. Choose one longer"):
        PLIF(2, tau_ms=0.5, dt_ms=0.5)


@given(currents=currents, decay_syn=decays, decay=decays, reset=st.one_of(st.none(), st.floats(-0.5, 0.2)), scale=st.booleans())
def test_cuba_equals_a_scalar_loop(currents: list[float], decay_syn: float, decay: float, reset: float | None, scale: bool) -> None:
    i = v = 0.0
    state = CubaLIFState(*torch.zeros(2, 1, 1, dtype=torch.float64))
    for x in currents:
        y, state = cuba_lif_step(
            torch.tensor([[x]], dtype=torch.float64),
            state,
            decay_syn=decay_syn,
            decay=decay,
            v_reset=reset,
            scale_input=scale,
            spike=ATan(),
        )
        i = decay_syn * i + x
        h = v + (1 - decay) * (i - v) if scale else decay * v + i
        fired = h >= 1
        v = h if not fired else h - 1 if reset is None else reset
        assert y.item() == fired
        assert (state.i.item(), state.v.item()) == pytest.approx((i, v), rel=1e-12, abs=1e-12)


def test_cuba_answers_a_pulse_with_a_difference_of_exponentials() -> None:
    a, b = math.exp(-1 / 5), math.exp(-1 / 10)
    x = torch.zeros(1, 12, 1, dtype=torch.float64)
    x[0, 0] = 0.1
    _, state = CubaLIF(1, tau_syn_ms=5.0, tau_ms=10.0).double()(x)
    assert state.v.item() == pytest.approx(0.1 * (b**12 - a**12) / (b - a))


@given(currents=currents, decay=decays, decay_w=decays, a=st.floats(-0.5, 0.5), b=st.floats(0, 2))
def test_adlif_equals_a_scalar_loop(currents: list[float], decay: float, decay_w: float, a: float, b: float) -> None:
    u = w = s = 0.0
    state = AdLIFState(*torch.zeros(3, 1, 1, dtype=torch.float64))
    for x in currents:
        y, state = adlif_step(
            torch.tensor([[x]], dtype=torch.float64), state, decay=decay, decay_w=decay_w, a=a, b=b, v_threshold=1.0, spike=ATan()
        )
        w = decay_w * w + a * u + b * s
        u = decay * (u - s) + (1 - decay) * (x - w)
        s = float(u >= 1)
        assert y.item() == s
        assert (state.u.item(), state.w.item()) == pytest.approx((u, w), rel=1e-12, abs=1e-12)


def test_adaptation_slows_a_neuron_down() -> None:
    x = torch.full((1, 300, 1), 3.0)
    gaps = AdLIF(1, a=0.0, b=1.0)(x)[0].flatten().nonzero().flatten().diff()
    assert gaps[0] < gaps[-1]


def test_li_is_a_leaky_sum() -> None:
    membrane, state = LI(1, decay=0.5)(torch.tensor([[[1.0], [2.0], [-4.0]]]))
    torch.testing.assert_close(membrane.flatten(), torch.tensor([1.0, 2.5, -2.75]))
    assert state.v.item() == membrane[0, -1].item()


@pytest.mark.parametrize("neuron", [IF, LIF, PLIF, CubaLIF, AdLIF])
@pytest.mark.parametrize("v_threshold", [0.0, -1.0, float("nan")])
def test_thresholds_are_positive(neuron: type[Neuron], v_threshold: float) -> None:
    with pytest.raises(ValueError, match=r"v_threshold: expected a number in \(0, inf\), got"):
        neuron(3, v_threshold=v_threshold)
