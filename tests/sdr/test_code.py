"""Codes: every form holds the same bits, set operations are those of sets, random ones are uniform, files are whole or refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dendrix.sdr import SDR, stack

DENSE = st.tuples(st.integers(0, 5), st.integers(1, 150)).flatmap(lambda shape: arrays(bool, shape))


@given(DENSE)
@settings(deadline=None, max_examples=50)
def test_every_form_holds_the_same_bits(x: np.ndarray) -> None:
    code, n = SDR.from_dense(x), x.shape[1]
    assert np.array_equal(code.dense(), x)
    assert code.counts.tolist() == x.sum(1).tolist()
    assert SDR.from_packed(n, code.packed()) == code
    assert SDR.from_indices(n, [one.cells[::-1] for one in code]) == code
    assert SDR(n, code.starts, code.cells) == code
    bits = code.packed()[:, np.arange(n) // 64] >> (np.arange(n) % 64).astype(np.uint64) & np.uint64(1)
    assert np.array_equal(bits.astype(bool), x)


@given(st.integers(1, 100).flatmap(lambda n: st.tuples(arrays(bool, (4, n)), arrays(bool, (4, n)))), st.booleans())
@settings(deadline=None, max_examples=50)
def test_operations_go_code_by_code(pair: tuple[np.ndarray, np.ndarray], single: bool) -> None:
    x, y = pair[0][:1] if single else pair[0], pair[1]
    a, b = SDR.from_dense(x), SDR.from_dense(y)
    assert np.array_equal((a & b).dense(), x & y)
    assert np.array_equal((b & a).dense(), x & y)
    assert np.array_equal((a | b).dense(), x | y)
    assert a.overlap(b).tolist() == (x & y).sum(1).tolist()
    assert np.array_equal(b.union().dense()[0], y.any(0))
    assert np.array_equal(stack([a, b]).dense(), np.concatenate([x, y]))


@given(DENSE, st.data())
@settings(deadline=None, max_examples=50)
def test_codes_are_picked_as_rows_are(x: np.ndarray, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.lists(st.integers(-len(x), len(x) - 1), max_size=4)) if len(x) else [], np.int64)
    code = SDR.from_dense(x)
    assert np.array_equal(code[rows].dense(), x[rows])
    assert np.array_equal(code[1:3].dense(), x[1:3])
    assert [one.cells.tolist() for one in code] == [np.flatnonzero(row).tolist() for row in x]


@given(st.integers(1, 80), st.data())
@settings(deadline=None, max_examples=50)
def test_noise_moves_exactly_v_bits_to_silent_places(n: int, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, n))
    v = data.draw(st.integers(0, min(a, n - a)))
    code = SDR.random(n, a, count=5, seed=1)
    noisy = code.noise(v, seed=2)
    assert code.counts.tolist() == noisy.counts.tolist() == [a] * 5
    assert code.overlap(noisy).tolist() == [a - v] * 5
    s = data.draw(st.integers(0, a))
    part = code.subsample(s, seed=3)
    assert part.counts.tolist() == part.overlap(code).tolist() == [s] * 5


def test_noise_of_codes_that_differ_in_size() -> None:
    code = SDR.from_indices(6, [[0, 1, 2, 3], [5], [1, 4]])
    noisy = code.noise(1, seed=0)
    assert noisy.counts.tolist() == [4, 1, 2]
    assert code.overlap(noisy).tolist() == [3, 0, 1]


@pytest.mark.parametrize("a", [2, 3])  # both sides of n / 2: the subset is drawn, or its complement
def test_random_codes_are_uniform(a: int) -> None:
    chance = {2: 10, 3: 10}[a]  # C(5, 2) = C(5, 3)
    drawn = SDR.random(5, a, count=20_000, seed=4).dense() @ (1 << np.arange(5))
    noisy = stack([SDR.from_indices(5, [[0, 3]])] * 20_000).noise(2, seed=5).dense() @ (1 << np.arange(5))
    codes, times = np.unique(drawn, return_counts=True)
    assert len(codes) == chance
    # Five standard deviations of a binomial count.
    assert np.abs(times - 20_000 / chance).max() < 5 * np.sqrt(20_000 / chance)
    codes, times = np.unique(noisy, return_counts=True)
    assert codes.tolist() == [0b00110, 0b10010, 0b10100]
    assert np.abs(times - 20_000 / 3).max() < 5 * np.sqrt(20_000 * 2 / 9)


def test_a_seed_repeats_and_a_generator_goes_on() -> None:
    assert SDR.random(50, 5, seed=1) == SDR.random(50, 5, seed=1) != SDR.random(50, 5, seed=2)
    rng = np.random.default_rng(0)
    assert SDR.random(50, 5, seed=rng) != SDR.random(50, 5, seed=rng)
    assert SDR.random(50, 5) != SDR.random(50, 5)


def test_codes_do_not_change() -> None:
    code = SDR.random(20, 3)
    with pytest.raises(ValueError, match="read-only"):
        code.cells[0] = 1
    cells = np.array([1, 2])
    code = SDR(9, np.array([0, 2]), cells)
    cells[0] = 0
    assert code.cells.tolist() == [1, 2]


def test_describes_itself() -> None:
    assert repr(SDR.from_indices(9, [[4, 2]])) == "SDR(n=9, codes=1, [2, 4])"
    assert repr(SDR.random(9, 3, count=2)) == "SDR(n=9, codes=2, 6 active)"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SDR.from_indices(5, [[0, 5]]), "cells: expected indices from 0 to 4, got 5"),
        (lambda: SDR.from_indices(5, [[-1, 2]]), "cells: expected indices from 0 to 4, got -1"),
        (lambda: SDR.from_indices(5, [[1, 1]]), "cells: expected ascending indices, each once per code"),
        (lambda: SDR.from_indices(5, [1, 2]), "codes: expected one list of cells per code"),
        (lambda: SDR.from_indices(5, [[0.5]]), "codes: expected whole numbers, got float64"),
        (lambda: SDR.from_indices(0, [[]]), "n: expected a whole number from 1 to"),
        (lambda: SDR(5, np.array([0, 2]), np.array([2, 1])), "cells: expected ascending indices"),
        (lambda: SDR(5, np.array([0, 3]), np.array([1, 2])), "starts: expected ascending offsets from 0 to 2, the number of cells"),
        (lambda: SDR.from_dense(np.array([0, 2])), "x: expected zeros and ones"),
        (lambda: SDR.from_dense(np.array([0, np.nan])), "x: expected zeros and ones"),
        (lambda: SDR.from_dense(np.zeros((1, 2, 3))), "x: expected [N, n] or [n], got [1, 2, 3]"),
        (lambda: SDR.from_packed(70, np.zeros((1, 1), np.uint64)), "words: expected uint64 [N, 2] for n = 70"),
        (lambda: SDR.from_packed(3, np.array([[8]], np.uint64)), "words: expected no bit beyond n = 3"),
        (lambda: SDR.random(5, 6), "a: expected a whole number from 0 to 5, got 6"),
        (lambda: SDR.random(5, 2.5), "a: expected a whole number from 0 to 5, got 2.5"),
        (lambda: SDR.random(5, 2, -1), "count: expected a whole number from 0 to"),
        (lambda: SDR(7.0, np.array([0]), np.array([])), "n: expected a whole number from 1 to 2147483647, got 7.0"),
        (lambda: SDR.random(10, 6).noise(5), "v: expected a whole number from 0 to 4, got 5"),
        (lambda: SDR.random(10, 6).subsample(7), "s: expected a whole number from 0 to 6, got 7"),
        (lambda: SDR.random(10, 6) & SDR.random(11, 6), "n: expected codes of the same length, got 10 and 11"),
        (lambda: SDR.random(9, 1, 2) | SDR.random(9, 1, 3), "codes: expected two batches of the same size, or one code, got 2 and 3"),
        (lambda: stack([]), "batches: expected at least one"),
        (lambda: stack([SDR.random(9, 1), SDR.random(8, 1)]), "batches: expected at least one, all of one n, got n of [8, 9]"),
    ],
)
def test_bad_input_is_one_sentence(make: object, sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(sentence)) as error:
        make()  # type: ignore[operator]
    assert "\n" not in str(error.value)


def test_files_keep_codes(tmp_path: Path) -> None:
    code = stack([SDR.random(300, 7, count=4), SDR.from_indices(300, [[]])])
    code.save(tmp_path / "codes.npz")
    assert SDR.load(tmp_path / "codes.npz") == code
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    SDR.random(300, 7, count=400, seed=0).save(path)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"codes\.npz: expected codes written by SDR\.save"):
            SDR.load(path)
    for place in generator.integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            loaded = SDR.load(path)
        except ValueError:
            continue
        assert loaded == SDR.random(300, 7, count=400, seed=0)  # the byte meant nothing, such as a date
    np.savez(path, n=np.array(3), cells=np.arange(3))
    with pytest.raises(ValueError, match="starts"):
        SDR.load(path)
    np.savez(path, n=np.array(3), starts=np.array([0, 1]), cells=np.array([{}]))
    with pytest.raises(ValueError, match="expected codes written by SDR"):
        SDR.load(path)
    with pytest.raises(FileNotFoundError):
        SDR.load(tmp_path / "absent.npz")
