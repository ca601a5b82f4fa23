import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.errors import InputError
from dendrix.layers import PerStep
from dendrix.models import DelayNetConfig
from dendrix.teach import Span, bin_counts, fit_whitening, hidden_spikes, on_off_winners
from dendrix.teach.codes import bin_edges, hidden_part

seeds = st.integers(0, 2**31)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 12), st.floats(0.05, 1.0))
def test_whitening_is_the_inverse_root_of_the_shrunk_covariance(seed, size, shrinkage):
    rng = np.random.default_rng(seed)
    word = np.repeat(np.arange(4), 10)
    x = rng.normal(size=(40, size)) @ rng.normal(size=(size, size)) + 3 * rng.normal(size=(4, size))[word]
    within = np.concatenate([x[word == w] - x[word == w].mean(0) for w in range(4)])
    covariance = within.T @ within / 40
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / size * np.eye(size)
    values, vectors = np.linalg.eigh(shrunk)
    expected = (x - x.mean(0)) @ (vectors * values**-0.5) @ vectors.T
    got = fit_whitening(x, word, shrinkage=shrinkage)(x)
    factor = np.sqrt(shrinkage * np.trace(covariance) / size)  # on which no code depends
    np.testing.assert_allclose(got, expected * factor, atol=1e-3 * np.abs(expected * factor).max())


def test_directions_of_small_variance_need_no_rank():
    rng = np.random.default_rng(0)
    word = np.repeat(np.arange(5), 20)
    noise = rng.normal(size=(100, 2)) @ np.eye(30)[:2] * 10
    x = rng.normal(size=(5, 30))[word] + noise
    whole, few = fit_whitening(x, word)(x), fit_whitening(x, word, rank=2)(x)
    np.testing.assert_allclose(few, whole, atol=1e-3)
    assert np.abs(fit_whitening(x, word, rank=0)(x) - whole).max() > 1


@given(seeds, st.integers(1, 30), st.floats(0.01, 1))
def test_the_winners_are_the_largest_values_of_both_signs(seed, size, density):
    z = np.random.default_rng(seed).normal(size=(3, size))
    codes = on_off_winners(z, density)
    both = np.concatenate([z, -z], 1).astype(np.float32)
    assert codes.n == 2 * size
    assert (codes.counts == round(density * 2 * size)).all()
    for row, code in zip(both, codes, strict=True):
        active = np.isin(np.arange(2 * size), code.cells)
        assert not active.any() or active.all() or row[active].min() >= row[~active].max()


@given(seeds, st.integers(1, 40), st.integers(-10, 45), st.integers(0, 30), st.integers(1, 6))
def test_bins_divide_the_span(seed, steps, onset, length, bins):
    spikes = (torch.rand(steps, 3, generator=torch.Generator().manual_seed(seed)) < 0.4).float()
    counts = bin_counts(spikes, Span(onset, onset + length), bins).reshape(bins, 3)
    first, last = max(onset, 0), max(min(onset + length, steps), 0)
    np.testing.assert_array_equal(counts.sum(0), spikes[first : max(last, first)].sum(0))
    assert (counts >= 0).all()


@given(st.integers(0, 500), st.integers(1, 100), st.integers(1, 8))
def test_edges_move_with_the_word(onset, length, bins):
    edges = bin_edges(Span(0, length), bins)
    assert edges[0] == 0
    assert edges[-1] == length
    assert bin_edges(Span(onset, onset + length), bins) == [onset + edge for edge in edges]


def test_one_bin_per_frame_gives_the_spikes():
    spikes = (torch.rand(8, 5) < 0.5).float()
    np.testing.assert_array_equal(bin_counts(spikes, Span(0, 8), 8).reshape(8, 5), spikes.numpy())


def test_hidden_spikes_are_those_of_the_last_layers_and_can_be_streamed():
    torch.manual_seed(0)
    network = DelayNetConfig(inputs=4, outputs=3, hidden=(6, 5), max_delay_ms=50.0).build().eval()
    x = 3 * torch.randn(2, 20, 4)
    both, _ = hidden_spikes(network, x)
    last, _ = hidden_spikes(network, x, layers=1)
    assert both.shape == (2, 20, 11)
    assert 0 < both.mean() < 1
    assert torch.equal(both[..., 6:], last)
    head, state = hidden_spikes(network, x[:, :7])
    tail, _ = hidden_spikes(network, x[:, 7:], state)
    assert torch.equal(torch.cat([head, tail], 1), both)
    assert torch.equal(hidden_spikes(network, x, layers=3)[0], both)
    part = hidden_part(network)
    assert torch.equal(hidden_spikes(part, x)[0], both)
    assert len(part.stages) == len(network.stages) - 3  # dropout, and delays and integrators of the read-out
    linear = torch.nn.Linear(2, 2)
    assert hidden_part(linear) is linear
    with pytest.raises(InputError, match="spiking layers"):
        hidden_spikes(PerStep(torch.nn.Identity()), x)
    assert not any(part._forward_hooks for part in network.modules())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_whitening(np.ones((3, 2)), [0, 0, 1]), "rows of one word that differ"),
        (lambda: fit_whitening(np.ones((3, 2)), [0, 1]), "a word for each row"),
        (lambda: fit_whitening(np.eye(3), [0, 0, 1], shrinkage=0), "shrinkage"),
        (lambda: on_off_winners(np.full((1, 2), np.nan)), "finite"),
        (lambda: on_off_winners(np.ones(3)), r"\[N, D\]"),
        (lambda: fit_whitening(np.eye(3), [0, 0, 1])(np.ones((1, 4))), r"\[N, 3\]"),
    ],
)
def test_wrong_features_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
