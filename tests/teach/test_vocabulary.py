import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from dendrix.errors import InputError, NoCertificateError
from dendrix.layers import DendriticSegments
from dendrix.sdr import SDR, stack
from dendrix.teach import Backbone, CodeSettings, Vocabulary, fit_backbone, source_of
from dendrix.teach.checks import disagreeing, expect_agreement, known_as
from support.taught import backbone, codes, recordings

RATE = 0.1


def taught(*words: int) -> Vocabulary:
    vocabulary = Vocabulary(backbone(), "net")
    for word in words:
        vocabulary.teach(f"word {word}", codes(word, 3), RATE)
    return vocabulary


def test_taught_words_are_recognised_and_others_are_not():
    vocabulary = taught(100, 101, 102)
    for word in (100, 101, 102):
        found = vocabulary.decide(codes(word, 20, seed=1))
        assert [one.label for one in found].count(f"word {word}") >= 19
        assert max(one.p_value for one in found if one.label) < RATE
    other = stack([codes(word, 5, seed=1, speaker=8) for word in range(103, 143)])
    thetas = np.array([word.theta for word in vocabulary.words.values()])
    assert (vocabulary.scores(other) >= thetas).mean() < 2 * RATE
    assert all(one.p_value > 0 for one in vocabulary.decide(other))


def test_scores_are_sums_of_overlaps():
    vocabulary = taught(100, 101)
    probes = codes(100, 4, seed=2)
    expected = [[sum(int(probe.overlap(stored)[0]) for stored in codes(word, 3)) for word in (100, 101)] for probe in probes]
    assert vocabulary.scores(probes).tolist() == expected


def test_a_layer_of_segments_gives_the_same_answers():
    vocabulary = taught(100, 101)
    word, active = vocabulary["word 100"], int(codes(100, 1).counts[0])
    probes = stack([codes(100, 3, seed=3), codes(101, 3, seed=3)])
    for theta in (active // 4, active // 2):
        layer = DendriticSegments(word.codes.n, 3, active, theta)
        layer.store_(torch.from_numpy(word.codes.dense()).float())
        fired, _ = layer(torch.from_numpy(probes.dense()).float().unsqueeze(0))
        overlaps = np.array([[int(probe.overlap(stored)[0]) for stored in word.codes] for probe in probes])
        assert torch.equal(fired[0].bool(), torch.from_numpy(overlaps >= theta))


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(["teach", "forget", "rename", "extend"]), min_size=1, max_size=8), st.integers(0, 100))
def test_the_order_of_changes_does_not_matter_to_scores(changes, seed):
    rng, vocabulary, expected = np.random.default_rng(seed), Vocabulary(backbone()), {}
    for fresh, change in enumerate(changes):
        name = str(rng.choice(list(expected))) if expected else ""
        if change == "teach" or not expected:
            expected[f"w{fresh}"] = codes(100 + fresh, 2)
            vocabulary.teach(f"w{fresh}", expected[f"w{fresh}"], RATE)
        elif change == "forget":
            vocabulary.forget(name)
            del expected[name]
        elif change == "rename":
            vocabulary.rename(name, f"w{fresh}")
            expected = {f"w{fresh}" if key == name else key: value for key, value in expected.items()}
        else:
            more = codes(100 + fresh, 1)
            vocabulary.extend(name, more)
            expected[name] = stack([expected[name], more])
    assert list(vocabulary.words) == list(expected)
    probes = codes(100, 3, seed=5)
    rows = [[int(stored.overlap(probe).sum()) for stored in expected.values()] for probe in probes]
    assert vocabulary.scores(probes).tolist() == rows
    again = Vocabulary(backbone())
    for name, code in expected.items():
        again.teach(name, code, RATE)
        assert again[name].theta == vocabulary[name].theta


def test_files_give_the_same_vocabulary(tmp_path):
    vocabulary = taught(100, 101)
    vocabulary.hear(codes(110, 30))
    vocabulary.save(tmp_path / "v")
    again = Vocabulary.load(tmp_path / "v", backbone())
    assert source_of(tmp_path / "v") == again.source == "net"
    probes = codes(101, 5, seed=1)
    assert again.decide(probes) == vocabulary.decide(probes)
    assert [again.report(name) for name in again.words] == [vocabulary.report(name) for name in vocabulary.words]


