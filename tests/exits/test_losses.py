"""Losses of single inputs, by hand."""

import pytest
import torch

from dendrix.exits import ExitRecord, Margin, exit_losses, prediction_sets

#                          stops wrong, right later   stops right    never stops, wrong   stops right, wrong later
OUTPUTS = torch.tensor([[[0.0, 5], [9, 0]], [[5, 0], [0, 0]], [[0, 0.1], [0, 0.1]], [[5.0, 0], [0, 9]]])
RECORD = ExitRecord(OUTPUTS, torch.tensor([0, 0, 0, 0]))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("accuracy-drop", [True, False, False, False]),
        ("disagreement", [True, False, False, True]),
        ("wrong-answer", [True, False, False, False]),
    ],
)
def test_losses(loss: str, expected: list[bool]) -> None:
    assert exit_losses(Margin(1.0), RECORD, loss).tolist() == expected


def test_refuses() -> None:
    with pytest.raises(ValueError, match="loss: expected one of"):
        exit_losses(Margin(1.0), RECORD, "error")
    with pytest.raises(ValueError, match="expected PredictionSet, got Margin"):
        prediction_sets(Margin(1.0), RECORD)
    with pytest.raises(ValueError, match="expected PredictionSet"):
        exit_losses(Margin(1.0), RECORD, "missed-class")
