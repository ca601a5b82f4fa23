"""The measurements of the study of taught words, on made-up clips; the study itself trains twelve networks."""

import json

import numpy as np
import pytest

from dendrix.reproduce.studies import teach, teach_alarms, teach_beyond, teach_scores
from dendrix.reproduce.studies.dtw import dtw_distances
from dendrix.teach import CodeSettings
from support.paths import DOCS, ROOT
from support.taught import backbone, recordings

WORDS, SPEAKERS, TAKES = 5, 5, 8


@pytest.fixture(scope="module")
def clips() -> teach_scores.Unheard:
    """Five new words by five speakers, eight clips each."""
    x = np.concatenate([recordings(100 + w, TAKES, speaker=20 + s) for s in range(SPEAKERS) for w in range(WORDS)])
    speech = [np.tile(row[None], (6, 1)) for row in x.astype(np.float32)]
    word, speaker = np.tile(np.repeat(np.arange(WORDS), TAKES), SPEAKERS), np.repeat(np.arange(SPEAKERS), WORDS * TAKES)
    codes = backbone().codes(x)
    return teach_scores.Unheard(backbone().whitening(x), codes, word, speaker, np.arange(WORDS), speech, codes)


def test_accuracies_are_high_where_words_are_distinct(clips):
    found = teach_scores._tenway(clips)
    assert found["3 clips"]["same"] > 0.9
    assert found["1 clips"]["same"] <= found["5 clips"]["same"]
    for name in ("dense cosine", "time warping"):
        assert found[name]["same"] > 0.8
    assert found["3 speakers"]["another"] > 0.8


def test_true_accepts_and_false_alarms(clips, monkeypatch):
    monkeypatch.setattr(teach_scores, "DRAWS", 1)
    found = teach_scores._accepts(clips, backbone(), (0.1, 1e-5))
    assert found["0.1"]["same"] > 0.9
    assert found["0.1"]["ratio"] < 2
    assert found["0.1"]["detectors"] == WORDS * SPEAKERS
    assert "background clips" in found["1e-05"]["refused"]


def test_theory_over_the_measured_overlaps_predicts_thinned_segments(monkeypatch):
    monkeypatch.setattr(teach_scores, "THINNED", ((6, 3),))  # of 12 active cells
    (found,) = teach_scores._thinning(backbone()).values()
    assert found["measured"] == pytest.approx(found["theory"], rel=0.15)
    assert found["theory"] > 1e-3


def test_growth_compares_read_outs(clips, monkeypatch):
    found = teach_scores._growth(clips)
    assert found == {}  # counted at 10, 20, 30 and 40 words
    monkeypatch.setattr(teach_scores, "COUNTS", (2, 5))
    found = teach_scores._growth(clips)
    assert found["5"]["segments"] > 0.85
    assert found["5"]["read-out trained again"] > 0.85
    assert found["5"]["read-out fine-tuned"] < found["5"]["segments"]


def test_time_warping_ignores_the_tempo():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 3)).astype(np.float32)
    slow = np.repeat(x, 2, 0)[:20]
    y = rng.normal(size=(20, 3)).astype(np.float32)
    near, far = dtw_distances(slow, [slow, y])
    assert near == 0 < far
    assert dtw_distances(np.repeat(x, 2, 0), [np.concatenate([x[:1].repeat(11, 0), x[1:]])])[0] == pytest.approx(0)


def test_the_draws_leave_out_ten_words():
    for draw in teach.DRAWS:
        assert len(set(teach.new_words(draw))) == 10
    assert teach.recipe("axonal", 0).data.without == teach.new_words(0)
    assert teach.recipe("learned", 1).model.outputs == 30
    assert {teach.recipe(kind, 0).model.delays for kind in teach.KINDS} == {"learned", "random", "none"}


def test_results_are_checked_against_the_goals():
    outcome = {
        "tenway": {"3 clips": {"same": 0.99, "another": 0.8}},
        "accepts": {"0.01": {"same": 0.98, "ratio": 1.0}, "0.003": {"refused": "too few"}},
        "words": ["a"],
    }
    found = teach._results({("axonal", 0): outcome, ("axonal", 1): outcome})
    assert found["kinds"]["axonal"]["tenway"]["3 clips"]["same"] == {"mean": 0.99, "deviation": 0.0}
    verdicts = {checked.says: checked.passed for checked in teach._check(found)}
    assert verdicts["10-way, same speaker, k = 3"]
    assert not verdicts["10-way, another speaker"]
    assert "measured / asked at 0.3 %" not in verdicts
    assert "| 10-way, another speaker | 0.85 to 1 | 0.8 |" in teach._page(found)


