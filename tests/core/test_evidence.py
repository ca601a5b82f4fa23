import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import ACCUMULATIONS, accumulate, accumulate_step, rows

OUTPUTS = torch.tensor([[[1.0, -2.0], [3.0, 0.0], [2.0, 4.0]]])
VALID = torch.tensor([[False, True, True]])


@pytest.mark.parametrize(
    ("accumulation", "evidence"),
    [
        ("sum", [[0, 0], [3, 0], [5, 4]]),
        ("mean", [[0, 0], [3, 0], [2.5, 2]]),
        ("last", [[0, 0], [3, 0], [2, 4]]),
        ("max", [[0, 0], [3, 0], [3, 4]]),
    ],
)
def test_evidence_over_valid_steps(accumulation: str, evidence: list[list[float]]) -> None:
    assert torch.equal(accumulate(OUTPUTS, VALID, accumulation), torch.tensor([evidence], dtype=torch.float32))


def test_an_invalid_step_keeps_the_last_evidence() -> None:
    valid = torch.tensor([[True, False, False]])
    for accumulation in ("sum", "mean", "last", "max", "softmax-sum"):
        evidence = accumulate(OUTPUTS, valid, accumulation)
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
    for accumulation in ("sum", "mean", "last", "max", "softmax-sum"):
        assert accumulate(outputs, VALID, accumulation).isfinite().all()


def test_unknown_word_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'mean'"):
        accumulate(OUTPUTS, None, "meann")


def stepped(outputs: Tensor, accumulation: str) -> Tensor:
    """The evidence after each step, one step at a time."""
    state, parts = None, []
    for outputs_t in outputs.unbind(1):
        evidence_t, state = accumulate_step(outputs_t, state, accumulation)
        parts.append(evidence_t)
    return torch.stack(parts, 1)


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_equal_the_whole(accumulation: str, dtype: torch.dtype) -> None:
    outputs = torch.randn(4, 9, 3, dtype=dtype) - 1
    assert_close(stepped(outputs, accumulation), accumulate(outputs, None, accumulation))


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_rows_of_a_running_decision_can_be_dropped(accumulation: str) -> None:
    outputs, keep = torch.randn(4, 2, 3), torch.tensor([3, 1])
    expected = stepped(outputs, accumulation)[keep, 1]
    _, state = accumulate_step(outputs[:, 0], None, accumulation)
    evidence_t, state = accumulate_step(outputs[keep, 1], rows(state, keep), accumulation)
    assert torch.equal(evidence_t, expected)
    assert state.steps.tolist() == [2, 2]


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_a_step_changes_neither_outputs_nor_state(accumulation: str) -> None:
    first, second = torch.randn(2, 4, 3)
    _, state = accumulate_step(first, None, accumulation)
    before = [first.clone(), second.clone(), *(part.clone() for part in state)]
    accumulate_step(second, state, accumulation)
    assert_close([first, second, *state], before, rtol=0, atol=0)


def test_a_step_refuses_what_does_not_fit() -> None:
    _, state = accumulate_step(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"state: expected shape \[1, 3\], got \[2, 3\]"):
        accumulate_step(torch.ones(1, 3), state)
    with pytest.raises(ValueError, match=r"outputs_t: expected \[B, K\], got \[1, 2, 3\]"):
        accumulate_step(torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match="Did you mean 'softmax-sum'"):
        accumulate_step(torch.ones(2, 3), None, "softmax_sum")
