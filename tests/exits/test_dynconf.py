"""Parity with the released code of Dynamic Confidence and with what other repositories state."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.testing import assert_close

from dendrix.exits import (
    Curve,
    Entropy,
    ExitRecord,
    Margin,
    MaxProbability,
    average_exit_time,
    calibration,
    decide,
    ece,
    optimal_cutoff,
    oracle_curve,
    policy_curve,
    scores,
    static_curve,
)
from support.dynconf import Case, arrays, case

ALPHA = 30.0
COMPAT = pytest.mark.parametrize("compat", [True, False])


@pytest.fixture(scope="module", params=["small", "ties"])
def fixture(request: pytest.FixtureRequest) -> Case:
    return case(request.param)


@pytest.fixture
def reading(fixture: Case, monkeypatch: pytest.MonkeyPatch) -> Case:
    """The fixture with ties read as the reference does, which takes the class of the largest probability: totals are then exact too."""
    right = torch.from_numpy(fixture.arrays["ref_right"]).T
    assert not ((fixture.record.right() != right) & ~fixture.tie).any()
    monkeypatch.setattr(ExitRecord, "right", lambda *_: right)
    return fixture


@COMPAT
def test_confidence(fixture: Case, compat: bool) -> None:
    found = scores(MaxProbability(0.6, scale=ALPHA, compat=compat), fixture.record)
    assert_allclose(found.T, fixture.arrays["ref_confidence"], rtol=0, atol=2e-6)


def test_compat_divides_in_the_order_of_the_reference(fixture: Case) -> None:
    found = scores(MaxProbability(0.6, scale=ALPHA, compat=True), fixture.record)
    assert_allclose(found.T, fixture.arrays["ref_confidence"], rtol=0, atol=1e-7)


@COMPAT
def test_answers_differ_between_tied_classes_only(fixture: Case, compat: bool) -> None:
    right = torch.from_numpy(fixture.arrays["ref_right"]).T
    differs = fixture.record.right(MaxProbability(0.6, scale=ALPHA, compat=compat)) != right
    assert not (differs & ~fixture.tie).any()
    if compat:
        assert differs.sum() == fixture.arrays["ours_tie_mismatches_logit_argmax_vs_ref"]


@COMPAT
def test_exits(fixture: Case, compat: bool) -> None:
    decisions = decide(MaxProbability(0.6, scale=ALPHA, compat=compat), fixture.record)
    assert decisions.steps.tolist() == fixture.arrays["port_exit_at_0p6"].tolist()


@COMPAT
def test_policy_by_cap(reading: Case, compat: bool) -> None:
    for i, threshold in enumerate(reading.arrays["ref_policy_thresholds"].tolist()):
        curve = policy_curve(MaxProbability(threshold, scale=ALPHA, compat=compat), reading.record)
        assert_allclose(curve.steps, reading.arrays["ref_policy_latency_by_cap"][i], rtol=0, atol=1e-9)
        assert_allclose(100 * curve.accuracy, reading.arrays["ref_policy_accpct_by_cap"][i], rtol=0, atol=1e-9)


def test_sweep_over_thresholds(reading: Case) -> None:
    count = int(reading.arrays["ours_calib_count"])
    index = torch.arange(len(reading.record))
    right = reading.record.right()
    for part, key in ((index[:count], "port_sweep_calib"), (index[count:], "port_sweep_test")):
        for threshold, (steps, accuracy) in zip(reading.arrays["in_thresholds"][::7].tolist(), reading.arrays[key][::7], strict=True):
            decisions = decide(MaxProbability(threshold, scale=ALPHA, compat=True), reading.record.subset(part))
            assert decisions.steps.double().mean().item() == pytest.approx(steps, abs=1e-9)
            assert right[part, decisions.steps - 1].double().mean().item() == pytest.approx(accuracy, abs=1e-9)


def test_static_accuracy(reading: Case) -> None:
    curve = static_curve(reading.record)
    assert_allclose(len(reading.record) * curve.accuracy, reading.arrays["ref_static_correct"], rtol=0, atol=1e-9)
    assert curve.steps.tolist() == list(range(1, len(curve.steps) + 1))


def test_oracle_and_its_conventions(reading: Case) -> None:
    curve = oracle_curve(reading.record)
    assert_allclose(torch.stack([curve.steps, curve.accuracy], 1), reading.arrays["port_oracle_curve"], rtol=0, atol=1e-9)
    for convention, key in (("cap", "never_costs_T"), ("one", "never_costs_1"), ("exclude", "excluding_never")):
        curve = oracle_curve(reading.record, convention)
        assert_allclose(curve.steps[-1], reading.arrays[f"ours_oracle_lat_{key}"], rtol=0, atol=1e-9)
        assert curve.accuracy[-1] == reading.arrays["port_oracle_ever"].mean()


def test_optimal_cutoff(reading: Case) -> None:
    assert optimal_cutoff(reading.record).tolist() == reading.arrays["port_oct"].tolist()
    assert static_curve(reading.record).accuracy[-1] == reading.arrays["port_oct_acc"]


def test_average_exit_time(reading: Case) -> None:
    assert average_exit_time(reading.record) == pytest.approx(float(reading.arrays["port_seenn_aet_closed"]), abs=1e-9)


def test_scores_of_others(fixture: Case) -> None:
    for rule, key in ((MaxProbability(0.5), "seenn_conf"), (Entropy(0.5), "seenn_neg_entropy"), (Margin(0.5), "topk_gap")):
        assert_allclose(scores(rule, fixture.record).T, fixture.arrays[f"port_{key}"], rtol=0, atol=2e-6)


def test_calibration_error(reading: Case) -> None:
    found = calibration(reading.record, scale=ALPHA)
    assert_allclose(found.ece_per_step, reading.arrays["ours_ece_per_step"], rtol=0, atol=1e-6)
    assert found.ece <= np.mean(found.ece_per_step)  # bins of all steps together can only cancel


def test_calibration_error_by_scale(reading: Case) -> None:
    count = int(reading.arrays["ours_calib_count"])
    right = reading.record.right()[:count]
    calibrating = reading.record.subset(torch.arange(count))
    found = [ece(scores(MaxProbability(0.5, scale=alpha), calibrating), right) for alpha in reading.arrays["ours_alpha_grid"].tolist()]
    assert_allclose(found, reading.arrays["ours_alpha_ece"], rtol=0, atol=1e-6)
    assert reading.arrays["ours_alpha_grid"][np.argmin(found)] == reading.arrays["ours_alpha"]


def test_the_published_log_gives_its_exits_away() -> None:
    log = arrays("log")
    steps, percent = torch.from_numpy(log["ref_dynamic"]).unbind(1)
    curve = Curve("the published log", steps, percent / 100)
    assert_allclose(curve.survival, log["port_survival"], rtol=0, atol=1e-9)
    assert_allclose(curve.histogram, log["port_exit_hist"], rtol=0, atol=1e-9)
    assert curve.histogram[:6].abs().max() < 1e-9
    assert curve.steps[-1].item() == pytest.approx(11.5097)


def test_survival_is_the_share_still_running(fixture: Case) -> None:
    rule = MaxProbability(0.6, scale=ALPHA)
    curve, steps = policy_curve(rule, fixture.record), decide(rule, fixture.record).steps
    caps = range(1, len(curve.steps) + 1)
    assert_close(curve.survival, torch.stack([(steps >= cap).double().mean() for cap in caps]))
    assert_close(curve.histogram, torch.stack([(steps == cap).double().mean() for cap in caps]))
