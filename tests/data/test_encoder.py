"""What holds for every encoder."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.data import (
    ENCODERS,
    CausalEncoder,
    Cochlea,
    EvenMel,
    IntegerCochlea,
    IntegerMel,
    LogMel,
    MelLatency,
    MelLevels,
    MelLIF,
    MelRate,
    PublishedCochlea,
    PublishedMel,
    encoder_from_dict,
    encoder_to_dict,
)

EXAMPLES = [
    Cochlea(cells=20, group=2, seed=3),
    EvenMel(n_mels=12),
    EvenMel(n_mels=12, centred=True),
    IntegerCochlea(cells=20, group=2, seed=3),
    IntegerMel(n_mels=12),
    LogMel(n_mels=12),
    MelLatency(n_mels=12, window_steps=4),
    MelLevels(n_mels=12),
    MelLIF(n_mels=12),
    MelRate(n_mels=12, seed=3),
    PublishedCochlea(group=50),
    PublishedMel(n_mels=12, f_max=4_000.0),
]
CAUSAL = [encoder for encoder in EXAMPLES if isinstance(encoder, CausalEncoder)]


def sound(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_every_encoder_is_tried():
    assert {type(encoder).__name__ for encoder in EXAMPLES} == set(ENCODERS)


@pytest.mark.parametrize("encoder", EXAMPLES, ids=lambda e: type(e).__name__)
def test_shape_and_repetition(encoder):
    wave = sound(1_234)
    before = wave.copy()
    x = encoder(wave, encoder.rate)
    frames = -(-1_234 // encoder.hop)
    assert x.shape == (frames, encoder.channels)
    assert x.dtype == torch.float32
    assert torch.equal(x, encoder(wave, encoder.rate))
    assert np.array_equal(wave, before)


@pytest.mark.parametrize("encoder", EXAMPLES, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("samples", [1, 2, 7])
def test_a_very_short_clip_is_one_frame(encoder, samples):
    x = encoder(sound(samples), encoder.rate)
    assert len(x) == 1
    assert torch.isfinite(x).all()


@pytest.mark.parametrize("encoder", EXAMPLES, ids=lambda e: type(e).__name__)
def test_round_trip_through_json(encoder):
    assert encoder_from_dict(json.loads(json.dumps(encoder_to_dict(encoder)))) == encoder


@pytest.mark.parametrize("encoder", CAUSAL, ids=lambda e: type(e).__name__)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 2_000), max_size=6), samples=st.integers(0, 2_000))
def test_chunks_give_what_the_whole_gives(encoder, cuts, samples):
    wave = sound(samples)
    ends = sorted(min(cut, samples) for cut in cuts)
    frames, state = [], None
    for start, end in zip([0, *ends], [*ends, samples], strict=True):
        x, state = encoder.stream(wave[start:end], state)
        frames.append(x)
    whole = encoder.stream(wave)[0]
    assert torch.equal(torch.cat(frames), whole)
    assert len(whole) == samples // encoder.hop


@pytest.mark.parametrize("encoder", CAUSAL, ids=lambda e: type(e).__name__)
def test_the_call_is_the_stream_filled_up_with_silence(encoder):
    wave = sound(3 * encoder.hop + 5)
    filled = np.pad(wave, (0, encoder.hop - 5))
    assert torch.equal(encoder(wave, encoder.rate), encoder.stream(filled)[0])


@pytest.mark.parametrize("encoder", CAUSAL, ids=lambda e: type(e).__name__)
def test_the_future_does_not_change_the_past(encoder):
    wave, hop = sound(10 * encoder.hop), encoder.hop
    changed = np.concatenate([wave[: 6 * hop], 5 * wave[6 * hop :]])
    assert torch.equal(encoder.stream(wave)[0][:6], encoder.stream(changed)[0][:6])


@pytest.mark.parametrize("encoder", CAUSAL, ids=lambda e: type(e).__name__)
def test_a_state_can_be_used_twice(encoder):
    wave = sound(8 * encoder.hop)
    _, state = encoder.stream(wave[: 4 * encoder.hop])
    first, second = (encoder.stream(wave[4 * encoder.hop :], state)[0] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("encoder", [Cochlea(cells=20, group=2), MelRate(), PublishedCochlea(group=50)], ids=lambda e: type(e).__name__)
def test_the_seed_chooses_the_noise(encoder):
    wave = sound(encoder.rate // 5)
    other = encoder_from_dict({**encoder_to_dict(encoder), "seed": 1})
    assert not torch.equal(encoder(wave, encoder.rate), other(wave, encoder.rate))


def test_bad_waves_are_refused():
    with pytest.raises(ValueError, match=r"expected mono samples \[N\]"):
        LogMel()(np.zeros((100, 2), np.float32), 8_000)
    with pytest.raises(ValueError, match="expected mono samples"):
        LogMel()(np.zeros(0, np.float32), 8_000)
    with pytest.raises(ValueError, match="nan at sample 3"):
        LogMel()(np.array([0, 0, 0, np.nan], np.float32), 8_000)


def test_unknown_encoders_and_fields_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'LogMel'"):
        encoder_from_dict({"encoder": "LogMell"})
    with pytest.raises(ValueError, match="got colour"):
        encoder_from_dict({"encoder": "LogMel", "colour": 3})
