"""The causal cochlea in whole numbers: near the float one, the same compiled or not and in any chunks, and without overflow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.compiled import compiled
from dendrix.data import Cochlea, IntegerCochlea, PublishedCochlea, bound_cochlea, encoder_from_dict, encoder_to_dict, integer_encoder
from dendrix.data.cochlea.integer_loops import hear, inverse
from dendrix.data.cochlea.nerve import noise_keys
from dendrix.data.speech.integer_base import samples
from dendrix.errors import InputError

EAR = IntegerCochlea(dt_ms=5.0, cells=24, group=4)


def voice(seed: int, size: float, rate: int = 16_000) -> np.ndarray:
    """A chord that swells and fades over noise, 0.4 s."""
    rng, time = np.random.default_rng(seed), np.arange(int(0.4 * rate)) / rate
    tones = sum(np.sin(2 * np.pi * rng.uniform(100, 3500) * time) for _ in range(4))
    wave = size * (np.sin(np.pi * time / 0.4) * tones / 4 + 0.01 * rng.standard_normal(len(time)))
    return (samples(wave) / 32768).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 8_000, 48_000])
@pytest.mark.parametrize("size", [0.9, 0.003])
def test_nearly_all_counts_are_those_of_the_float_cochlea(rate: int, size: float) -> None:
    ear = Cochlea(rate=rate, dt_ms=20.0, cells=140, f_max=3_000.0)
    wave = voice(0, size, rate)
    expected, found = ear.encode(wave).numpy(), integer_encoder(ear, 0).encode(wave).numpy()
    assert expected.sum() > 500
    assert (found != expected).mean() < 0.005
    assert np.abs(found - expected).max() <= 1


def test_the_loop_gives_the_same_uncompiled() -> None:
    ear = replace(EAR, cells=6, group=3, f_min=800.0, gain=8.0)
    pcm = samples(voice(1, 0.8))[2500:3140]
    expected, after = ear.run(pcm, ear.init_state())
    state, frames = ear.init_state(), np.zeros((8, 2), np.int64)
    keys = compiled(noise_keys)(pcm.astype(np.float32) / np.float32(32768), state.key)
    with np.errstate(over="ignore"):
        hear(pcm, keys, ear.tables(), state.arrays, ear.hop, ear.group, frames)
    assert expected.sum() > 10
    assert np.array_equal(frames, expected)
    assert all(np.array_equal(*pair) for pair in zip(state.arrays, after.arrays, strict=True))


@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_chunks_give_the_whole(cuts: list[int]) -> None:
    wave = voice(2, 0.5)[1000:4000]
    found, state = [], None
    for chunk in np.split(wave, sorted(cuts)):
        frames, state = EAR.stream(chunk, state)
        found.append(frames.numpy())
    assert np.array_equal(np.concatenate(found), EAR.encode(wave)[: 3000 // EAR.hop].numpy())


def test_quotients_are_precise() -> None:
    x = np.random.default_rng(0).integers(2**26, 2**32, 1000)
    assert max(abs(compiled(inverse)(value) * int(value) / 2**59 - 1) for value in [*x, 2**26, 2**32 - 1, 2**31]) < 2**-22


def test_no_sound_overflows() -> None:
    bounds, tables = bound_cochlea(EAR), EAR.tables()
    assert bounds.proven
    rng = np.random.default_rng(0)
    # A tone of every filter at full scale comes near its bound; the sign of the motion drives it further.
    loud = [np.where(np.sin(2 * np.pi * f * np.arange(4000) / 16_000) < 0, -32768, 32767) for f in np.geomspace(100, 7000, 12)]
    largest = np.zeros(4)
    for pcm in (*loud, rng.integers(-32768, 32768, 4000), np.full(4000, -32768)):
        state = EAR.init_state()
        for chunk in np.split(pcm.astype(np.int64), 50):
            _, state = EAR.run(chunk, state)
            largest = np.maximum(largest, np.abs(state.arrays.last.astype(np.int64)).max(1))
            assert 0 <= state.arrays.w.min() <= state.arrays.w.max() <= bounds.reprocessing
            assert state.arrays.q.min() >= 0 <= state.arrays.c.min()
            assert state.arrays.current.max() <= bounds.current
    assert (largest <= bounds.filters).all()
    assert largest[-1] > 0.1 * bounds.filters[-1]
    assert tables.shift == 21


def test_it_is_saved_by_its_fields() -> None:
    assert encoder_from_dict(encoder_to_dict(EAR)) == EAR
    assert integer_encoder(Cochlea(seed=3), 0) == IntegerCochlea(seed=3)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (dict(rate=4_000, f_max=1_000.0), "rate"),
        (dict(floor=1e-6), "floor"),
        (dict(floor=0.9), "floor"),
        (dict(gain=float("nan")), "gain"),
        (dict(cells=5000, group=5), "cells"),
        (dict(cells=7, group=2), "group"),
        (dict(f_max=9_000.0), "f_max"),
        (dict(seed=-1), "seed"),
        (dict(seed=0.5), "seed"),
        (dict(release_ms=0.0), "release_ms"),
    ],
)
def test_fields_without_an_integer_form(fields: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        IntegerCochlea(**fields)


@pytest.mark.parametrize("fields", [dict(gain=90.0), dict(quality=1e6)], ids=str)
def test_filters_that_overflow_are_refused(fields: dict[str, float]) -> None:
    """Those that hardly decay too, whose sums are not known."""
    with pytest.raises(InputError, match="Lower the gain"):
        replace(EAR, **fields).tables()


def test_other_encoders_are_named() -> None:
    with pytest.raises(InputError, match="got PublishedCochlea, which has no integer form"):
        integer_encoder(PublishedCochlea(), 0)
