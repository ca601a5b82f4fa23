import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.data import LogMel, PublishedMel
from dendrix.errors import InputError
from dendrix.models import DelayNetConfig
from dendrix.sdr import stack
from dendrix.teach import (
    Backbone,
    Coder,
    CodeSettings,
    SpeechDetector,
    Vocabulary,
    augmented,
    features_and_looks,
    fit_backbone,
    listen_for,
    look_frames,
    speech_features,
    spoken_words,
)

RATE = 8_000
ENCODER = LogMel(n_mels=12, mean=-8.0, std=2.0)


def spoken(word: int, seed: int = 0) -> np.ndarray:
    """A word made of three tones, 0.4 s, with silence around, 0.9 s in all."""
    tones = np.random.default_rng(word).choice(np.arange(300, 3600, 300), 3, replace=False)
    rng = np.random.default_rng([word, seed])
    time = np.arange(RATE // 8) / RATE
    sound = np.concatenate([np.sin(2 * np.pi * tone * (1 + 0.01 * rng.normal()) * time) for tone in tones])
    padded = np.pad(0.3 * sound, (RATE // 4, int(0.9 * RATE) - RATE // 4 - len(sound)))
    return (padded + 1e-4 * rng.normal(size=len(padded))).astype(np.float32)


@pytest.fixture(scope="module")
def coder() -> Coder:
    torch.manual_seed(0)
    network = DelayNetConfig(inputs=12, outputs=8, hidden=(48,), max_delay_ms=100.0, dropout=0.0).build().eval()
    frames = [ENCODER(spoken(word, seed), RATE) for word in range(8) for seed in range(12)]
    code = CodeSettings(rank=16)
    features, looks = features_and_looks(network, frames, 10.0, code)
    speaker = np.tile(np.repeat(np.arange(3), 4), 8)
    backbone = fit_backbone(features, np.repeat(np.arange(8), 12), speaker, tuple("abcdefgh"), code, looks=looks)
    return Coder(network, ENCODER, backbone)


@pytest.fixture(scope="module")
def vocabulary(coder: Coder) -> Vocabulary:
    found = Vocabulary(coder.backbone)
    for word in (20, 21):
        found.teach(f"word {word}", stack([coder.backbone.codes(coder.word(spoken(word, seed), RATE)) for seed in range(3)]), 0.2)
    return found


def test_clips_are_recognised(coder, vocabulary):
    for word in (20, 21):
        features = np.concatenate([coder.clip(spoken(word, seed), RATE) for seed in range(3, 13)])
        assert [one.label for one in vocabulary.decide(coder.backbone.codes(features))].count(f"word {word}") >= 8


def test_a_stream_gives_each_word_once_when_it_has_ended(coder, vocabulary):
    order = [20, 21, 20, 21]
    wave = np.concatenate([spoken(word, 30 + i) for i, word in enumerate(order)])
    found = list(listen_for(vocabulary, coder, [wave], early=False))
    assert [event.word for event in found] == [f"word {word}" for word in order]
    assert not any(event.early for event in found)
    for i, event in enumerate(found):
        assert event.time_s == pytest.approx(0.9 * i + 0.25, abs=0.06)
        assert 0.6 <= event.end_s - event.time_s <= 0.95  # the word, and 300 ms
        assert event.false_alarms_per_hour > 0


def test_a_word_whose_beginning_suffices_is_announced_before_it_has_ended(coder, vocabulary):
    order = [20, 21, 20, 21]
    wave = np.concatenate([spoken(word, 30 + i) for i, word in enumerate(order)])
    usual = list(listen_for(vocabulary, coder, [wave], early=False))
    found = list(listen_for(vocabulary, coder, [wave]))
    assert [event.word for event in found] == [event.word for event in usual]  # each once, although it ends after it is announced
    assert any(event.early for event in found)
    for event, at_end in zip(found, usual, strict=True):
        assert event.end_s < at_end.end_s if event.early else event.end_s == at_end.end_s
        assert event.score >= vocabulary.early_threshold(event.word)


def test_beginnings_are_coded_at_fixed_times(coder):
    looks = [length for length, _ in zip(look_frames(10.0), range(3), strict=False)]
    assert looks == [60, 80, 100]
    found = list(spoken_words(coder, [spoken(20, 70), spoken(21, 70)], early=True))
    assert [(one.number, one.ended) for one in found] == [(1, False), (1, True), (2, False), (2, True)]
    assert found[0].heard_ms - found[0].onset_ms == pytest.approx(600, abs=50)
    clip = [ENCODER(spoken(20, 70), RATE)]
    whole, (beginning,) = features_and_looks(coder.network, clip, 10.0, coder.backbone.settings)
    assert np.array_equal(whole, speech_features(coder.network, clip, 10.0, coder.backbone.settings))
    assert beginning.shape == (1, whole.shape[1])
    assert (beginning.sum(1) <= whole.sum(1)).all()


def test_words_that_must_end_have_no_early_threshold(coder, vocabulary):
    assert vocabulary.early_threshold("word 20") >= vocabulary["word 20"].theta
    plain = Vocabulary(dataclasses.replace(coder.backbone, early=None))
    plain.teach("word", vocabulary["word 20"].codes, 0.2)
    assert plain.early_threshold("word") is None
    assert [event.early for event in listen_for(plain, coder, [spoken(20)])] == [False]
    vetoed = Vocabulary(coder.backbone)
    vetoed.teach("word", vocabulary["word 20"].codes, 0.2, veto=True)
    assert vetoed.early_threshold("word") is None


def test_augmented_copies_change_pitch_and_tempo(coder):
    x = ENCODER(spoken(20), RATE)
    copies = augmented(x)
    assert [len(copy) for copy in copies] == [len(x)] * 3 + [round(1.12 * len(x)), round(0.88 * len(x))]
    assert torch.equal(copies[0], x)
    assert torch.equal(copies[1][:, 1:], x[:, :-1]) or torch.equal(copies[1][:, :-1], x[:, 1:])
    mean = coder.word(spoken(20), RATE, augment=True)
    assert mean.shape == coder.word(spoken(20), RATE).shape
    assert np.allclose(mean[0], coder.features(copies).mean(0))


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 6000), min_size=1, max_size=6))
def test_the_chunks_do_not_matter(coder, vocabulary, sizes):
    wave = np.concatenate([spoken(20, 50), spoken(21, 51)])
    edges = np.cumsum(sizes)
    whole = list(listen_for(vocabulary, coder, [wave]))
    parts = list(listen_for(vocabulary, coder, np.split(wave, edges[edges < len(wave)])))
    assert [(e.word, e.time_s, e.score) for e in parts] == [(e.word, e.time_s, e.score) for e in whole]
    assert len(whole) == 2


