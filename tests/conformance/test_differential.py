"""Every CPU kernel against the plain loops, at sizes that its own gate lets through: calls are counted, and none is a failure.

Small tests can compare the reference with itself without saying so, because kernels refuse small inputs.
"""

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

import dendrix.kernels  # noqa: F401 - fills the table
from dendrix.core import KERNELS, leaves, use_kernels
from dendrix.generate import Decoder
from dendrix.layers import QCFS, DelayLinear
from dendrix.layers.delay.training import rounded
from dendrix.layers.rwkv.token_shift import token_mix
from dendrix.layers.rwkv.wkv import wkv
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig, SpikeNeurons
from dendrix.models.spikegpt.attention import LocalAttention
from dendrix.neurons import IF, LI, LIF, AdLIF, CubaLIF, NIRNeuron, SignedIF
from dendrix.neurons.counts import spike_count_step
from dendrix.neurons.integrate import if_step
from dendrix.neurons.lif import lif_step
from dendrix.neurons.nir import membrane_step, synapse_step


@dataclass(frozen=True)
class Case:
    """One way to reach a kernel: a module, its float inputs, and how to call it."""

    operation: Hashable
    build: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    """Of the inputs; the layouts vary the first."""
    trains: bool = True
    call: Callable[..., Any] = lambda module, *inputs: module(*inputs)
    sparse: bool = False


class Wkv(nn.Module):
    """WKV with parameters."""

    def __init__(self, size: int):
        super().__init__()
        self.rate, self.bonus = nn.Parameter(torch.rand(size) + 0.1), nn.Parameter(torch.randn(size))

    def forward(self, k: Tensor, v: Tensor) -> Any:
        return wkv(k, v, self.rate, self.bonus)


class VaryingWkv(Wkv):
    """WKV with a rate for each step."""

    def forward(self, k: Tensor, v: Tensor) -> Any:
        return wkv(k, v, self.rate * torch.exp(0.1 * v), self.bonus)


class Mix(nn.Module):
    """Token mixtures with parameters."""

    def __init__(self, size: int):
        super().__init__()
        self.shares = nn.ParameterList([torch.rand(size) for _ in range(2)])

    def forward(self, x: Tensor, earlier: Tensor) -> Any:
        return token_mix(x, earlier, *self.shares)


def whole_steps(layer: nn.Module, x: Tensor) -> Any:
    with rounded(layer):
        return layer(x)


def delays(operation: str, inputs: int, outputs: int, count: int, batch: int, steps: int, **options: Any) -> Case:
    build = lambda: DelayLinear(inputs, outputs, 200.0, 10.0, kernel_count=count, **options)  # noqa: E731
    call = whole_steps if operation == "delay_integer" else Case.call
    return Case(operation, build, ((batch, steps, inputs),), trains=operation != "delay_integer", call=call, sparse=True)


def language_model() -> nn.Module:
    network = SpikeGPT(SpikeGPTConfig(61, 32, 3, start="rwkv", dropout=0.0)).eval()
    with torch.no_grad():
        network.head.weight.normal_()
    return network


def decoded(network: nn.Module, _: Tensor) -> Any:
    decoder = Decoder(network)
    logits, state = decoder.prefill(torch.arange(51).view(3, 17) % 61)
    return logits, decoder.step(torch.tensor([1, 2, 60]), state)


FORWARD = (if_step, SignedIF.rule)
"""Rules whose kernels run forward only."""


def single_thresholds(size: int) -> IF:
    return IF(size, v_threshold=[1.0] * size)


def with_synapse(size: int) -> NIRNeuron:
    return NIRNeuron(size, alpha=0.5)


def counting_neurons(size: int) -> SpikeNeurons:
    return SpikeNeurons(size, config=NeuronConfig(levels=3, decays=True))


def signed_neurons(size: int) -> SpikeNeurons:
    return SpikeNeurons(size, config=NeuronConfig(signed=True))


NEURONS = {cls.__name__: (cls, cls.rule) for cls in (LIF, CubaLIF, AdLIF, LI, SignedIF)} | {
    "IF": (IF, lif_step),
    "IF thresholds": (single_thresholds, if_step),
    "SpikeNeurons of counts": (counting_neurons, spike_count_step),
    "SpikeNeurons of both signs": (signed_neurons, spike_count_step),
    "NIRNeuron": (NIRNeuron, membrane_step),
    "NIRNeuron with synapse": (with_synapse, synapse_step),
}
CASES = {
    **{
        f"{name} {shape}": Case(rule, lambda cls=cls, shape=shape: cls(shape[2]), (shape,), trains=rule not in FORWARD)
        for name, (cls, rule) in NEURONS.items()
        for shape in ([(2, 33, 63), (1, 4097, 1), (513, 8, 1)] + [(4097, 1, 1), (1, 1, 4097)] * (rule in FORWARD))
    },
    **{
        f"wkv {shape}": Case("wkv", lambda shape=shape: Wkv(shape[2]), (shape, shape))
        for shape in [(2, 33, 63), (1, 4097, 1), (2049, 2, 1)]
    },
    **{f"varying wkv {shape}": Case("varying_wkv", lambda shape=shape: VaryingWkv(shape[2]), (shape, shape)) for shape in [(2, 33, 63)]},
    **{
        f"mix {shape}": Case("token_mix", lambda shape=shape: Mix(shape[2]), (shape, shape))
        for shape in [(2, 33, 63), (1, 4097, 1), (4097, 1, 1)]
    },
    **{  # the second in several chunks of steps, of which the last is shorter than the window
        f"local attention {shape}": Case("local_attention", lambda shape=shape, window=window: LocalAttention(shape[2], window), (shape,))
        for shape, window in [((2, 33, 63), 5), ((1, 260, 20), 16), ((1, 70, 64), 90)]
    },
    **{f"qcfs {shape}": Case("qcfs", lambda: QCFS(4), (shape,)) for shape in [(2, 33, 63), (1, 1, 1), (3, 5, 7)]},
    **{
        f"{operation} {sizes}": delays(operation, *sizes)
        for operation in ("delay_kernel", "delay_conv", "delay_integer")
        for sizes in [(63, 9, 1, 2, 33), (100, 1, 1, 1, 400), (1, 17, 3, 5, 400), (400, 70, 2, 1, 1)]
    },
    **{
        f"{granularity} {sizes}": delays("delay_shift", *sizes, granularity=granularity)
        for granularity in ("axonal", "dendritic")
        for sizes in [(63, 65, 1, 3, 33), (300, 301, 3, 1, 20), (70, 71, 2, 90, 1)]
    },
    "decode": Case("decode", language_model, ((1,),), trains=False, call=decoded),
}
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "every second": lambda x: torch.stack([x, x + 1], -1)[..., 0],
    "one row for all": lambda x: x[:1].expand(x.shape),
    "one step for all": lambda x: x[:, :1].expand(x.shape) if x.dim() > 1 else x,
    "read only": lambda x: read_only(x),
}


