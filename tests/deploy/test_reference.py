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
