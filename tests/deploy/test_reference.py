"""The compiled loops equal the numpy reference to the bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.core import use_kernels
from dendrix.deploy import quantise
from support.integer_networks import NEURONS, frames, network, random_network


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans())
def test_compiled_equals_reference_on_random_networks(seed: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(rng, extreme)
    x = torch.from_numpy(rng.choice([-128, -1, 0, 0, 5, 127], (3, 15, net.inputs.channels)))
    valid = torch.from_numpy(rng.random((3, 15)) < 0.8)
    y, state, _ = net.run(x, None, valid)
    with use_kernels("reference"):
        expected, after, _ = net.run(x, None, valid)
    assert torch.equal(y, expected)
    assert torch.equal(state.memory, after.memory)
    assert torch.equal(state.steps, after.steps)


@pytest.mark.parametrize("kind", NEURONS)
def test_compiled_equals_reference_on_a_layer_of_4096_inputs_a_step(kind: str) -> None:
    net = quantise(network(kind, inputs=128, hidden=64), [frames(32, 8, 128)])
    x = frames(32, 12, 128)
    y, state = net(x)
    with use_kernels("reference"):
        expected, after = net(x)
    assert torch.equal(y, expected)
    assert torch.equal(state.memory, after.memory)
    assert y.abs().sum() > 0


def test_in_chunks_equals_whole() -> None:
    net = quantise(network(), [frames()])
    x = frames(5, 30)
    whole, last = net(x)
    state, parts = None, []
    for piece in torch.split(x, [1, 7, 2, 20], 1):
        y, state = net(piece, state)
        parts.append(y)
    assert torch.equal(torch.cat(parts, 1), whole)
    assert torch.equal(state.memory, last.memory)


def test_operations_are_counted() -> None:
    net = quantise(network(), [frames()])
    x = torch.zeros(1, 1, 6, dtype=torch.int64)
    x[0, 0, :2] = 1
    assert net.run(x)[2].tolist() == [2 * 12, 0]


def test_steps_equal_the_whole() -> None:
    net = quantise(network(), [frames()])
    x = frames(3, 9)
    state, parts = None, []
    for x_t in x.unbind(1):
        y, state = net.step(x_t, state)
        parts.append(y)
    assert torch.equal(torch.stack(parts, 1), net(x)[0])


@pytest.mark.parametrize("mode", ["auto", "reference"])
def test_invalid_steps_change_nothing_and_rows_are_alone(mode: str) -> None:
    net = quantise(network("RecurrentDelay"), [frames()])
    x, valid = frames(3, 12), torch.rand(3, 12) < 0.6
    broken = x.masked_fill(~valid.unsqueeze(-1), torch.nan)
    with use_kernels(mode):
        y, state = net(broken, None, valid)
        for row in range(3):
            alone, last = net(x[row : row + 1, valid[row]])
            assert torch.equal(y[row, valid[row]], alone[0])
            assert torch.equal(state.memory[row], last.memory[0])
    assert not y[~valid].any()


def test_inputs_are_not_changed() -> None:
    net = quantise(network(), [frames()])
    x = frames()
    _, state = net(x)
    before = [part.clone() for part in (x, *state)]
    net(x, state)
    assert all(torch.equal(part, was) for part, was in zip((x, *state), before, strict=True))


def test_it_is_causal() -> None:
    net = quantise(network(), [frames()])
    x = frames()
    later = x.clone()
    later[:, 12:] += 1
    assert torch.equal(net(x)[0][:, :12], net(later)[0][:, :12])