def read_only(x: Tensor) -> Tensor:
    array = x.numpy()
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that it does not know arrays that may not be written to
        return torch.from_numpy(array)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[Hashable, int]:
    """How often each kernel of the CPU ran."""
    counted: dict[Hashable, int] = dict.fromkeys([operation for operation, device in KERNELS if device == "cpu"], 0)

    def counting(operation: Hashable, run: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*args: Any, **kwargs: Any) -> Any:
            counted[operation] += 1
            return run(*args, **kwargs)

        return counts

    for (operation, device), kernel in list(KERNELS.items()):
        if device == "cpu":
            monkeypatch.setitem(KERNELS, (operation, device), replace(kernel, run=counting(operation, kernel.run)))
    return counted


def given(case: Case, layout: str = "contiguous") -> list[Tensor]:
    made = [torch.randn(shape) + 0.3 for shape in case.shapes]
    if case.sparse:
        made = [(x > 1.5).float() for x in made]
    return [LAYOUTS[layout](made[0]), *made[1:]]


def run(mode: str, case: Case, module: nn.Module, inputs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The outputs, and the gradients of inputs and parameters."""
    with use_kernels(mode), torch.set_grad_enabled(case.trains):
        inputs = [x.detach().requires_grad_(case.trains) for x in inputs]
        found = leaves(case.call(module, *inputs))
        if not case.trains:
            return found, []
        outputs = [y for y in found if y.requires_grad]
        generator = torch.Generator().manual_seed(1)
        total = sum((y * torch.randn(y.shape, generator=generator)).sum() for y in outputs)
        wanted = [*inputs, *[p for p in module.parameters() if p.requires_grad]]
        return [y.detach() for y in found], [g for g in torch.autograd.grad(total, wanted, allow_unused=True) if g is not None]


def close(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        assert_close(one, other, rtol=1e-4, atol=2e-5 * scale)


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_runs_and_equals_the_loop_forward_and_backward(name: str, calls: dict[Hashable, int]) -> None:
    case = CASES[name]
    module, inputs = case.build(), given(case)
    expected = run("reference", case, module, inputs)
    assert not any(calls.values())
    found = run("auto", case, module, inputs)
    assert calls[case.operation] > 0, f"the kernel of {case.operation} refused: {name} compares the reference with itself"
    close(found[0], expected[0])
    close(found[1], expected[1])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [name for name in CASES if "(2, 33, 63)" in name or "63, " in name])
def test_any_layout_of_the_input(name: str, layout: str, calls: dict[Hashable, int]) -> None:
    case = CASES[name]
    module, inputs = case.build(), given(case, layout)
    before = [x.clone() for x in inputs]
    expected = run("reference", case, module, inputs)
    found = run("auto", case, module, inputs)
    assert calls[case.operation] > 0
    close(found[0], expected[0])
    close(found[1], expected[1])
    assert all(torch.equal(x, copy) for x, copy in zip(inputs, before, strict=True))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.trains and ("(2, 33, 63)" in name or "63, " in name)])
def test_forward_mode_at_the_size_of_kernels(name: str) -> None:
    case = CASES[name]
    module, inputs = case.build(), given(case)
    directions = tuple(torch.randn_like(x) for x in inputs)
    tangents = []
    for mode in ("auto", "reference"):
        with use_kernels(mode):
            outputs, tangent = torch.func.jvp(lambda *x: next(iter(leaves(case.call(module, *x)))), tuple(inputs), directions)
        assert tangent.abs().max() > 0
        tangents.append([outputs.detach(), tangent.detach()])
    close(*tangents)


INTEGER = {"integer_network", "integer_image_network", "integer_image_encode", "integer_spikegpt"}
"""Kernels of whole numbers, which equal their reference to the bit: tests/deploy."""
NETWORKS = {"run_until"}
"""Kernels of whole networks with an exit rule, compared with the modules: tests/exits/test_rows.py."""


def test_every_kernel_of_the_cpu_has_a_case() -> None:
    kernels = {operation for operation, device in KERNELS if device == "cpu"} - INTEGER - NETWORKS
    assert {case.operation for case in CASES.values()} == kernels