def test_a_backbone_survives_its_file(tmp_path):
    backbone().save(tmp_path / "b")
    again = Backbone.load(tmp_path / "b")
    x = recordings(100, 10)
    assert again.codes(x) == backbone().codes(x)
    assert again.calibration == backbone().calibration
    taught(100).save(tmp_path / "v")
    Vocabulary.load(tmp_path / "v", again)


def test_own_background_raises_thresholds():
    vocabulary = taught(100)
    before = vocabulary["word 100"].theta
    vocabulary.hear(codes(100, 20, seed=4, speaker=3))  # sounds that the word is taken for
    assert vocabulary["word 100"].theta > before
    report = vocabulary.report("word 100")
    assert report.own_background == 20
    assert report.own_rate <= RATE


def test_a_veto_rejects_known_words_at_the_asked_rate():
    vocabulary = Vocabulary(backbone())
    near = backbone().codes(recordings(3, 3, seed=2, speaker=8))  # clips of a known word, which its rivals must then be
    word = vocabulary.teach("three", near, RATE, veto=True)
    assert word.rivals[0] == "known 3"
    assert len(word.rivals) == 3
    plain = Vocabulary(backbone())
    plain.teach("three", near, RATE)
    known = stack([codes(w, 5, seed=5, speaker=8) for w in range(12) if w != 3])
    assert sum(one.label is not None for one in vocabulary.decide(known)) <= 2 * RATE * len(known)
    own = backbone().codes(recordings(3, 20, seed=6, speaker=8))
    rejected = [one for one in vocabulary.decide(own) if one.label is None]
    assert len(rejected) > sum(one.label is None for one in plain.decide(own))  # they are more like the known word than like three clips
    assert max(one.p_value for one in rejected) == pytest.approx(1.0)


def test_vetoed_words_survive_their_file(tmp_path):
    vocabulary = Vocabulary(backbone(), "net")
    vocabulary.teach("word 100", codes(100, 3), RATE, veto=True)
    vocabulary.extend("word 100", codes(100, 1, seed=1))
    assert len(vocabulary["word 100"].rivals) == 3
    vocabulary.hear(codes(110, 30))
    vocabulary.save(tmp_path / "v")
    again = Vocabulary.load(tmp_path / "v", backbone())
    probes = stack([codes(100, 5, seed=2), codes(105, 5)])
    assert again.decide(probes) == vocabulary.decide(probes)
    assert again.report("word 100") == vocabulary.report("word 100")
    edit(tmp_path / "v", lambda _arrays, facts: facts["words"][0].update(rivals=["nobody"]))
    with pytest.raises(InputError, match="among the known words"):
        Vocabulary.load(tmp_path / "v", backbone())


def test_a_backbone_without_a_table_refuses_the_veto():
    plain = dataclasses.replace(backbone(), veto=None)
    with pytest.raises(InputError, match="table for it"):
        Vocabulary(plain).teach("new", codes(100, 3), RATE, veto=True)


def test_merged_vocabularies_know_both():
    one, other = taught(100), taught(101, 102)
    one.merge(other)
    assert list(one.words) == ["word 100", "word 101", "word 102"]
    with pytest.raises(InputError, match="'word 101' twice"):
        one.merge(taught(103, 101))
    assert len(one) == 3
    with pytest.raises(InputError, match="of the same backbone"):
        one.merge(Vocabulary(backbone(8)))


def test_a_report_names_the_words_that_are_confused():
    close = backbone().codes(recordings(3, 3, seed=2, speaker=8))  # clips of a known word
    vocabulary = Vocabulary(backbone())
    vocabulary.teach("three", close, RATE)
    report = vocabulary.report("three")
    assert report.confusable[0][0] == "known 3"
    assert report.expected[0] <= report.expected[1]
    assert report.upper_bound > report.rate / 2
    assert report.own_words[0] <= report.own_words[1]
    assert report.rivals == ()
    assert report.background_words == 12
    assert report.background_speakers == 4
    assert report.n_bytes == 3 * 15 + 6


