"""torch.compile: one graph for all batch sizes and lengths, and right numbers from the code that it generates."""

import shutil
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.layers import DelayLinear, Sequential
from dendrix.neurons import LIF

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "LIF": lambda: LIF(64),
    "DelayLinear": lambda: DelayLinear(64, 64, 100.0, 10.0),
    "Sequential": lambda: Sequential(DelayLinear(64, 64, 100.0, 10.0), LIF(64)),
}


@pytest.fixture(autouse=True)
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def results(call: Callable[..., tuple[Tensor, object]], layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Outputs, and the gradients of x and of the parameters."""
    x = x.clone().requires_grad_()
    y = call(x)[0]
    return [y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])]


@pytest.mark.parametrize("kind", LAYERS)
def test_sizes_may_change(kind: str) -> None:
    layer = LAYERS[kind]()
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    for again, (batch, steps) in enumerate(((2, 50), (5, 33), (3, 64), (3, 70))):
        x = 2 * torch.rand(batch, steps, 64)
        # One graph for up to 64 steps, of which a scan keeps one state, and one for more.
        with torch._dynamo.config.patch(error_on_recompile=again in (1, 2)):
            found = results(compiled, layer, x)
        assert_close(found, results(layer, layer, x), rtol=0, atol=0)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler for the code that torch.compile generates")
def test_generated_code_has_the_right_delay_gradient() -> None:
    """torch.compile 2.13 gives wrong gradients for a `flip` in front of a grouped convolution; the reference has none."""
    layer = DelayLinear(40, 8, 100.0, 10.0, granularity="axonal")
    x = torch.rand(2, 10, 40)  # too small for the kernel
    assert_close(results(torch.compile(layer, fullgraph=True), layer, x), results(layer, layer, x))
