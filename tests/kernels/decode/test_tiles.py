"""Tiles add what numpy adds, to the bit where the order allows, and touch no sums of other outputs."""

from typing import Any

import numpy as np
import pytest

from dendrix.kernels.decode import tiles
from dendrix.kernels.numba.specialise import specialise

INPUTS, WIDTH = 70, 128
tile: Any = None  # bound by `specialise`
bits_above: Any = None
lowest_bit: Any = None


def call_all(x: Any, weights: Any, sums: Any) -> None:
    tile(x, 3, 80, weights, 64, 128, 70, sums, 5, 200)


def call_active(x: Any, active: Any, weights: Any, sums: Any) -> None:
    tile(x, 3, active, 1, len(active) - 1, weights, 64, 128, sums, 5)


def call_spikes(places: Any, count: Any, weights: Any, sums: Any) -> None:
    tile(places, 0, count, weights, 64, sums, 5)


def call_bits(x: Any, sign: Any, level: Any, found: Any) -> None:
    bits = bits_above(x, 3, sign, level)
    while bits != 0:
        found[lowest_bit(bits)] += 1
        bits &= bits - 1


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def weights_of(kind: str, random: np.random.Generator) -> tuple[Any, Any]:
    """Packed weights, and the same as float32 [inputs, width]."""
    if kind == "int8":
        packed = random.integers(-127, 128, INPUTS * WIDTH).astype(np.int8)
        return packed, packed.reshape(INPUTS, WIDTH).astype(np.float32)
    floats = random.standard_normal(INPUTS * WIDTH).astype(np.float32)
    if kind == "float32":
        return floats, floats.reshape(INPUTS, WIDTH)
    bits = (floats.view(np.int32) >> 16).astype(np.int16)
    return bits, (bits.astype(np.int32) << 16).view(np.float32).reshape(INPUTS, WIDTH)


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("rows", [1, 4])
def test_all_inputs(kind: str, rows: int, random: np.random.Generator) -> None:
    packed, floats = weights_of(kind, random)
    x = random.standard_normal((rows, 80)).astype(np.float32)
    sums = np.ones((rows, 200), np.float32)
    expected = sums.copy()
    expected[:, 5:69] += x.astype(float)[:, 3:73] @ floats[:, 64:]
    specialise(call_all, tile=tiles.all_inputs(kind, rows, 64))(x, packed, sums)
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-5 * abs(expected).max())
    assert (sums[:, :5] == 1).all()
    assert (sums[:, 69:] == 1).all()


@pytest.mark.parametrize("kind", ["bfloat16", "int8"])
def test_active_inputs_equal_all_inputs_to_the_bit(kind: str, random: np.random.Generator) -> None:
    packed, _ = weights_of(kind, random)
    x = (random.standard_normal((1, 80)) * (random.random((1, 80)) < 0.4)).astype(np.float32)
    active = np.concatenate([[69], np.flatnonzero(x[0, 3:73])]).astype(np.int32)
    found, expected = np.zeros((1, 200), np.float32), np.zeros((1, 200), np.float32)
    specialise(call_active, tile=tiles.active_inputs(kind, 64))(x, active, packed, found)
    specialise(call_all, tile=tiles.all_inputs(kind, 1, 64))(x, packed, expected)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("count", [0, 1, 256])
def test_spikes_are_summed_exactly(count: int, random: np.random.Generator) -> None:
    packed, _ = weights_of("int8", random)
    packed[WIDTH:] = 127  # the sums of 256 rows, plus 128 each, are near the end of 16 bits
    packed[-WIDTH:] = np.where(np.arange(WIDTH) % 3, -127, 127)
    rows = random.integers(1, INPUTS, count) if count < 256 else np.full(count, INPUTS - 1)
    places = np.concatenate([rows * WIDTH, np.zeros(tiles.AHEAD, int)])
    sums = np.full((1, 200), 9, np.int32)
    specialise(call_spikes, tile=tiles.spikes(64))(places, count, packed ^ np.int8(-128), sums)
    assert np.array_equal(sums[0, 5:69], 9 + packed.reshape(INPUTS, WIDTH)[rows, 64:].astype(int).sum(0))
    assert (sums[0, :5] == 9).all()
    assert (sums[0, 69:] == 9).all()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("level", [0, 1])
def test_bits_name_the_numbers_above_a_level(sign: int, level: int, random: np.random.Generator) -> None:
    x = random.integers(-2, 3, (1, 80)).astype(np.float32)
    x[0, [3, 66]] = 2 * sign  # the first number and the last one
    found = np.zeros(64, int)
    specialise(call_bits, bits_above=tiles.bits_above, lowest_bit=tiles.lowest_bit)(x, np.float32(sign), np.float32(level), found)
    assert np.array_equal(found, x[0, 3:67] * sign > level)
    assert found[0] == found[63] == 1


def test_slices_of_columns_are_refused(random: np.random.Generator) -> None:
    packed, _ = weights_of("int8", random)
    with pytest.raises(Exception, match="expected contiguous arrays"):
        specialise(call_all, tile=tiles.all_inputs("int8", 1, 64))(
            np.ones((2, 160), np.float32)[:, ::2], packed, np.zeros((1, 200), np.float32)
        )
