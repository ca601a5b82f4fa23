import pytest
import torch

from dendrix.core import accumulate

OUTPUTS = torch.tensor([[[1.0, -2.0], [3.0, 0.0], [2.0, 4.0]]])
VALID = torch.tensor([[False, True, True]])


@pytest.mark.parametrize(
    ("how", "evidence"),
    [
        ("sum", [[0, 0], [3, 0], [5, 4]]),
        ("mean", [[0, 0], [3, 0], [2.5, 2]]),
        ("last", [[0, 0], [3, 0], [2, 4]]),
        ("max", [[0, 0], [3, 0], [3, 4]]),
    ],
)
def test_evidence_over_valid_steps(how: str, evidence: list[list[float]]) -> None:
    assert torch.equal(accumulate(OUTPUTS, VALID, how), torch.tensor([evidence], dtype=torch.float32))


def test_an_invalid_step_keeps_the_last_evidence() -> None:
    valid = torch.tensor([[True, False, False]])
    for how in ("sum", "mean", "last", "max", "softmax-sum"):
        evidence = accumulate(OUTPUTS, valid, how)
        assert torch.equal(evidence[:, 1:], evidence[:, :1].expand(1, 2, 2))


def test_softmax_sum_counts_valid_steps() -> None:
    evidence = accumulate(OUTPUTS, None, "softmax-sum")
    assert torch.equal(evidence[0, 0], OUTPUTS[0, 0].softmax(0))
    torch.testing.assert_close(evidence.sum(-1), torch.tensor([[1.0, 2.0, 3.0]]))


def test_max_below_zero_is_not_lifted_to_zero() -> None:
    assert accumulate(-OUTPUTS.abs() - 1, None, "max")[0, -1].tolist() == [-2, -1]


def test_invalid_nan_is_ignored() -> None:
    outputs = OUTPUTS.clone()
    outputs[0, 0] = torch.nan
    for how in ("sum", "mean", "last", "max", "softmax-sum"):
        assert accumulate(outputs, VALID, how).isfinite().all()


def test_unknown_word_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'mean'"):
        accumulate(OUTPUTS, None, "meann")