def test_clips_that_disagree_are_named():
    mixed = stack([codes(100, 2), codes(105, 1)])
    assert disagreeing(mixed, backbone().background) == [2]
    with pytest.raises(InputError, match=r"c\.wav differs"):
        expect_agreement(mixed, ["a.wav", "b.wav", "c.wav"], backbone().background)
    assert disagreeing(codes(100, 3), backbone().background) == []
    with pytest.raises(InputError, match="all of them differ"):
        expect_agreement(stack([codes(100, 1), codes(105, 1)]), ["a", "b"], backbone().background)


def test_the_same_word_and_another_domain_are_noticed():
    vocabulary = taught(100, 101)
    assert known_as(vocabulary, codes(101, 3, seed=6)) == "word 101"
    assert known_as(vocabulary, codes(117, 3, seed=6)) is None
    assert backbone().is_foreign(recordings(100, 3) - 10)
    assert not backbone().is_foreign(recordings(4, 10, seed=3, speaker=2))


def test_wrong_calls_are_refused_and_change_nothing():
    vocabulary = taught(100)
    for call, message in (
        (lambda: vocabulary.teach("word 100", codes(101, 3), RATE), "was taught before"),
        (lambda: vocabulary.teach("", codes(101, 3), RATE), "1 to 100 printable"),
        (lambda: vocabulary.teach("a\nb", codes(101, 3), RATE), "1 to 100 printable"),
        (lambda: vocabulary.teach("x" * 101, codes(101, 3), RATE), "1 to 100 printable"),
        (lambda: vocabulary.teach("new", SDR.random(64, 5, 3, 0), RATE), "expected 120 bits"),
        (lambda: vocabulary.teach("new", codes(101, 3)[:0], RATE), "at least one"),
        (lambda: vocabulary.teach("new", codes(101, 3), 0.0), "rate"),
        (lambda: vocabulary.forget("word 10"), "Did you mean 'word 100'"),
        (lambda: vocabulary.rename("word 100", "word 100"), "was taught before"),
        (lambda: vocabulary.extend("other", codes(101, 1)), "expected one of the vocabulary"),
        (lambda: Vocabulary(backbone()).decide(codes(100, 1)), "empty one"),
        (lambda: vocabulary.hear(codes(100, 3)[:0]), "at least one"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    with pytest.raises(NoCertificateError, match="needs about"):
        vocabulary.teach("new", codes(101, 3), 1e-5)
    assert list(vocabulary.words) == ["word 100"]


def edit(path, change):
    arrays = load_file(path)
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    facts = json.loads(header["__metadata__"]["facts"])
    change(arrays, facts)
    save_file(arrays, path, {"facts": json.dumps(facts)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, facts: facts.update(version=9), "version 1, got 9"),
        (lambda arrays, facts: facts.update(kind="backbone"), "another kind"),
        (lambda arrays, facts: facts.update(backbone="0"), "of this backbone"),
        (lambda arrays, facts: facts["words"][0].update(theta=1.5), "whole threshold"),
        (lambda arrays, facts: facts["words"][0].update(deviation=0.0), "finite numbers"),
        (lambda arrays, facts: facts["words"].append(facts["words"][0]), "does not fit together"),
        (lambda arrays, facts: facts["words"][0].pop("name"), "does not fit together"),
        (lambda arrays, facts: arrays.pop("word 0"), "does not fit together"),
        (lambda arrays, facts: arrays.update({"word 0": np.full((3, 15), 1.0)}), "does not fit together"),
        (lambda arrays, facts: arrays.update({"word 0": np.zeros((3, 4), np.uint8)}), "does not fit together"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    path = tmp_path / "v"
    taught(100).save(path)
    edit(path, change)
    with pytest.raises(InputError, match=message):
        Vocabulary.load(path, backbone())


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0" * 100, b"\xff" * 64])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(InputError, match="another file or damaged"):
        Vocabulary.load(tmp_path / "v", backbone())
    with pytest.raises(InputError, match="another file or damaged"):
        Backbone.load(tmp_path / "v")


def test_one_speaker_is_enough_for_a_backbone():
    x = np.concatenate([recordings(w, 8) for w in range(6)])
    few = fit_backbone(x, np.repeat(np.arange(6), 8), np.zeros(48, int), tuple("abcdef"), CodeSettings(rank=10))
    assert all(0 < kappa < 1.6 for kappa in few.calibration.kappa[0])
    assert few.calibration.low[0][0] <= 1
