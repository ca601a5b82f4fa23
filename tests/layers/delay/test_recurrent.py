"""What is special to RecurrentDelay: its equation, written as a loop over all lags, and what training does with its delays."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import Triangle
from dendrix.layers import RecurrentDelay, anneal, clamp_delays, freeze, param_groups, rounded
from dendrix.neurons import LIF


def layer(size: int = 5, **options: object) -> RecurrentDelay:
    inner = LIF(size, decay=0.5, train_tau=False, detach_reset=False, spike=Triangle())
    return RecurrentDelay(inner, 200, 10, start_ms=60, **options).double()  # type: ignore[arg-type]


def slowly(recurrent: RecurrentDelay, x: Tensor) -> Tensor:
    """The equation of the class, step by step and lag by lag."""
    q, state, outputs = recurrent.spread(), recurrent.inner.init_state(x[:, 0]), []
    for t in range(x.shape[1]):
        heard = torch.zeros_like(x[:, 0])
        for k in range(min(t, recurrent.taps)):
            heard = heard + q[:, k] * outputs[t - 1 - k]
        y, state = recurrent.inner.step(x[:, t] + heard @ recurrent.weight.t(), state)
        outputs.append(y)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("width", [0.0, 0.6, 10.0])
@pytest.mark.parametrize("steps", [2, 16, 50])
def test_outputs_and_gradients_are_those_of_the_equation(steps: int, width: float) -> None:
    recurrent = layer(width=width).eval()
    x = torch.randn(3, steps, 5, dtype=torch.float64) + 0.4
    results = []
    for run in (lambda: recurrent(x)[0], lambda: slowly(recurrent, x)):
        recurrent.zero_grad()
        (y := run()).cumsum(1).square().sum().backward()
        results.append([y.detach(), recurrent.weight.grad.clone(), recurrent.delay.grad.clone()])
    assert_close(results[0], results[1])
    assert results[0][0].any()


def test_a_spike_is_heard_one_step_and_its_delay_later() -> None:
    recurrent = RecurrentDelay(LIF(2), 50, 10, train_delays=False).double()
    recurrent.weight.data = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    recurrent.delay.copy_(torch.tensor([3.0, 0.0]))
    x = torch.zeros(1, 8, 2, dtype=torch.float64)
    x[0, 1, 0] = 1
    y, _ = recurrent(x)
    assert y[0].nonzero().tolist() == [[1, 0], [5, 1]]


def test_the_mass_of_a_spread_is_one_away_from_the_bounds() -> None:
    recurrent = layer(width=4.0)
    recurrent.delay.data.fill_(9.3)
    assert_close(recurrent.spread().sum(1), torch.ones(5, dtype=torch.float64))
    recurrent.delay.data.fill_(0.0)  # what would arrive earlier than it can is lost, as published
    assert_close(recurrent.spread().sum(1), torch.full((5,), 0.6, dtype=torch.float64))


def test_starts_are_orthogonal_weights_and_half_normal_delays() -> None:
    recurrent = RecurrentDelay(LIF(400), 600, 10, start_ms=120)
    assert_close(recurrent.weight @ recurrent.weight.t(), torch.eye(400), atol=1e-5, rtol=0)
    assert recurrent.delay.min() >= 0
    assert recurrent.delay.square().mean().sqrt().item() == pytest.approx(12, rel=0.1)


def test_training_tools_know_the_delays() -> None:
    recurrent = layer()
    groups = {group["name"]: group for group in param_groups(recurrent, 1e-3)}
    assert groups["delays"]["params"] == [recurrent.delay]
    assert recurrent.weight is groups["weights"]["params"][0]
    anneal(recurrent, 1.0)
    assert recurrent.width.item() == pytest.approx(10 * 0.95**100)
    recurrent.delay.data.copy_(torch.tensor([-3.0, 0.2, 7.6, 99.0, 2.5]))
    clamp_delays(recurrent)
    assert_close(recurrent.delay.data, torch.tensor([0.0, 0.2, 7.6, 20.0, 2.5], dtype=torch.float64))
    x = torch.randn(2, 30, 5, dtype=torch.float64)
    with rounded(recurrent):
        y, _ = recurrent(x)
        assert recurrent.spread().argmax(1).tolist() == [0, 0, 8, 20, 2]
    assert_close(freeze(recurrent)(x)[0], y)
    assert not torch.equal(recurrent(x)[0], y)


def test_integer_delays_stream_as_the_whole() -> None:
    frozen = freeze(layer())
    x = torch.randn(2, 60, 5, dtype=torch.float64)
    state, outputs = None, []
    for x_t in x.unbind(1):
        y, state = frozen.step(x_t, state)
        outputs.append(y)
    assert torch.equal(torch.stack(outputs, 1), frozen(x)[0])


def test_dropout_of_the_feedback_is_held_over_time_and_in_the_state() -> None:
    recurrent = layer(dropout=0.5).train()
    x = torch.randn(4, 30, 5, dtype=torch.float64)
    _, state = recurrent(x)
    assert set(state.kept.unique().tolist()) == {0.0, 2.0}
    after = recurrent(x, state)[1]
    assert torch.equal(after.kept, state.kept)
    assert (recurrent.eval()(x)[1].kept == 1).all()


@pytest.mark.parametrize(
    ("option", "value"), [("max_delay_ms", -1.0), ("dt_ms", 0.0), ("dropout", 1.0), ("width", -1.0), ("start_ms", -1.0)]
)
def test_settings_out_of_range_are_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option}: expected a number in"):
        RecurrentDelay(LIF(3), **{option: value})
    with pytest.raises(ValueError, match="state: expected RecurrentDelayState"):
        RecurrentDelay(LIF(3))(torch.zeros(1, 2, 3), ())
