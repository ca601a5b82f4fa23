"""The measurements of the study of taught words, on made-up clips; the study itself trains twelve networks."""

import json

import numpy as np
import pytest

from dendrix.reproduce.studies import teach, teach_scores
from dendrix.reproduce.studies.dtw import dtw_distances
from support.paths import DOCS, ROOT
from support.taught import backbone, recordings

WORDS, SPEAKERS, TAKES = 5, 5, 8


@pytest.fixture(scope="module")
def clips() -> teach_scores.Unheard:
    """Five new words by five speakers, eight clips each."""
    x = np.concatenate([recordings(100 + w, TAKES, speaker=20 + s) for s in range(SPEAKERS) for w in range(WORDS)])
    speech = [np.tile(row[None], (6, 1)) for row in x.astype(np.float32)]
    word, speaker = np.tile(np.repeat(np.arange(WORDS), TAKES), SPEAKERS), np.repeat(np.arange(SPEAKERS), WORDS * TAKES)
    return teach_scores.Unheard(backbone().whitening(x), backbone().codes(x), word, speaker, np.arange(WORDS), speech)


def test_accuracies_are_high_where_words_are_distinct(clips):
    found = teach_scores._tenway(clips)
    assert found["3 clips"]["same"] > 0.9
    assert found["1 clips"]["same"] <= found["5 clips"]["same"]
    for name in ("dense cosine", "time warping"):
        assert found[name]["same"] > 0.8
    assert found["3 speakers"]["another"] > 0.8


def test_true_accepts_and_false_alarms(clips, monkeypatch):
    monkeypatch.setattr(teach_scores, "RATES", (0.1, 1e-5))
    monkeypatch.setattr(teach_scores, "DRAWS", 1)
    found = teach_scores._accepts(clips, backbone())
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


def test_the_page_has_the_stored_table():
    """What was run of `dendrix reproduce teach` stands in benchmarks/teach.json, and its table in the documentation."""
    results = json.loads((ROOT / "benchmarks" / "teach.json").read_text())
    table = teach.STUDY.page(results).partition("| |")[2]
    assert table in (DOCS / "howto" / "teach.md").read_text()
