"""The search finds what a dense product finds, whatever was inserted and deleted before and however it is stored."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dendrix.sdr import SDR, SegmentIndex, stack
from dendrix.sdr.layouts import Lists, Packed, Postings, lay_out


def codes(n: int, density: float, count: int, seed: int) -> SDR:
    """Codes that differ in size; the first is empty, the second full."""
    dense = np.random.default_rng(seed).random((count, n)) < density
    dense[:1], dense[1:2] = False, True
    return SDR.from_dense(dense)


def products(probes: SDR, segments: SDR) -> np.ndarray:
    return probes.dense().astype(np.int64) @ segments.dense().T.astype(np.int64)


@pytest.mark.parametrize("layout", [Lists, Postings, Packed])
@given(n=st.integers(1, 200), density=st.floats(0, 1), segments=st.integers(0, 30), probes=st.integers(0, 5), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=25)
def test_every_layout_counts_and_gives_back(layout: type, n: int, density: float, segments: int, probes: int, seed: int) -> None:
    stored, asked = codes(n, density, segments, seed), codes(n, 0.3, probes, seed + 1)
    counts = np.full((probes, segments + 3), 7, np.int16)
    found = layout(stored)
    found.count(asked, counts, 2)
    assert np.array_equal(counts[:, 2:-1], products(asked, stored) + 7)
    assert (counts[:, [0, 1, -1]] == 7).all()
    assert found.codes() == stored
    assert found.nbytes > 0 or not segments


def test_density_chooses_the_layout() -> None:
    assert isinstance(lay_out(SDR.random(1024, 31)), Lists)
    assert isinstance(lay_out(SDR.random(1024, 32)), Postings)
    assert isinstance(lay_out(SDR.random(1024, 64, count=8)), Postings)
    assert isinstance(lay_out(SDR.random(1024, 65, count=8)), Packed)


class Learning(RuleBasedStateMachine):
    """Insert and delete in any order, beside a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.index = SegmentIndex(100)
        self.stored = SDR.from_indices(100, [])
        self.there = np.zeros(0, bool)
        self.probes = codes(100, 0.3, 6, seed=9)

    @rule(count=st.integers(0, 40), a=st.integers(0, 3) | st.integers(0, 100), seed=st.integers(0, 99))
    def insert(self, count: int, a: int, seed: int) -> None:
        fresh = SDR.random(100, a, count, seed)
        assert self.index.insert(fresh).tolist() == list(range(len(self.stored), len(self.stored) + count))
        self.stored, self.there = stack([self.stored, fresh]), np.append(self.there, np.ones(count, bool))

    @rule(share=st.floats(0, 1), seed=st.integers(0, 99))
    def delete(self, share: float, seed: int) -> None:
        living = np.flatnonzero(self.there)
        chosen = np.random.default_rng(seed).permutation(living)[: int(share * len(living))]
        self.index.delete(chosen)
        self.there[chosen] = False

    @invariant()
    def finds_the_same(self) -> None:
        expected = np.where(self.there, products(self.probes, self.stored), -1)
        assert len(self.index) == self.there.sum()
        assert np.array_equal(self.index.overlaps(self.probes), expected)
        for theta in (-1, 0, 1, 3, 101):
            matches = self.index.matches(self.probes, theta)
            probe, segment = np.nonzero(expected >= max(theta, 0))
            assert np.array_equal(matches.segments, segment)
            assert np.array_equal(matches.overlaps, expected[probe, segment])
            assert np.array_equal(np.diff(matches.starts), np.bincount(probe, minlength=6))


TestLearning = Learning.TestCase
TestLearning.settings = settings(deadline=None, max_examples=12, stateful_step_count=10)


def test_more_segments_than_a_run_holds() -> None:
    """Runs fill, join and split; more probes come than have their counts held at once."""
    index, segments = SegmentIndex(100), SDR.random(100, 3, count=2**16 + 5_000, seed=1)
    for low in range(0, len(segments), 11_000):
        index.insert(segments[low : low + 11_000])
    gone = np.arange(60_000, 70_000, 3)
    index.delete(gone)
    probes = SDR.random(100, 20, count=9, seed=2)
    expected = probes.dense().astype(np.int16)[:, segments.cells].reshape(9, -1, 3).sum(2)
    expected[:, gone] = -1
    assert np.array_equal(index.overlaps(probes), expected)
    matches = index.matches(probes, 3)
    assert np.array_equal(matches.segments, np.nonzero(expected == 3)[1])
    assert np.array_equal(np.diff(matches.starts), (expected == 3).sum(1))


@pytest.mark.parametrize("sizes", [[1] * 200, range(60, 0, -1), range(1, 60), [50, 1] * 30])
def test_runs_stay_few_in_any_order(sizes: list[int]) -> None:
    index = SegmentIndex(100)
    for count in sizes:
        index.insert(SDR.random(100, 3, count))
    assert len(index._runs) <= 1 + np.log2(len(index))


def test_deleted_segments_free_their_memory() -> None:
    index = SegmentIndex(256)
    ids = index.insert(SDR.random(256, 10, count=4096, seed=1))
    before = index.nbytes
    index.delete(ids[:3000])
    assert index.nbytes < 0.6 * before
    assert len(index) == 1096
    # Two bytes per posting, two per segment, four per list.
    assert index.nbytes == 1096 * 10 * 2 + 4096 * 2 + 257 * 4


def test_queries_may_run_in_threads() -> None:
    index = SegmentIndex(512)
    index.insert(SDR.random(512, 10, count=3000, seed=2))
    probes = SDR.random(512, 50, count=64, seed=3)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(index.overlaps, [probes[i : i + 8] for i in range(0, 64, 8)]))
    assert np.array_equal(np.concatenate(parts), index.overlaps(probes))


def test_an_empty_index_answers() -> None:
    index = SegmentIndex(10)
    assert len(index) == 0
    assert index.overlaps(SDR.random(10, 2, count=3)).shape == (3, 0)
    assert index.matches(SDR.random(10, 2, count=3), 1).starts.tolist() == [0, 0, 0, 0]
    assert index.insert(SDR.from_indices(10, [])).tolist() == []


def test_bad_input_is_one_sentence_and_changes_nothing() -> None:
    index = SegmentIndex(10)
    index.insert(SDR.random(10, 2, count=3))
    with pytest.raises(ValueError, match="probes: expected codes of n = 10 bits, got 11"):
        index.matches(SDR.random(11, 2), 1)
    with pytest.raises(ValueError, match="segments: expected codes of n = 10 bits, got 11"):
        index.insert(SDR.random(11, 2))
    with pytest.raises(ValueError, match="ids: expected ids returned by insert, below 3"):
        index.delete([0, 3])
    index.delete(1)
    with pytest.raises(ValueError, match="one that is already deleted or repeated"):
        index.delete([0, 1])
    with pytest.raises(ValueError, match="one that is already deleted or repeated"):
        index.delete([2, 2])
    with pytest.raises(TypeError, match="ids: expected whole numbers, got float64"):
        index.delete([0.5])
    with pytest.raises(ValueError, match=r"theta: expected a whole number .* got nan"):
        index.matches(SDR.random(10, 2), float("nan"))
    assert len(index) == 2
    with pytest.raises(ValueError, match="at most 32767 synapses each, got 40000"):
        SegmentIndex(40_000).insert(SDR.random(40_000, 40_000))
    with pytest.raises(ValueError, match="n: expected a whole number from 1 to"):
        SegmentIndex(0)