def test_refractory_time_suppresses_a_repeated_word(coder, vocabulary):
    wave = np.concatenate([spoken(20, 60), spoken(20, 61)])
    assert len(list(listen_for(vocabulary, coder, [wave], refractory_ms=0))) == 2
    assert len(list(listen_for(vocabulary, coder, [wave], refractory_ms=5000))) == 1


def test_the_detector_finds_words_and_pauses():
    detector = SpeechDetector()
    one = ENCODER(spoken(20), RATE)
    (span,) = detector.words(one, 10.0)
    assert span.onset == pytest.approx(25, abs=4)
    assert span.offset == pytest.approx(62, abs=4)
    assert len(detector.words(ENCODER(np.concatenate([spoken(20), spoken(21)]), RATE), 10.0)) == 2
    assert detector.span(torch.zeros(50, 12), 10.0) is None
    assert detector.words(torch.zeros(0, 12), 10.0) == []
    loud = detector.words(ENCODER(3 * spoken(20), RATE), 10.0)
    assert loud[0].onset == pytest.approx(span.onset, abs=2)


def test_bad_recordings_are_refused(coder):
    for wave, message in (
        (np.zeros(RATE, np.float32), "silence"),
        (np.sign(spoken(20)).astype(np.float32), "clipped"),
        (np.concatenate([spoken(20), spoken(21)]), "found 2, at 0.2"),
        (np.full(RATE, 0.01, np.float32), "no speech"),
        (np.zeros(0, np.float32), "mono samples"),
        (np.full(RATE, np.nan, np.float32), "finite"),
    ):
        with pytest.raises(InputError, match=message):
            coder.word(wave, RATE, "x.wav")


def test_long_recordings_become_many_sounds(coder):
    wave = np.concatenate([spoken(word) for word in range(30, 36)])
    assert 5 <= len(coder.sounds(wave, RATE)) <= 9
    with pytest.raises(InputError, match="stand out from silence"):
        coder.sounds(np.full(RATE, 0.01, np.float32), RATE)


def test_wrong_calls_are_refused(coder, vocabulary):
    with pytest.raises(InputError, match="empty stream"):
        list(listen_for(vocabulary, coder, []))
    with pytest.raises(InputError, match="empty one"):
        list(listen_for(Vocabulary(coder.backbone), coder, [spoken(20)]))
    with pytest.raises(InputError, match="step_ms"):
        list(listen_for(vocabulary, coder, [spoken(20)], step_ms=0))
    with pytest.raises(InputError, match="causal"):
        list(listen_for(vocabulary, Coder(coder.network, PublishedMel(), coder.backbone), [spoken(20)]))
    other = Backbone(coder.backbone.settings, coder.backbone.whitening, coder.backbone.background, coder.backbone.calibration, "0")
    with pytest.raises(InputError, match="of this network"):
        Coder(coder.network, ENCODER, other)


def test_all_spoken_words_are_coded_taught_or_not(coder):
    wave = np.concatenate([spoken(word, 70) for word in (20, 30, 21)])
    found = list(spoken_words(coder, [wave]))
    assert [one.number for one in found] == [1, 2, 3]
    assert [one.onset_ms for one in found] == sorted(one.onset_ms for one in found)
    assert all(one.code.n == coder.backbone.n for one in found)


def test_events_are_limited_to_an_expected_number_per_hour(coder, vocabulary):
    wave = np.concatenate([spoken(20, 60), spoken(21, 61)])
    every = list(listen_for(vocabulary, coder, [wave], early=False))
    assert len(every) == 2
    limit = min(event.false_alarms_per_hour for event in every)
    kept = list(listen_for(vocabulary, coder, [wave], per_hour=limit))
    assert {event.false_alarms_per_hour for event in kept} == {limit}
    assert list(listen_for(vocabulary, coder, [wave], per_hour=limit / 2)) == []
    with pytest.raises(InputError, match=r"per_hour: expected at least .* that 96 background clips support"):
        list(listen_for(vocabulary, coder, [wave], per_hour=1e-9))
    with pytest.raises(InputError, match="per_hour"):
        list(listen_for(vocabulary, coder, [wave], per_hour=0))
