"""The compiled step equals the modules within rounding, and runs wherever a stream is followed."""

import time

import pytest
import torch
from torch import nn

from dendrix.core import rows
from dendrix.deploy import StreamingNetwork, streaming
from dendrix.errors import InputError
from dendrix.exits import Margin, MaxProbability, follow, run
from dendrix.layers import Sequential, freeze
from dendrix.neurons import LI, SignedIF
from dendrix.run_folder import load
from support.integer_networks import NEURONS, frames, network


@pytest.mark.parametrize("kind", NEURONS)
def test_equals_the_modules_within_rounding(kind: str) -> None:
    net = network(kind, inputs=64, hidden=64)
    x, valid = frames(8, 30, 64), torch.rand(8, 30) < 0.8
    expected, found = freeze(net)(x, None, valid)[0], StreamingNetwork(net)(x, None, valid)[0]
    assert expected.abs().mean() > 0.01
    # A membrane that meets its threshold to the last bit may spike in one alone: then a row differs from there on.
    same = (found - expected).abs().amax(2) < 1e-3 * expected.std()
    assert same.float().mean() > 0.95


def test_the_shipped_network() -> None:
    net = load("fsdd")
    x = torch.rand(16, 60, 24) - 0.5
    assert (StreamingNetwork(net)(x)[0] - net(x)[0]).abs().max() < 1e-3


def test_steps_chunks_and_rows_equal_the_whole() -> None:
    net = StreamingNetwork(network("RecurrentDelay"))
    x = frames(3, 12)
    whole, last = net(x)
    state, parts = None, []
    for x_t in x.unbind(1):
        y, state = net.step(x_t, state)
        parts.append(y)
    assert torch.equal(torch.stack(parts, 1), whole)
    halfway = net(x[:, :5])[1]
    before = halfway.memory.clone()
    alone, end = net(x[1:2, 5:], rows(halfway, torch.tensor([1])))
    assert torch.equal(alone[0], whole[1, 5:])
    assert torch.equal(end.memory[0], last.memory[1])
    assert torch.equal(halfway.memory, before)


def test_exit_rules_run_on_it() -> None:
    net = freeze(network())
    x = frames(6, 30)
    expected, found = (run(model, x, MaxProbability(0.3), batch_size=2) for model in (net, streaming(net)))
    assert torch.equal(found.steps, expected.steps)
    assert torch.equal(found.answers, expected.answers)
    assert len(list(follow(streaming(net), [x[0]], Margin(float("inf"))))) == 30


def test_what_cannot_be_compiled_runs_as_it_is() -> None:
    net = Sequential(nn.Linear(6, 4), SignedIF(4, v_threshold=1.0), nn.Linear(4, 2), LI(2)).eval()
    assert streaming(net) is net
    assert streaming(training := network()) is training  # its delays are not whole
    with pytest.raises(InputError, match="SignedIF"):
        StreamingNetwork(net)


def test_inputs_and_states_are_checked() -> None:
    net = StreamingNetwork(network())
    with pytest.raises(InputError, match="x_t: expected"):
        net.step(torch.zeros(1, 5))
    with pytest.raises(InputError, match="expected finite numbers"):
        net.step(torch.full((1, 6), torch.nan))
    with pytest.raises(InputError, match="StreamingState of shape"):
        net.step(torch.zeros(2, 6), net.step(torch.zeros(1, 6))[1])


def test_a_step_is_ten_times_as_fast_as_the_modules() -> None:
    net = load("fsdd")
    fast, x = StreamingNetwork(net), torch.rand(1, 24)

    def fastest(model: nn.Module) -> float:
        state, found = model.step(x)[1], []
        for _ in range(20):
            begin = time.perf_counter()
            model.step(x, state)
            found.append(time.perf_counter() - begin)
        return min(found)

    assert fastest(fast) < fastest(net) / 10
