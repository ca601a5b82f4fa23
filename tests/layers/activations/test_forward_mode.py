"""Forward mode through the operations with gradients of their own: the same derivative as backward, for inputs and parameters."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.layers import LSQ, QCFS, ClippedReLU
from dendrix.models.spikegpt.l2_wrap import l2_wrap


class Wrapped(nn.Module):
    """A loss with the pull of `l2_wrap`."""

    def forward(self, x: Tensor) -> Tensor:
        return l2_wrap(x.square().mean(), x)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "QCFS input": lambda: QCFS(4, 2.0),
    "QCFS level": lambda: QCFS(4, 2.0, mask="level"),
    "LSQ": lambda: LSQ(2, 0.4),
    "ClippedReLU": lambda: ClippedReLU(),
    "l2_wrap": Wrapped,
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 40, 70)])
def test_forward_mode_agrees_with_backward(name: str, shape: tuple[int, ...]) -> None:
    module = MODULES[name]().double()
    x = torch.randn(shape, dtype=torch.float64)
    values = (x, *[p.detach() for p in module.parameters()])
    names = [name for name, _ in module.named_parameters()]

    def call(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    directions = tuple(torch.randn_like(value) for value in values)
    y, tangent = torch.func.jvp(call, values, directions)
    upstream = torch.randn_like(y)
    _, pull = torch.func.vjp(call, *values)
    expected = sum((one * other).sum() for one, other in zip(pull(upstream), directions, strict=True))
    assert_close((tangent * upstream).sum(), expected)
    assert tangent.abs().max() > 0


@pytest.mark.parametrize("name", ["QCFS input", "LSQ"])
def test_a_direction_of_the_input_alone(name: str) -> None:
    module, x = MODULES[name](), torch.randn(2, 40, 70)
    _, tangent = torch.func.jvp(module, (x,), (torch.ones_like(x),))
    assert set(tangent.unique().tolist()) == {0.0, 1.0}
