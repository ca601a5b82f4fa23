"""Masks of invalid steps: what is known to be zero is not copied again, and nothing else passes."""

import pytest
import torch

from dendrix import LIF
from dendrix.core import zero_invalid
from dendrix.core.scanning import zeroed

VALID = torch.tensor([[True, True, False]])


def test_what_was_set_to_zero_is_not_copied_again() -> None:
    once = zero_invalid(torch.ones(1, 3, 2), VALID)
    assert once.tolist() == [[[1, 1], [1, 1], [0, 0]]]
    assert zero_invalid(once, VALID) is once


def test_outputs_of_neurons_are_zero_at_invalid_steps_and_are_not_copied() -> None:
    spikes, _ = LIF(2)(torch.full((1, 3, 2), 5.0), None, VALID)
    assert spikes[0, 2].tolist() == [0, 0]
    assert zero_invalid(spikes, VALID) is spikes


def test_another_mask_is_applied() -> None:
    x = zero_invalid(torch.ones(1, 3, 2), VALID)
    other = torch.tensor([[False, True, True]])
    assert zero_invalid(x, other).tolist() == [[[0, 0], [1, 1], [0, 0]]]
    assert zero_invalid(x, VALID.clone()) is not x


@pytest.mark.parametrize("which", ["x", "mask"])
def test_tensors_that_were_written_to_since_are_masked(which: str) -> None:
    valid = VALID.clone()
    x = zero_invalid(torch.ones(1, 3, 2), valid)
    if which == "x":
        x += 1
        assert zero_invalid(x, valid).tolist() == [[[2, 2], [2, 2], [0, 0]]]
    else:
        valid[0, 0] = False
        assert zero_invalid(x, valid).tolist() == [[[0, 0], [1, 1], [0, 0]]]


def test_tensors_of_inference_mode_are_always_masked() -> None:
    with torch.inference_mode():
        x = zeroed(torch.ones(1, 3, 2), VALID)
        assert zero_invalid(x, VALID)[0, 2].tolist() == [0, 0]


def test_knowledge_of_a_tensor_ends_with_it() -> None:
    """A new tensor at the address of a freed one is masked."""
    for _ in range(50):
        del_me = zero_invalid(torch.ones(1, 3, 2), VALID)
        del del_me
        assert zero_invalid(torch.ones(1, 3, 2), VALID)[0, 2].tolist() == [0, 0]
