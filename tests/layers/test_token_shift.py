"""Token shift over pieces and holes."""

import torch
from torch.testing import assert_close

from dendrix.layers.token_shift import token_shift


def test_shifts_by_one_and_remembers_the_last() -> None:
    x = torch.randn(2, 5, 3)
    y, last = token_shift(x)
    assert not y[:, 0].any()
    assert_close(y[:, 1:], x[:, :-1])
    assert_close(last, x[:, -1])
    again, _ = token_shift(x, last)
    assert_close(again[:, 0], x[:, -1])


def test_steps_over_what_is_not_valid() -> None:
    x = torch.arange(1.0, 7).view(1, 6, 1)
    valid = torch.tensor([[False, True, False, False, True, False]])
    y, last = token_shift(x, torch.tensor([[9.0]]), valid)
    assert y[valid].flatten().tolist() == [9.0, 2.0]
    assert last.item() == 5.0
    _, nothing = token_shift(x, torch.tensor([[9.0]]), torch.zeros(1, 6, dtype=torch.bool))
    assert nothing.item() == 9.0
