import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from dendrix.exits import ExitRecord, Margin, MaxProbability, auroc, bootstrap, calibration, decide, ece, failure_prediction, scores


def test_ece_by_hand() -> None:
    confidence = torch.tensor([0.9, 0.8, 0.6, 0.3])
    right = torch.tensor([True, False, True, False])
    assert ece(confidence, right, bins=2) == pytest.approx((abs(0.9 + 0.8 + 0.6 - 2) + 0.3) / 4)


def test_a_bin_has_its_upper_end() -> None:
    confidence = torch.tensor([0.5, 0.75, 1.0], dtype=torch.float64)
    right = torch.tensor([True, False, True])
    assert ece(confidence, right, bins=2) == pytest.approx((0.5 + 0.75) / 3)  # 0.5 is below, 0.75 and 1 are above
    assert ece(confidence, right, bins=4) == pytest.approx((0.5 + 0.75) / 3)  # 0.5 and 0.75 have bins of their own


def test_perfect_confidence_has_no_error() -> None:
    right = torch.tensor([True, True, False, True])
    assert ece(torch.full((4,), 0.75, dtype=torch.float64), right) == pytest.approx(0, abs=1e-12)


def test_steps_behind_the_end_do_not_count() -> None:
    outputs, labels = torch.randn(40, 6, 3), torch.randint(3, (40,))
    lengths = torch.randint(1, 6, (40,))  # nobody has step 6
    record = ExitRecord(outputs, labels, lengths)
    junk = ExitRecord(outputs.masked_fill(~record.valid.unsqueeze(-1), 1e9), labels, lengths)
    found = calibration(record, scale=2.0)
    assert found == calibration(junk, scale=2.0)
    assert len(found.ece_per_step) == len(found.nll_per_step) == int(lengths.max())
    whole = [calibration(ExitRecord(outputs[lengths > t, : t + 1], labels[lengths > t]), 2.0) for t in range(int(lengths.max()))]
    assert found.ece_per_step == pytest.approx([part.ece_per_step[-1] for part in whole])


def test_likelihood_is_the_cross_entropy_of_scaled_evidence() -> None:
    record = ExitRecord(torch.randn(20, 5, 4), torch.randint(4, (20,)))
    found = calibration(record, scale=3.0)
    expected = [functional.cross_entropy(evidence_t / 3, record.labels).item() for evidence_t in record.follow()]
    assert found.nll_per_step == pytest.approx(expected)
    assert found.nll == pytest.approx(sum(expected) / 5)


def test_calibration_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ValueError, match="labels: expected the true class"):
        calibration(ExitRecord(torch.ones(2, 3, 4)))
    with pytest.raises(ValueError, match="scale: expected a number"):
        calibration(ExitRecord(torch.ones(2, 3, 4), torch.zeros(2, dtype=torch.int64)), scale=0.0)


def test_auroc_is_that_of_scikit_learn_also_with_ties() -> None:
    score, right = torch.randn(300).round(decimals=1), torch.rand(300) < 0.7
    assert auroc(score, right) == pytest.approx(roc_auc_score(right.numpy(), score.numpy()))


@pytest.mark.parametrize(("score", "area"), [([3.0, 2.0, 1.0], 1.0), ([1.0, 2.0, 3.0], 0.0), ([1.0, 1.0, 1.0], 0.5)])
def test_auroc_of_knowing_all_and_nothing(score: list[float], area: float) -> None:
    assert auroc(torch.tensor(score), torch.tensor([True, True, False])) == area


def test_auroc_needs_right_and_wrong_answers() -> None:
    for right in (torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)):
        assert auroc(torch.rand(3), right) is None


def test_auroc_takes_evidence_that_has_overflowed() -> None:
    assert auroc(torch.tensor([2.0, -torch.inf, 1.0, -torch.inf]), torch.tensor([True, True, False, False])) == (2 + 0 + 0.5) / 4


def test_failure_prediction_looks_at_the_step_of_the_exit() -> None:
    record = ExitRecord(torch.randn(200, 6, 3), torch.randint(3, (200,)), torch.randint(1, 7, (200,)))
    for rule in (Margin(1.5), MaxProbability(0.8)):
        decisions = decide(rule, record)
        at_exit = [row[step - 1].item() for row, step in zip(scores(rule, record), decisions.steps.tolist(), strict=True)]
        expected = roc_auc_score((decisions.answers == record.labels).numpy(), at_exit)
        assert failure_prediction(rule, record) == pytest.approx(expected)


def test_a_bootstrap_interval_is_repeatable_and_near_the_normal_one() -> None:
    steps = torch.randint(1, 20, (400,))
    interval = bootstrap(steps)
    assert interval == bootstrap(steps)
    assert interval != bootstrap(steps, seed=1)
    half = 1.96 * steps.double().std().item() / math.sqrt(400)
    mean = steps.double().mean().item()
    assert interval.low == pytest.approx(mean - half, abs=0.15 * half)
    assert interval.high == pytest.approx(mean + half, abs=0.15 * half)
    wider = bootstrap(steps, level=0.99)
    assert wider.low < interval.low < interval.high < wider.high


def test_a_single_input_has_an_interval_without_width() -> None:
    assert bootstrap(torch.tensor([3.0])) == (3.0, 3.0)


def test_a_level_is_a_probability() -> None:
    with pytest.raises(ValueError, match="level: expected a number"):
        bootstrap(torch.ones(3), level=1.0)
