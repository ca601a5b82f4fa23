"""Every neuron in double precision equals a loop of Python floats to 12 digits: its constants are exact, not rounded to float32."""

import math
import random
from collections.abc import Callable

import pytest
import torch

from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, Neuron, SignedIF

STEPS = 200
TAU, DT = 13.7, 1.3
DECAY = math.exp(-DT / TAU)

Loop = Callable[[list[float]], list[float]]


def li(currents: list[float]) -> list[float]:
    v, out = 0.0, []
    for x in currents:
        v = DECAY * v + x
        out.append(v)
    return out


def lif(
    currents: list[float], decay: float = DECAY, threshold: float = 0.7, reset: float | None = None, scale: bool = False, v: float = 0.0
) -> list[float]:
    """Membranes after each step."""
    out = []
    for x in currents:
        h = v + (1 - decay) * (x - v) if scale else decay * v + x
        fired = h >= threshold
        v = h if not fired else h - threshold if reset is None else reset
        out.append(v)
    return out


def cuba(currents: list[float]) -> list[float]:
    i, v, out = 0.0, 0.0, []
    decay_syn = math.exp(-DT / 3.1)
    for x in currents:
        i = decay_syn * i + x
        v = DECAY * v + i
        v -= 0.7 if v >= 0.7 else 0.0
        out.append(v)
    return out


def adlif(currents: list[float]) -> list[float]:
    u, w, s, out = 0.0, 0.0, 0, []
    decay_w = math.exp(-DT / 61.3)
    for x in currents:
        w = decay_w * w + 0.1 * u + 0.3 * s
        u = DECAY * (u - 0.7 * s) + (1 - DECAY) * (x - w)
        s = int(u >= 0.7)
        out.append(u)
    return out


CASES: dict[str, tuple[Callable[[], Neuron], Loop, float]] = {
    "LI": (lambda: LI(1, TAU, DT), li, 1.0),
    "LIF": (lambda: LIF(1, TAU, DT, v_threshold=0.7), lif, 1.0),
    "LIF of a decay": (lambda: LIF(1, decay=0.9, v_threshold=0.7), lambda x: lif(x, decay=0.9), 1.0),
    "LIF of a fixed decay": (lambda: LIF(1, decay=0.3, v_threshold=0.7, train_tau=False), lambda x: lif(x, decay=0.3), 1.0),
    "LIF with one value per neuron": (
        lambda: LIF(1, [TAU], DT, v_threshold=[0.7], v_reset=[0.1], v_init=[0.2]),
        lambda x: lif(x, reset=0.1, v=0.2),
        1.0,
    ),
    "LIF with scaled input": (lambda: LIF(1, TAU, DT, v_threshold=0.7, scale_input=True), lambda x: lif(x, scale=True), 10.0),
    "PLIF": (lambda: PLIF(1, TAU, DT, v_threshold=0.7), lambda x: lif(x, decay=1 - DT / TAU, reset=0.0, scale=True), 10.0),
    "IF": (lambda: IF(1, v_threshold=0.7), lambda x: lif(x, decay=1.0), 1.0),
    "IF with one value per neuron": (lambda: IF(1, v_threshold=[0.7]), lambda x: lif(x, decay=1.0), 1.0),
    "CubaLIF": (lambda: CubaLIF(1, 3.1, TAU, DT, v_threshold=0.7), cuba, 0.3),
    "AdLIF": (lambda: AdLIF(1, TAU, 61.3, DT, a=0.1, b=0.3, v_threshold=0.7), adlif, 10.0),
}
"""For each neuron the module, its membranes by a scalar loop, and the scale of input that makes it fire now and then."""


@pytest.mark.parametrize("name", CASES)
def test_double_precision_equals_a_scalar_loop(name: str) -> None:
    build, loop, scale = CASES[name]
    rng = random.Random(0)
    currents = [scale * rng.uniform(-0.3, 0.6) for _ in range(STEPS)]
    layer, state, found, spikes = build().double(), None, [], 0.0
    for x in currents:
        y, state = layer.step(torch.tensor([[x]], dtype=torch.float64), state)
        membrane = state.u if hasattr(state, "u") else state.v
        assert membrane.dtype == torch.float64
        found.append(membrane.item())
        spikes += y.item()
    assert found == pytest.approx(loop(currents), rel=1e-12, abs=1e-12)
    assert name == "LI" or 0 < spikes < STEPS


def test_signed_spikes_in_double_precision_equal_a_scalar_loop() -> None:
    rng = random.Random(0)
    currents = [rng.uniform(-0.6, 0.8) for _ in range(STEPS)]
    layer, state = SignedIF(1, v_threshold=0.7, v_init=0.35).double(), None
    v, sent, signs = 0.35, 0, set()
    for x in currents:
        y, state = layer.step(torch.tensor([[x]], dtype=torch.float64), state)
        v += x
        s = int(v >= 0.7) - int(v < 0 and sent > 0)
        v, sent = v - 0.7 * s, sent + s
        signs.add(s)
        assert y.item() == pytest.approx(0.7 * s, rel=1e-12, abs=1e-12)
        assert (state.v.item(), state.sent.item()) == pytest.approx((v, sent), rel=1e-12, abs=1e-12)
    assert signs == {-1, 0, 1}


def test_a_trained_value_is_converted_as_it_is() -> None:
    layer = LIF(2, TAU, DT)
    with torch.no_grad():
        layer.decay.log_tau.add_(0.125)
    before = layer.decay.log_tau.detach().clone()
    assert torch.equal(layer.double().decay.log_tau.detach(), before.double())
