"""The bound on what a description may build: every function that makes tensors is counted before it does."""

import pytest
import torch

from dendrix.core.bounded import bounded
from dendrix.errors import InputError

HUGE = 1 << 40


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(HUGE, 2),
        lambda: torch.empty((HUGE, 2), dtype=torch.bool),
        lambda: torch.zeros(size=(HUGE,)),
        lambda: torch.ones(HUGE),
        lambda: torch.full((HUGE,), 1.0),
        lambda: torch.rand(HUGE, generator=torch.Generator()),
        lambda: torch.randn((HUGE,)),
        lambda: torch.randint(0, 3, (HUGE,)),
        lambda: torch.eye(1 << 20),
        lambda: torch.eye(1 << 20, 1 << 19, dtype=torch.bool),
        lambda: torch.arange(HUGE),
        lambda: torch.linspace(0, 1, HUGE),
        lambda: torch.zeros(2).new_zeros(HUGE),
        lambda: torch.zeros(1).repeat(HUGE),
        lambda: torch.nn.Linear(1 << 20, 1 << 20),
        lambda: [torch.zeros(1) for _ in range(1 << 20)],
    ],
)
def test_what_is_far_larger_than_the_weights_is_never_made(make: object) -> None:
    with pytest.raises(InputError, match="about the memory of its weights, 1,000 bytes, got a far larger one"), bounded(1000):
        make()  # type: ignore[operator]


def test_what_fits_is_made_as_ever() -> None:
    torch.manual_seed(0)
    expected = [torch.nn.Linear(30, 20).weight, torch.rand(3), torch.eye(2, 3), torch.randn(2, 2)]
    torch.manual_seed(0)
    with bounded(1000):
        found = [torch.nn.Linear(30, 20).weight, torch.rand(3), torch.eye(2, 3), torch.randn(2, 2)]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
