"""One example of every layer with a state, and its input."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from dendrix.core import Stateful
from support.layers import EXAMPLES, Example


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Example:
    return EXAMPLES[request.param]


@pytest.fixture
def build(example: Example) -> Callable[[], Stateful]:
    """Builds the layer, in float64 and evaluation mode: equal then means equal to twelve digits, also through a matrix product."""
    return lambda: example.build().double().eval()


@pytest.fixture
def layer(build: Callable[[], Stateful]) -> Stateful:
    return build()


@pytest.fixture
def x(example: Example) -> Tensor:
    """Input [B=3, T=7, ...]."""
    return example.input(3, 7)


@pytest.fixture(params=["left", "right", "gaps"])
def valid(request: pytest.FixtureRequest) -> Tensor:
    """Rows with padding on the left, on the right, or with gaps; one row is whole."""
    keep = torch.ones(3, 7, dtype=torch.bool)
    if request.param == "left":
        keep[1, :3] = keep[2, :5] = False
    elif request.param == "right":
        keep[1, 4:] = keep[2, 1:] = False
    else:
        keep[1, [0, 2, 3, 6]] = keep[2, [1, 5]] = False
    return keep


@pytest.fixture
def fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
