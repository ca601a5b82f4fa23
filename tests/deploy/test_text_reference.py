"""The definition of SpikeGPT in whole numbers, and the compiled loops that must equal it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import dendrix
from dendrix.deploy import IntegerSpikeGPT, text_reference
from dendrix.errors import InputError, InputTypeError
from dendrix.models import SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig
from dendrix.models.spikegpt.blocks import Spikes
from support.integer_texts import NEURONS, random_network


def tokens_of(rng: np.random.Generator, network: IntegerSpikeGPT, batch: int = 2, steps: int = 6) -> torch.Tensor:
    return torch.from_numpy(rng.integers(0, network.config.vocab_size, (batch, steps)))


def expect_equal_in_loops(seed: int, extreme: bool, config: SpikeGPTConfig | None = None) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, extreme, config)
    tokens, valid = tokens_of(rng, network), torch.from_numpy(rng.random((2, 6)) < 0.8)
    logits, state = network.run(tokens, None, valid)
    with dendrix.use_kernels("reference"):
        expected, kept = network.run(tokens, None, valid)
    assert torch.equal(logits, expected)
    assert torch.equal(state, kept)


@pytest.mark.parametrize(("spikes", "neurons"), NEURONS)
@pytest.mark.parametrize("channel_first", [False, True])
def test_the_compiled_loops_equal_the_reference(spikes: Spikes, neurons: NeuronConfig, channel_first: bool) -> None:
    expect_equal_in_loops(0, False, SpikeGPTConfig(31, 11, 2, spikes=spikes, neurons=neurons, channel_first=channel_first))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), extreme=st.booleans())
def test_the_compiled_loops_equal_the_reference_on_random_networks(seed: int, extreme: bool) -> None:
    expect_equal_in_loops(seed, extreme)


def test_pieces_rows_and_padding_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, config=SpikeGPTConfig(20, 12, 2))
    tokens = tokens_of(rng, network, 3, 9)
    whole, last = network(tokens)
    state, parts = None, []
    for piece in tokens.split([1, 3, 5], 1):
        logits, state = network(piece, state)
        parts.append(logits)
    assert torch.equal(torch.cat(parts, 1), whole)
    assert torch.equal(state, last)
    assert torch.equal(network(tokens[1:2])[0][0], whole[1])
    padded = torch.zeros(3, 12, dtype=torch.int64)
    valid = torch.zeros(3, 12, dtype=torch.bool)
    padded[:, 2:11], valid[:, 2:11] = tokens, True
    logits, state = network(padded, None, valid)
    assert torch.equal(logits[:, 2:11], whole)
    assert not logits[:, 11].any()
    assert torch.equal(state, last)
    assert torch.equal(network.step(tokens[:, 0])[0], whole[:, 0])


def test_the_norm_is_a_layer_norm() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 40)) * [[3e5], [40.0], [4e6]]).clip(-(2**23), 2**23).astype(np.int64)
    found = text_reference.norm(x, np.full(40, round(40**0.5 * 2**20)), np.full(40, 7 << 20), 1, 30) / 2**20
    floats = torch.from_numpy(x).double()
    assert np.abs(found - torch.layer_norm(floats, (40,), eps=1e-12).numpy() - 7).max() < 0.03  # the mean of small numbers is rounded
    assert np.abs(found[::2] - torch.layer_norm(floats[::2], (40,)).numpy() - 7).max() < 1e-5


def test_tables_are_close_to_the_functions() -> None:
    x = np.linspace(-25, 25, 4001)
    whole = np.rint(x * 2**20).astype(np.int64)
    assert np.abs(text_reference.sigmoid(whole) / 2**30 - 1 / (1 + np.exp(-x))).max() < 3e-6
    small = x < -2
    assert np.abs(text_reference.sigmoid(whole)[small & (x > -12)] / 2**30 * (1 + np.exp(-x[small & (x > -12)])) - 1).max() < 5e-4
    assert np.abs(text_reference.interpolated(text_reference.SOFTPLUS, np.abs(whole)) / 2**20 - np.log1p(np.exp(-np.abs(x)))).max() < 1e-5


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((torch.zeros(1, 1),), InputTypeError, "tokens: expected int64"),
        ((torch.full((1, 1), 20),), InputError, "tokens: expected 0 to 19, got 20 to 20"),
        ((torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 3, dtype=torch.int32)), InputError, "state: expected int32"),
        ((torch.zeros(1, 1, dtype=torch.int64), "x"), InputError, "got str"),
    ],
)
def test_bad_input(arguments: tuple[object, ...], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        IntegerSpikeGPT(SpikeGPTConfig(20, 12, 2)).run(*arguments)


def test_too_wide() -> None:
    with pytest.raises(InputError, match="at most 2048 channels"):
        IntegerSpikeGPT(SpikeGPTConfig(2, 2049, 1))
