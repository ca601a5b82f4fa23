import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dendrix.core import ATan
from dendrix.neurons import IF, LIF
from dendrix.neurons.lif import LIFState, lif_step

currents = st.lists(st.floats(-2, 3, width=32), min_size=1, max_size=12)
decays = st.floats(0.05, 1.0)


def scalar_lif(
    currents: list[float], v: float, decay: float, threshold: float, reset: float | None, scale: bool, amplitude: float
) -> tuple[list[float], float]:
    """The neuron written with Python floats, one `if` per spike."""
    out = []
    for x in currents:
        h = v + (1 - decay) * (x - v) if scale else decay * v + x
        if h >= threshold:
            out.append(amplitude)
            v = h - threshold if reset is None else reset
        else:
            out.append(0.0)
            v = h
    return out, v


@given(
    currents=currents, decay=decays, v=st.floats(-1, 2), threshold=st.floats(0.25, 2), scale=st.booleans(),
    reset=st.one_of(st.none(), st.floats(-0.5, 0.2)), detach=st.booleans(), amplitude=st.floats(0.5, 2),
)  # fmt: skip
def test_every_variant_equals_a_scalar_loop(
    currents: list[float], decay: float, v: float, threshold: float, scale: bool, reset: float | None, detach: bool, amplitude: float
) -> None:
    expected, last = scalar_lif(currents, v, decay, threshold, reset, scale, amplitude)
    state, out = LIFState(torch.tensor([[v]], dtype=torch.float64)), []
    for x in currents:
        y, state = lif_step(
            torch.tensor([[x]], dtype=torch.float64), state, decay=decay, v_threshold=threshold, v_reset=reset,
            detach_reset=detach, scale_input=scale, amplitude=amplitude, spike=ATan(),
        )  # fmt: skip
        out.append(y.item())
    assert out == expected
    assert state.v.item() == pytest.approx(last, rel=1e-12, abs=1e-12)


def test_constant_current_fires_at_the_closed_form_step() -> None:
    d, x = math.exp(-0.1), torch.full((1, 20, 1), 0.15)
    expected = next(n for n in range(20) if 0.15 * (1 - d ** (n + 1)) / (1 - d) >= 1)
    spikes, _ = LIF(1, tau_ms=10.0)(x)
    assert spikes.flatten().argmax() == expected


def test_scaled_input_approaches_the_current() -> None:
    _, state = LIF(1, tau_ms=5.0, scale_input=True)(torch.full((1, 200, 1), 0.75))
    assert state.v.item() == pytest.approx(0.75)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("reset", [None, 0.25])
def test_the_gradient_through_the_reset_by_hand(reset: float | None, detach: bool) -> None:
    first, second, decay, spike = 1.5, 0.25, 0.5, ATan(2.0)
    x = torch.tensor([[[first], [second]]], dtype=torch.float64, requires_grad=True)
    y, _ = LIF(1, decay=decay, v_reset=reset, detach_reset=detach, spike=spike).double()(x)
    y[0, 1, 0].backward()

    def bump(u: float) -> float:
        return 1 / (1 + (math.pi * u) ** 2)

    after = first - 1 if reset is None else reset
    reset_slope = 1.0 if reset is None else 0.0
    if not detach:
        reset_slope += bump(first - 1) * (-1 if reset is None else reset - first)
    last = bump(decay * after + second - 1)
    assert x.grad is not None
    assert x.grad.flatten().tolist() == pytest.approx([last * decay * reset_slope, last])


def test_spikegpt_order_of_operations_to_the_bit() -> None:
    torch.manual_seed(3)
    x, v = torch.randn(64, 32), torch.randn(64, 32)
    decay = torch.tensor(0.5)
    expected = v + (x - v) / 2.0
    y, state = lif_step(x, LIFState(v), decay=decay, v_reset=0.0, scale_input=True, detach_reset=False, spike=ATan(2.0))
    assert torch.equal(y, (expected >= 1).float())
    assert torch.equal(state.v, torch.where(expected >= 1, 0.0, expected))


def test_qcfs_starts_at_half_fires_on_equality_and_emits_theta() -> None:
    theta = 2.0
    y, state = IF(1, v_threshold=theta, v_init=theta / 2, amplitude=theta)(torch.tensor([[[1.0], [0.0], [1.0], [1.5]]]))
    assert y.flatten().tolist() == [2, 0, 0, 2]
    assert state.v.item() == 0.5


@given(rate=st.floats(0, 1), steps=st.integers(1, 32))
def test_qcfs_counts_the_rounded_activation(rate: float, steps: int) -> None:
    x = torch.full((1, steps, 1), rate, dtype=torch.float64)
    y, state = IF(1, v_init=0.5).double()(x)
    total = rate * steps + 0.5
    assert y.sum().item() + state.v.item() == pytest.approx(total)
    assert abs(y.sum().item() - math.floor(total)) <= (abs(total - round(total)) < 1e-9)


@given(step=st.floats(-1e3, 1e3))
def test_decay_stays_inside_zero_and_one(step: float) -> None:
    layer = LIF(3, tau_ms=10.0).double()
    with torch.no_grad():
        layer.decay.log_tau.fill_(max(-5.0, min(step, 30.0)))
    assert (layer.decay() > 0).all()
    assert (layer.decay() < 1).all()


def test_decay_or_tau() -> None:
    torch.testing.assert_close(LIF(2, decay=0.5).decay(), torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(LIF(2, tau_ms=20.0, dt_ms=5.0).decay(), torch.full((2,), math.exp(-0.25)))
    assert not list(LIF(2, train_tau=False).parameters())


def test_channels_keep_their_own_decay_over_further_axes() -> None:
    layer = LIF(2)
    layer.decay.log_tau = nn.Parameter(torch.tensor([0.0, 3.0]))
    x = torch.randn(2, 6, 2, 3, 4)
    y, _ = layer(x)
    for c in range(2):
        alone = LIF(1)
        alone.decay.log_tau = nn.Parameter(layer.decay.log_tau[c : c + 1].detach())
        assert torch.equal(y[:, :, c], alone(x[:, :, c].reshape(2, 6, 1, 12))[0].view(2, 6, 3, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(size=0), r"size: expected a whole number in \[1, inf\), got 0"),
        (dict(size=2, tau_ms=0.0), r"tau_ms: expected a number in \(0, inf\), got 0\.0\. For no leak use IF"),
        (dict(size=2, tau_ms=math.nan), r"tau_ms: expected a number in \(0, inf\), got nan"),
        (dict(size=2, decay=1.0), r"decay: expected a number in \(0, 1\), got 1\.0"),
        (dict(size=2, v_threshold=0.0), "v_threshold: expected a number in"),
    ],
)
def test_nonsense_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LIF(**options)


def test_whole_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Use x\.float\(\)"):
        LIF(2)(torch.ones(1, 2, 2, dtype=torch.int64))
