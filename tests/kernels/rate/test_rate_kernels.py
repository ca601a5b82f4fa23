"""The fused neurons of converted networks against the reference loop: the same bits."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import chosen_kernels, map_state, use_kernels
from dendrix.neurons import Neuron
from support.networks import rate_if, signed_if

LAYERS = {
    "if": lambda size: rate_if(size, 0.75),
    "if by channel": lambda size: rate_if(size, torch.linspace(0.25, 2, size)),
    "signed": lambda size: signed_if(size, 0.75),
    "signed by channel": lambda size: signed_if(size, torch.linspace(0.25, 2, size), limit=2),
}


def run(mode: str, layer: Neuron, x: Tensor, valid: Tensor | None) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    state = map_state(lambda s: s + torch.randn(s.shape, generator=generator).abs().round(), layer.init_state(x[:, 0]))
    before = [part.clone() for part in (x, *state)]
    with use_kernels(mode), torch.no_grad():
        y, after = layer(x, state, valid)
    assert_close([x, *state], before, rtol=0, atol=0)
    return [y, *after]


@pytest.mark.usefixtures("kernels_of_any_size")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 1, 33), (1, 9, 3, 7, 5), (4, 2, 3, 8)], ids=str)
@pytest.mark.parametrize("kind", LAYERS)
def test_kernel_equals_reference(kind: str, shape: tuple[int, ...], threads: int) -> None:
    layer = LAYERS[kind](shape[2])
    x = torch.randn(shape) + 0.2
    valid = torch.rand(shape[:2]) < 0.6
    had = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for mask in (None, valid):
            assert_close(run("required", layer, x, mask), run("reference", layer, x, mask), rtol=0, atol=0)
    finally:
        torch.set_num_threads(had)


@pytest.mark.usefixtures("kernels_of_any_size")
@pytest.mark.parametrize("kind", LAYERS)
def test_inputs_in_any_order_of_memory(kind: str) -> None:
    layer = LAYERS[kind](6)
    for x in (torch.randn(2, 1, 6, 5).expand(-1, 7, -1, -1), torch.randn(6, 5, 7, 2).permute(3, 2, 0, 1), torch.randn(2, 14, 6, 5)[:, ::2]):
        assert_close(run("required", layer, x, None), run("reference", layer, x, None), rtol=0, atol=0)


def test_what_the_kernel_cannot_do_is_left_to_the_reference() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    rate_if(4)(x)[0].sum().backward()
    assert x.grad is not None
    assert "gradients are required" in chosen_kernels()["if_step on cpu"]
    rate_if(4).double()(torch.randn(2, 3, 4, dtype=torch.float64))
    assert "not float32" in chosen_kernels()["if_step on cpu"]
