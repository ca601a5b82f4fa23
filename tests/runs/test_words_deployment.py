"""Taught words of a shipped network in whole numbers beside their floating-point form, on the shipped recordings."""

import numpy as np
import pytest

from dendrix.data.speech.audio import read_sound
from dendrix.data.speech.integer_base import samples as whole_samples
from dendrix.deploy.words_reference import decide, find, hear, spans
from dendrix.errors import InputError
from dendrix.runs.teaching import open_coder
from dendrix.runs.words_deployment import DeployWords, deployed_words
from dendrix.samples import find_sample, samples
from dendrix.teach import Vocabulary


def test_the_integer_form_agrees_with_dendrix_teach() -> None:
    coder = open_coder("fsdd")
    sounds = {name: read_sound(find_sample(name)) for name in samples("fsdd")}
    codes = {name: coder.backbone.codes(coder.clip(*sound)) for name, sound in sounds.items()}
    vocabulary = Vocabulary(coder.backbone, "fsdd")
    for digit in (0, 3, 7):
        stored = coder.backbone.codes(np.concatenate([coder.clip(*sounds[f"{digit}_{who}_0.wav"]) for who in ("george", "nicolas")]))
        vocabulary.teach(str(digit), stored, 0.1)
    made = deployed_words(vocabulary, "fsdd")
    assert [word.theta for word in made.words.values()] == [word.theta for word in vocabulary.words.values()]
    assert made.share(0.1) == pytest.approx(0.1 * coder.backbone.calibration.at(0.1, 10)[0] * 2**30, rel=1e-6)

    same = overlap = 0
    for name, heard in zip(sounds, hear(made, [whole_samples(wave) for wave, _ in sounds.values()]), strict=True):
        found = find(made, heard)
        expected = coder.detector.span(coder.encoder(*sounds[name]), coder.encoder.dt_ms)
        assert expected is None or max(abs(found.onset - expected.onset), abs(found.offset - expected.offset)) <= 1
        assert found.words == len(spans(made.speech, heard.levels[: len(heard.levels) - made.tail]))
        overlap += int((found.code & codes[name].dense()[0]).sum())
        decision = vocabulary.decide(codes[name])[0]
        match = decide(list(made.words.values()), found.code)
        same += decision.label == (None if match.label < 0 else list(made.words)[match.label])
    assert same >= 28  # of 30
    assert overlap / (30 * made.active) > 0.8


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="weights: expected"):
        DeployWords(find_sample("7_theo_0"), weights=1)


def test_a_veto_has_no_integer_form() -> None:
    coder = open_coder("fsdd")
    vocabulary = Vocabulary(coder.backbone, "fsdd")
    features = [coder.clip(*read_sound(find_sample(f"7_{who}_0.wav"))) for who in ("george", "nicolas")]
    vocabulary.teach("seven", coder.backbone.codes(np.concatenate(features)), 0.1, veto=True)
    with pytest.raises(InputError, match="expected one without a veto"):
        deployed_words(vocabulary, "fsdd")