def test_numbers_are_means_over_the_draws_that_have_them():
    accepts = {"0.003": {"ratio": 1.0}}, {"0.003": {"refused": "too few"}}
    first, second = ({"tenway": {"3 clips": {"same": same}}, "accepts": part} for same, part in zip((0.96, 0.98), accepts, strict=True))
    page = teach._page(teach._results({("axonal", 0): first, ("axonal", 1): second}))
    assert "| 10-way, same speaker, k = 3 | 0.98 to 1 | 0.97 ± 0.01 |" in page
    assert "| measured / asked at 0.3 % | 0.5 to 1.2 | 1, in 1 of them |" in page


def test_the_page_has_the_stored_table():
    """What was run of `dendrix reproduce teach` stands in benchmarks/teach.json, and its table in the documentation."""
    results = json.loads((ROOT / "benchmarks" / "teach.json").read_text())
    table = teach.STUDY.page(results).partition("| |")[2]
    assert table in (DOCS / "howto" / "teach.md").read_text()


def test_speeds_of_listening_are_the_stored_ones():
    """What `python benchmarks/listening.py` stored stands in the documentation."""
    stored = json.loads((ROOT / "benchmarks" / "listening.json").read_text())
    page = (DOCS / "howto" / "teach.md").read_text()
    for name in stored["commands"]:
        speeds = " | ".join(f"{stored[network][name]:.0f}" for network in ("commands", "fsdd"))
        assert f"| {name[0].upper() + name[1:]} | {speeds} |" in page


def test_a_veto_is_measured_on_new_and_on_known_words():
    words = (0, 1, 2, 100, 101)  # three known and two new ones
    x = np.concatenate([recordings(w, TAKES, seed=3, speaker=20 + s) for s in range(SPEAKERS) for w in words])
    word, speaker = np.tile(np.repeat(np.arange(len(words)), TAKES), SPEAKERS), np.repeat(np.arange(SPEAKERS), len(words) * TAKES)
    found = teach_alarms.vetoes(backbone().codes(x), backbone().codes(x), word, speaker, np.array([3, 4]), backbone(), rate=0.1)
    assert found["without"]["same"] > 0.9
    assert found["with"]["ratio, known words"] < 2
    assert found["with"].keys() == found["without"].keys()


def test_alarms_of_a_stream_have_an_interval_over_detectors():
    found = teach_alarms.stream_alarms(np.array([0.0, 5.0, 10.0, 25.0]), hours=2.0, asked=10.0)
    assert found["ratio"] == pytest.approx(0.5)
    assert found["detector hours"] == 8
    assert 0 <= found["low"] < 0.5 < found["high"] <= 1.25


def test_patterns_of_any_kind_are_taught_beside_a_nearest_mean():
    known = np.concatenate([recordings(w, 40) for w in range(12)])
    new = np.concatenate([recordings(100 + w, 20) for w in range(4)])
    of_known, of_new = np.repeat(np.arange(12), 40), np.repeat(np.arange(4), 20)
    found = teach_beyond.measured(known, of_known, new, of_new, np.random.default_rng(0).normal(size=(80, 5)), CodeSettings(density=0.1))
    assert found["accuracy"] > 0.9
    assert found["accuracy, nearest mean of the inputs"] < 0.5  # of noise
    assert found["measured / asked"] < 2
    checks = teach_beyond.STUDY.check({"braille": found})
    assert next(one.passed for one in checks)
    assert "letters under a finger" in teach_beyond.STUDY.page({"braille": found})


def test_the_page_has_the_stored_table_of_other_patterns():
    results = json.loads((ROOT / "benchmarks" / "teach-beyond.json").read_text())
    assert teach_beyond.STUDY.page(results).partition("| |")[2] in (DOCS / "howto" / "teach.md").read_text()
