"""Statistics of activations: each number by its definition, and the theory beside what was measured."""

import dataclasses
import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dendrix.sdr import SDR, Observer, statistics


@given(st.tuples(st.integers(2, 8), st.integers(1, 12)).flatmap(lambda shape: arrays(bool, shape)), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_each_number_is_its_definition(x: np.ndarray, theta: int) -> None:
    found, f = statistics(x, theta=theta), x.mean(0)
    overlaps = [int((a & b).sum()) for a, b in itertools.combinations(x, 2)]
    assert (found.codes, found.n, found.pairs, found.all_pairs) == (*x.shape, len(overlaps), True)
    assert found.sparsity == pytest.approx(x.mean())
    assert found.sparsity_std == pytest.approx(x.mean(1).std(), abs=1e-7)
    assert found.frequency == pytest.approx(f.tolist())
    assert (found.dead, found.always_on) == (int((~x.any(0)).sum()), int(x.all(0).sum()))
    assert found.overlap == pytest.approx(np.mean(overlaps))
    assert found.overlap_std == pytest.approx(np.std(overlaps), abs=1e-7)
    assert found.overlap_counts == tuple(np.bincount(overlaps))
    assert found.confusion == pytest.approx(np.mean(np.array(overlaps) >= theta))
    p = f[(f > 0) & (f < 1)]
    assert found.entropy == pytest.approx(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum())
    assert 0 <= found.evenness <= 1 + 1e-12
    assert found.effective_a == pytest.approx(f.sum())
    assert found.effective_a * (1 - 1e-12) <= found.effective_n <= found.n
    if found.effective_n < found.n:
        assert found.effective_a**2 / found.effective_n == pytest.approx(np.mean(overlaps))
    else:
        assert found.effective_a**2 / found.n >= np.mean(overlaps) * (1 - 1e-12)


def test_random_codes_have_their_own_size_and_the_error_that_the_theory_says() -> None:
    found = statistics(SDR.random(200, 20, count=2000, seed=1).dense(), theta=5, sample=2000)
    assert found.effective_a == 20
    assert found.effective_n == pytest.approx(200, rel=0.002)
    assert found.evenness > 0.99
    exact = sum(math.comb(20, b) * math.comb(180, 20 - b) for b in range(5, 21)) / math.comb(200, 20)
    assert found.predicted_confusion == pytest.approx(exact)
    assert found.confusion == pytest.approx(found.predicted_confusion, rel=0.03)


def test_unused_units_do_not_count() -> None:
    codes = SDR.random(100, 10, count=2000, seed=2).dense()
    found = statistics(np.concatenate([codes, np.zeros((2000, 300), bool)], axis=1))
    assert found.effective_n == pytest.approx(100, rel=0.002)
    assert (found.n, found.dead, found.theta) == (400, 300, 5)
    assert found.evenness == pytest.approx(100 * 0.468996 / (400 * 0.168661), rel=0.002)  # binary entropies of 0.1 and of 0.025


def test_padding_counts_for_nothing() -> None:
    x = np.random.default_rng(0).random((3, 7, 9)) * (np.random.default_rng(1).random((3, 7, 9)) < 0.3)
    valid = np.arange(7) < np.array([[7], [4], [1]])
    assert statistics(x, valid) == statistics(x[valid])
    assert statistics(torch.from_numpy(x)) == statistics(x.reshape(21, 9))


def test_batches_give_what_one_array_gives() -> None:
    x = np.random.default_rng(0).random((90, 12)) < 0.3
    observer = Observer(sample=100)
    for part in np.split(x, [10, 10, 55]):
        observer.observe(part)
    assert observer.statistics() == statistics(x, sample=100)


def test_many_codes_are_sampled_evenly_and_repeatably() -> None:
    x = SDR.random(60, 6, count=2000, seed=3).dense()
    found = statistics(x, sample=200, seed=1)
    assert (found.pairs, found.all_pairs) == (200 * 199 // 2, False)
    assert found == statistics(x, sample=200, seed=1) != statistics(x, sample=200, seed=2)
    everything = statistics(x, sample=2000)
    assert found.overlap == pytest.approx(everything.overlap, rel=0.02)
    # Codes of one kind, then of another: a sample of the first alone would miss that two kinds do not overlap.
    kinds = np.repeat(np.eye(2, dtype=bool), 500, axis=0)
    assert statistics(kinds, sample=300).overlap == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_silent_and_saturated_layers(value: float) -> None:
    found = statistics(np.full((4, 5), value))
    assert (found.dead, found.always_on) == ((5, 0) if value == 0 else (0, 5))
    assert (found.entropy, found.confusion, found.predicted_confusion) == (0, value, value)
    assert (found.effective_n, found.effective_a) == (5, 5 * value)


def test_more_codes_and_units_than_are_counted_at_once() -> None:
    x = SDR.random(9_000, 900, count=600, seed=4).dense()
    overlaps = x.astype(np.float32) @ x.T.astype(np.float32)
    expected = np.bincount(overlaps[np.triu_indices(600, 1)].astype(int))
    assert statistics(x).overlap_counts == tuple(expected.tolist())


def test_it_becomes_json() -> None:
    found = statistics(SDR.random(30, 3, count=10).dense())
    assert json.loads(json.dumps(dataclasses.asdict(found)))["codes"] == 10


def test_bad_input_is_one_sentence() -> None:
    x = np.ones((4, 5))
    for bad, sentence in (
        (np.ones(5), r"x: expected activations \[N, n\] or \[B, T, n\], got \[5\]"),
        (np.ones((4, 0)), r"got \[4, 0\]"),
        (np.where(np.eye(4) > 0, np.nan, 0), "x: expected numbers, got NaN"),
        (x[:1], "codes: expected at least 2 to compute overlaps, got 1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            statistics(bad)
    with pytest.raises(TypeError, match="x: expected numbers"):
        statistics(np.full((2, 2), "a"))
    with pytest.raises(ValueError, match=r"valid: expected bool \[4\], got bool \[5\]"):
        statistics(x, np.ones(5, bool))
    with pytest.raises(ValueError, match=r"theta: expected a whole number from 1 to .* got 0"):
        statistics(x, theta=0)
    with pytest.raises(ValueError, match="sample: expected a whole number from 2 to"):
        statistics(x, sample=1)
    observer = Observer()
    observer.observe(x)
    with pytest.raises(ValueError, match="x: expected 5 units as in previous calls, got 3"):
        observer.observe(x[:, :3])


def test_it_needs_neither_torch_nor_numba() -> None:
    code = "import sys, numpy; from dendrix.sdr import statistics; statistics(numpy.eye(3)); print({'torch', 'numba'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
