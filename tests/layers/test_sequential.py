import pytest
import torch
from torch import nn
from torch.testing import assert_close

from dendrix.layers import Recurrent, Sequential
from dendrix.neurons import LI, LIF


def test_states_are_threaded_in_order() -> None:
    first, linear, last = LIF(4), nn.Linear(4, 3), LI(3)
    x = torch.randn(2, 5, 4)
    y, state = Sequential(first, linear, last)(x)
    spikes, first_state = first(x)
    expected, last_state = last(linear(spikes))
    assert_close(y, expected)
    assert_close(state[0].v, first_state.v)
    assert state[1] == ()
    assert_close(state[2].v, last_state.v)


def test_feedback_by_hand() -> None:
    feedback = nn.Linear(1, 1, bias=False)
    nn.init.constant_(feedback.weight, -0.5)
    y, state = Recurrent(LIF(1, decay=0.5), feedback)(torch.full((1, 4, 1), 1.0))
    # v: 1 fires, 0; 0 + 1 - 0.5 = 0.5; 0.25 + 1 fires, 0.25; 0.125 + 1 - 0.5
    assert y.flatten().tolist() == [1, 0, 1, 0]
    torch.testing.assert_close(state.inner.v, torch.tensor([[0.625]]))


@pytest.mark.parametrize("state", [(), (None,), torch.zeros(2, 4), 5])
def test_a_state_that_is_not_one_per_stage_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match="state: expected a tuple of 2 states, got"):
        Sequential(LIF(4), LI(4))(torch.zeros(2, 5, 4), state)


def test_feedback_refuses_the_state_of_the_inner_neuron() -> None:
    x = torch.zeros(2, 5, 4)
    with pytest.raises(ValueError, match="state: expected RecurrentState, got LIFState"):
        Recurrent(LIF(4), nn.Linear(4, 4))(x, LIF(4)(x)[1])


@pytest.mark.parametrize(
    ("module", "advice"),
    [
        (nn.Conv1d(10, 10, 3), "PerStep"),
        (nn.Conv2d(3, 8, 3), "PerStep"),
        (nn.MaxPool1d(2), "PerStep"),
        (nn.AdaptiveAvgPool2d(1), "PerStep"),
        (nn.BatchNorm1d(10), "dendrix.BatchNorm"),
        (nn.GroupNorm(2, 10), "dendrix.BatchNorm"),
        (nn.Softmax(dim=1), "dim=-1"),
        (nn.Flatten(), r"nn.Flatten\(2\)"),
    ],
)
def test_a_module_that_would_mix_time_steps_is_refused(module: nn.Module, advice: str) -> None:
    with pytest.raises(ValueError, match=f"{type(module).__name__} at position 1, whose axis 1 would be time.*{advice}"):
        Sequential(LIF(10), module)


def test_there_is_nothing_to_reset() -> None:
    with pytest.raises(ValueError, match=r"LIF\.reset: expected no reset, because the state is an argument"):
        LIF(10).reset()
