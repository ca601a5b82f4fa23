"""Fused CPU scans against the reference loop: same bits forward, same gradients, whatever the shape, dtype, mask or thread count."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils.data import DataLoader, Dataset

from dendrix.core import ATan, Boxcar, Sigmoid, Triangle, chosen_kernels, map_state, scan, use_kernels
from dendrix.kernels.scan import operation
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, Neuron, NIRNeuron

# Each compiled variant takes seconds: together these cover every rule, reset, detachment, scaling and surrogate.
VARIANTS: dict[str, Callable[[int], Neuron]] = {
    "IF": lambda n: IF(n, v_init=0.5, amplitude=0.75),
    "LIF hard": lambda n: LIF(n, v_reset=0.1, spike=ATan(5.0)),
    "LIF soft attached": lambda n: LIF(n, detach_reset=False, spike=Sigmoid()),
    "PLIF": lambda n: PLIF(n, spike=Triangle()),
    "CubaLIF": lambda n: CubaLIF(n),
    "CubaLIF hard scaled": lambda n: CubaLIF(n, v_reset=-0.1, detach_reset=False, scale_input=True, spike=Boxcar()),
    "AdLIF": lambda n: AdLIF(n, spike=Boxcar(1.0)),
    "LI": lambda n: LI(n),
    "NIR": lambda n: NIRNeuron(n, q=0.7, c=0.05, beta=torch.linspace(0.5, 0.9, n)),
    "NIR ties soft attached": lambda n: NIRNeuron(n, v_reset=None, rho=0.8, fires=">=", detach_reset=False, spike=Sigmoid()),
    "NIR synapse": lambda n: NIRNeuron(n, alpha=0.6, p=0.4, g=0.8, v_threshold=torch.linspace(0.5, 1, n), spike=Triangle()),
    "NIR synapse attached": lambda n: NIRNeuron(n, alpha=0.6, v_reset=0.2, detach_reset=False, fires=">="),
    "NIR synapse soft": lambda n: NIRNeuron(n, alpha=0.6, v_reset=None, spike=Boxcar()),
}

FURTHER = ("NIR ties soft attached", "NIR synapse attached", "NIR synapse soft")


@pytest.fixture(autouse=True)
def _poisoned_memory() -> Iterator[None]:
    """Deterministic mode fills every `torch.empty` with NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def run(mode: str, layer: Neuron, x: Tensor, valid: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs and final state, and the gradients of everything, from a state that is not rest."""
    generator = torch.Generator().manual_seed(1)
    x = x.detach().requires_grad_()
    state = map_state(lambda s: (s + 0.3 * torch.randn(s.shape, generator=generator)).requires_grad_(), layer.init_state(x.detach()[:, 0]))
    layer.zero_grad()
    with use_kernels(mode):
        y, after = layer(x, state, valid)
    weights = [torch.randn(part.shape, generator=generator) for part in (y, *after)]
    sum((part * w).sum() for part, w in zip((y, *after), weights, strict=True)).backward()
    return [y.detach(), *map_state(torch.Tensor.detach, after)], [x.grad, *[s.grad for s in state], *[p.grad for p in layer.parameters()]]


def masked(batch: int, steps: int) -> Tensor:
    valid = torch.rand(batch, steps) < 0.7
    valid[0] = True
    return valid


@pytest.mark.usefixtures("kernels_of_any_size")
@pytest.mark.parametrize("shape", [(3, 17, 63), (2, 140, 5), (1, 17, 2049), (2, 1, 8), (2, 5, 3, 4, 2)], ids=str)
@pytest.mark.parametrize("variant", [pytest.param(name, marks=[pytest.mark.extended] * (name in FURTHER)) for name in VARIANTS])
def test_kernel_equals_reference(variant: str, shape: tuple[int, ...]) -> None:
    layer = VARIANTS[variant](shape[2])
    x = torch.randn(shape) + 0.3
    for valid in (None, masked(*shape[:2])):
        expected, expected_gradients = run("reference", layer, x, valid)
        values, gradients = run("required", layer, x, valid)
        assert_close(values, expected, rtol=0, atol=0)
        assert_close(gradients, expected_gradients, rtol=1e-5, atol=1e-5)


def test_gradients_equal_those_of_float64() -> None:
    x = torch.randn(4, 40, 33)
    _, expected = run("reference", LIF(33, spike=Sigmoid()).double(), x.double(), None)
    _, gradients = run("required", LIF(33, spike=Sigmoid()), x, None)
    assert_close([g.double() for g in gradients], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", ["LIF hard", "LI"])
def test_bfloat16_equals_the_reference(variant: str) -> None:
    layer, x, valid = VARIANTS[variant](63), torch.randn(5, 17, 63).bfloat16(), masked(5, 17)
    expected, expected_gradients = run("reference", layer, x, valid)
    values, gradients = run("required", layer, x, valid)
    assert values[0].dtype == gradients[0].dtype == torch.bfloat16
    assert {v.dtype for v in values[1:]} == {torch.float32}
    assert_close(values, expected, rtol=0, atol=0)
    assert_close(gradients, expected_gradients)


def test_nan_stays_in_the_membrane_and_in_its_column() -> None:
    x = torch.randn(2, 8, 500)
    x[0, 3, 2] = torch.nan
    with use_kernels("required"):
        y, state = LIF(500)(x)
        membrane, _ = LI(500)(x)
    assert state.v.isnan().nonzero().tolist() == [[0, 2]]
    assert not y.isnan().any()
    assert membrane.isnan().sum() == 5


def test_strided_inputs_are_read_right_and_left_alone() -> None:
    x = torch.randn(17, 63, 5).permute(2, 0, 1)
    before = x.clone()
    layer = LIF(63)
    with use_kernels("required"):
        y, _ = layer(x)
        contiguous, _ = layer(x.contiguous())
    assert torch.equal(y, contiguous)
    assert torch.equal(x, before)


def test_two_threads_equal_one() -> None:
    layer, x, before = LIF(300), torch.randn(5, 700, 300), torch.get_num_threads()
    results = []
    for count in (1, 2, 4):
        torch.set_num_threads(count)
        results.append(run("required", layer, x, None))
    torch.set_num_threads(before)
    for values, gradients in results[1:]:
        assert_close(values, results[0][0], rtol=0, atol=0)
        assert_close(gradients, results[0][1], rtol=0, atol=0)


class Spiking(Dataset[Tensor]):
    """A data set that runs a fused scan in its worker; threads of a forked process are in tests/core/test_threads.py."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        with use_kernels("required"):
            return LIF(64)(torch.full((4, 20, 64), 0.1 * (index + 1)))[0].detach()


def test_workers_forked_after_use_do_not_hang() -> None:
    expected = [Spiking()[i] for i in range(4)]
    loader = DataLoader(Spiking(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60)
    assert_close(list(loader), expected)


@pytest.mark.parametrize("variant", ["LIF hard", "AdLIF"])
def test_opcheck(variant: str) -> None:
    name, states, params = {"LIF hard": ("lif_step", 1, 1), "AdLIF": ("adlif_step", 3, 4)}[variant]
    x, start = torch.randn(2, 9, 5, requires_grad=True), torch.randn(states, 2, 5, requires_grad=True)
    rest = torch.rand(params, 5, requires_grad=True), masked(2, 9), name, [True, True, False], [1.0, 0.1, 1.0, 2.0], "ATan"
    torch.library.opcheck(operation.fused_scan, (x, start, *rest))
    with torch.no_grad():
        y, end, marks = operation.fused_scan(x, start, *rest)
    arguments = [t.detach() for t in (x, marks, rest[0], rest[1], y, end)]
    torch.library.opcheck(operation.fused_scan_backward, (*arguments, *rest[2:]))


def test_compile_sees_one_node() -> None:
    torch._dynamo.reset()
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    layer, x = LIF(16), torch.randn(6, 50, 16)
    y, _ = torch.compile(layer, fullgraph=True, backend=backend)(x)
    calls = [node.target for node in graphs[0].graph.nodes if "fused_scan" in str(node.target)]
    assert len(calls) == 1
    assert torch.equal(y, layer(x)[0])


@pytest.mark.parametrize(
    ("reason", "x", "options"),
    [
        ("float64", torch.zeros(5, 10, 100, dtype=torch.float64), {}),
        ("surrogate", torch.zeros(5, 10, 100), dict(spike=torch.sigmoid)),
        ("90 elements are fewer than", torch.zeros(1, 9, 10), {}),
        ("1 steps are fewer than", torch.zeros(50, 1, 100), {}),
    ],
    ids=["float64", "surrogate", "elements", "steps"],
)
def test_refusals_say_why(reason: str, x: Tensor, options: dict[str, object]) -> None:
    layer = LIF(x.shape[2], **options)
    assert layer(x)[0].shape == x.shape
    assert reason in chosen_kernels()["lif_step on cpu"]
    with use_kernels("required"), pytest.raises(RuntimeError, match=reason):
        layer(x)


@pytest.mark.parametrize(("neuron", "steps", "taken"), [(LI, 7, False), (LI, 8, True), (LIF, 2, True), (LIF, 1, False)])
def test_short_inputs_without_gradients_take_the_faster_way(neuron: type[LI | LIF], steps: int, taken: bool) -> None:
    layer = neuron(100)
    with torch.no_grad():
        layer(torch.zeros(50, steps, 100))
    chosen = chosen_kernels()[f"{neuron.rule.__name__} on cpu"]
    assert chosen.startswith("kernels.scan") if taken else "steps" in chosen, chosen


def test_a_state_of_another_batch_never_reaches_the_kernel() -> None:
    x, layer = torch.zeros(3, 50, 64), LIF(64)
    state = layer(x)[1]
    layer(x, state)
    with pytest.raises(RuntimeError):  # what torch says of the sizes; the kernel would have read beyond the end of the state
        scan(LIF.rule, x[:2], state, None, **layer.params())
    assert "not shaped like" in chosen_kernels()["lif_step on cpu"]


def test_large_inputs_take_the_kernel() -> None:
    LIF(64)(torch.zeros(2, 40, 64))
    assert chosen_kernels()["lif_step on cpu"].startswith("kernels.scan")


def test_without_numba_the_reference_runs() -> None:
    code = """
import sys
sys.modules["numba"] = None
import torch
from dendrix.core import chosen_kernels
from dendrix.neurons import LI
LI(64)(torch.zeros(8, 100, 64))
print(chosen_kernels())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numba is not installed" in done.stdout
