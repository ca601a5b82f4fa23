"""Where torch transforms an operation, its kernel leaves it to plain torch or says what to do: nothing is wrong in silence."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from dendrix import use_kernels
from dendrix.core import chosen_kernels
from dendrix.errors import KernelError
from dendrix.layers import QCFS, DelayLinear, Sequential, freeze
from dendrix.layers.rwkv.token_shift import token_mix
from dendrix.layers.rwkv.wkv import wkv
from dendrix.neurons import IF, LI, LIF, AdLIF, CubaLIF

SIZE = 48
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "IF": lambda: IF(SIZE),
    "LIF": lambda: LIF(SIZE),
    "LI": lambda: LI(SIZE),
    "CubaLIF": lambda: CubaLIF(SIZE),
    "AdLIF": lambda: AdLIF(SIZE),
    "DelayLinear": lambda: DelayLinear(SIZE, SIZE, 100.0, 10.0),
    "DelayLinear axonal": lambda: DelayLinear(SIZE, SIZE, 100.0, 10.0, granularity="axonal"),
}


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> nn.Module:
    """A layer of which a kernel runs on `x`."""
    return LAYERS[request.param]()


@pytest.fixture
def x() -> Tensor:
    return 2 * torch.rand(4, 60, SIZE)


def outputs(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: layer(x)[0]


def test_forward_mode_gives_the_tangent_of_the_reference(layer: nn.Module, x: Tensor) -> None:
    with use_kernels("required"):
        layer(x)  # a kernel would run
    tangent = torch.randn_like(x)
    with use_kernels("reference"):
        _, expected = torch.func.jvp(outputs(layer), (x,), (tangent,))
    assert expected.abs().max() > 0
    assert torch.equal(torch.func.jvp(outputs(layer), (x,), (tangent,))[1], expected)
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, tangent))[0]).tangent
    assert torch.equal(found, expected)


def test_forward_mode_agrees_with_backward(x: Tensor) -> None:
    layer, tangent, upstream = LIF(SIZE), torch.randn_like(x), torch.randn_like(x)
    (gradient,) = torch.autograd.grad(layer(x.requires_grad_())[0], x, upstream)
    _, forward = torch.func.jvp(outputs(layer), (x.detach(),), (tangent,))
    assert_close((gradient * tangent).sum(), (upstream * forward).sum(), rtol=1e-4, atol=1e-4)


def test_a_batch_of_upstream_gradients(layer: nn.Module, x: Tensor) -> None:
    x.requires_grad_()
    y = layer(x)[0]
    upstream = torch.randn(3, *y.shape)
    found = torch.autograd.grad(y, x, upstream, retain_graph=True, is_grads_batched=True)[0]
    assert_close(found, torch.stack([torch.autograd.grad(y, x, up, retain_graph=True)[0] for up in upstream]))


def test_a_second_derivative_says_what_to_do(layer: nn.Module, x: Tensor) -> None:
    x.requires_grad_()

    def twice() -> Tensor:
        (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    with pytest.raises(KernelError, match=r'a second one is required .* dendrix\.use_kernels\("reference"\)'):
        twice()
    with use_kernels("reference"):
        assert twice().isfinite().all()


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "qcfs": QCFS(),
    "wkv": lambda x: wkv(x, x, torch.rand(SIZE), torch.rand(SIZE))[0],
    "token mix": lambda x: token_mix(x, x.square(), torch.rand(SIZE))[0],
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_second_derivatives_of_other_operations(operation: str, x: Tensor) -> None:
    run = OPERATIONS[operation]
    (first,) = torch.autograd.grad(run(x.requires_grad_()).square().sum(), x, create_graph=True)
    with pytest.raises(KernelError, match="use_kernels"):
        first.square().sum().backward()


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_jit_traces_the_reference(layer: nn.Module, x: Tensor) -> None:
    traced = torch.jit.trace(layer, x)
    with use_kernels("reference"):
        assert_close(traced(x)[0], layer(x)[0])


def test_required_says_what_is_in_the_way(x: Tensor) -> None:
    with use_kernels("required"), pytest.raises(KernelError, match=r"a transform of torch\.func is active"):
        torch.func.grad(lambda x: LIF(SIZE)(x)[0].sum())(x)
    with use_kernels("required"), forward_ad.dual_level(), pytest.raises(KernelError, match="forward-mode"):
        LIF(SIZE)(x)


def test_flops_of_kernels_count_as_those_of_the_reference() -> None:
    network = Sequential(DelayLinear(SIZE, SIZE, 100.0, 10.0), LIF(SIZE), DelayLinear(SIZE, SIZE, 100.0, 10.0), LI(SIZE))
    x, counts = torch.rand(4, 60, SIZE), []
    for mode in ("required", "reference"):
        with FlopCounterMode(display=False) as counter, use_kernels(mode):
            network(x)[0].sum().backward()
        counts.append(counter.get_total_flops())
    forward = 2 * 4 * 60 * SIZE * SIZE * 11
    assert counts == [5 * forward, 5 * forward]  # one convolution forward and two backward, but no gradient of the first input
    assert chosen_kernels()["delay_conv on cpu"].startswith("reference")


@pytest.mark.parametrize("granularity", ["synaptic", "axonal"])
def test_flops_forward(granularity: str) -> None:
    layer, x = DelayLinear(SIZE, SIZE, 100.0, 10.0, granularity=granularity), torch.rand(16, 60, SIZE)
    counts = []
    for mode in ("required", "reference"):
        with FlopCounterMode(display=False) as counter, use_kernels(mode), torch.no_grad():
            layer(x)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_flops_of_integer_delays_are_one_product_per_synapse() -> None:
    layer, x = freeze(DelayLinear(SIZE, SIZE, 100.0, 10.0, kernel_count=2)), torch.rand(4, 60, SIZE)
    with FlopCounterMode(display=False) as counter, use_kernels("required"):
        layer(x)
    assert counter.get_total_flops() == 2 * 4 * 60 * SIZE * SIZE * 2
