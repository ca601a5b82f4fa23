"""The Triton kernels against autograd of the reference rules, in Triton's interpreter, which `test_triton.py` starts on this file."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch

from dendrix.core import ATan, Boxcar, Sigmoid, StepFn, Surrogate, Triangle, scan, use_kernels
from dendrix.kernels.scan import operation
from dendrix.kernels.scan.cuda import backward, forward
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, Neuron
from dendrix.neurons.adlif import AdLIFState, adlif_step
from dendrix.neurons.cuba import CubaLIFState, cuba_lif_step
from dendrix.neurons.li import li_step
from dendrix.neurons.lif import LIFState, lif_step
from dendrix.neurons.nir import NIRNeuron


class Reference(NamedTuple):
    """A rule, its state and what it takes."""

    step: StepFn
    state_type: Any
    parameters: tuple[str, ...]
    constants: tuple[str, ...]


RULES = {
    "li_step": Reference(li_step, LIFState, ("decay",), ()),
    "lif_step": Reference(
        lif_step, LIFState, ("decay",), ("v_threshold", "v_reset", "amplitude", "detach_reset", "scale_input", "spike")
    ),
    "cuba_lif_step": Reference(
        cuba_lif_step, CubaLIFState, ("decay_syn", "decay"), ("v_threshold", "v_reset", "detach_reset", "scale_input", "spike")
    ),
    "adlif_step": Reference(adlif_step, AdLIFState, ("decay", "decay_w", "a", "b"), ("v_threshold", "spike")),
}  # fmt: skip

CASES = [
    # rule, surrogate, v_reset, detach_reset, scale_input, amplitude
    ("li_step", ATan(), None, True, False, 1.0),
    ("lif_step", ATan(5.0), 0.0, True, False, 1.0),
    ("lif_step", ATan(2.0), 0.1, False, True, 1.0),
    ("lif_step", Sigmoid(3.0), None, True, True, 0.7),
    ("lif_step", Triangle(0.8), None, False, False, 2.0),
    ("lif_step", Boxcar(0.6), -0.2, True, True, 1.0),
    ("cuba_lif_step", Sigmoid(4.0), None, True, False, 1.0),
    ("cuba_lif_step", ATan(2.0), 0.0, False, True, 1.0),
    ("cuba_lif_step", Boxcar(0.5), None, False, True, 1.0),
    ("adlif_step", Boxcar(0.5), None, False, False, 1.0),
    ("adlif_step", Triangle(1.0), None, False, False, 1.0),
]


PLAIN = dict(v_threshold=1.0, v_reset=None, detach_reset=True, scale_input=False, amplitude=1.0, spike=ATan(2.0))


@pytest.fixture(autouse=True)
def poisoned_buffers() -> Iterator[None]:
    """Every `torch.empty` starts as NaN, so that a value which is never written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("rule", "spike", "v_reset", "detach_reset", "scale_input", "amplitude"), CASES)
def test_every_variant(rule: str, spike: Surrogate, v_reset: float | None, detach_reset: bool, scale_input: bool, amplitude: float) -> None:
    options = dict(v_reset=v_reset, detach_reset=detach_reset, scale_input=scale_input, amplitude=amplitude, spike=spike)
    compare(rule, (2, 6, 33), True, torch.float32, {**PLAIN, **options, "v_threshold": 0.8})


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 3, 130)])
@pytest.mark.parametrize("rule", list(RULES))
def test_sizes_that_fill_no_block_and_no_mask(rule: str, size: tuple[int, int, int]) -> None:
    compare(rule, size, False, torch.float32, PLAIN)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rule", list(RULES))
def test_half_precision_input_keeps_a_float32_state(rule: str, dtype: torch.dtype) -> None:
    compare(rule, (2, 5, 33), True, dtype, PLAIN)


GAINS = dict(q=[[0.5], [0.7], [0.9], [1.1], [1.3]], c=0.1, v_threshold=[[0.5], [0.6], [0.7], [0.8], [0.9]])
NIR = [
    NIRNeuron(5, beta=beta, fires=fires, detach_reset=detach, **GAINS, **more)
    for beta, fires, detach, more in [
        (0.9, ">", True, dict(v_reset=0.2)),
        (1.0, ">=", False, dict(v_reset=None, rho=0.3, spike=Triangle(0.8))),
        (0.8, ">", False, dict(v_reset=-0.1, alpha=0.5, g=0.7, p=[[0.4], [0.5], [0.6], [0.7], [0.8]], spike=Sigmoid(3.0))),
        (0.9, ">=", True, dict(v_reset=None, alpha=0.6, p=0.4, spike=Boxcar(0.5))),
    ]
]  # fmt: skip


@pytest.mark.parametrize("layer", [IF(5), LIF(5), PLIF(5), CubaLIF(5), AdLIF(5), LI(5), *NIR], ids=lambda layer: type(layer).__name__)
@pytest.mark.usefixtures("kernels_of_any_size")
def test_neurons_train_through_the_operation(layer: Neuron) -> None:
    """What a GPU is given to do, with the kernels in the place of those of the CPU: parameters, shapes and autograd."""
    operation.fused_scan.register_kernel("cpu")(operation.forward_on_cuda)
    operation.fused_scan_backward.register_kernel("cpu")(operation.backward_on_cuda)
    x = torch.randn(2, 4, 5, 3, requires_grad=True)
    leaves = [x, *layer.parameters()]
    found = {}
    for mode in ("reference", "required"):
        with use_kernels(mode):
            y, state = layer(x)
        found[mode] = [y, *state, *torch.autograd.grad(y.square().sum() + state[0].sum(), leaves)]
    torch.testing.assert_close(found["required"], found["reference"])


def compare(rule: str, size: tuple[int, int, int], masked: bool, dtype: torch.dtype, options: dict[str, Any]) -> None:
    """Outputs and states equal to the bit, all gradients close; inputs at invalid steps are NaN."""
    batch, steps, columns = size
    step, state_type, names, needed = RULES[rule]
    valid = torch.rand(batch, steps) > (0.4 if masked else -1)
    x = torch.randn(size).to(dtype).masked_fill(~valid.unsqueeze(-1), torch.nan).requires_grad_()
    start = torch.randn(len(state_type._fields), batch, columns, requires_grad=True)
    parameters = torch.rand(len(names), columns, requires_grad=True)

    given = dict(zip(names, parameters, strict=True)) | {name: options[name] for name in needed}
    with use_kernels("reference"):
        y, end = scan(step, x, state_type(*start), valid, **given)
    ends = torch.stack(list(end))
    grad_y, grad_end = torch.randn_like(y), torch.randn_like(ends)
    expected = torch.autograd.grad([y, ends], [x, start, parameters], [grad_y, grad_end])

    spike = options["spike"]
    flags = [options["v_reset"] is not None, options["detach_reset"], options["scale_input"]]
    constants = [options["v_threshold"], options["v_reset"] or 0.0, options["amplitude"], next(iter(vars(spike).values()))]
    variant = (rule, flags, constants, type(spike).__name__, 4)
    with torch.no_grad():
        found_y, found_end, marks = forward(x, start, parameters, valid, *variant)
        found = backward(x, marks, parameters, valid, grad_y, grad_end, *variant)
    # The interpreter cuts a float32 down to bfloat16 where a GPU rounds it.
    torch.testing.assert_close(found_y, y, rtol=2**-7 if dtype == torch.bfloat16 else 0, atol=0)
    torch.testing.assert_close(found_end, ends, rtol=0, atol=0)
    torch.testing.assert_close([found[0], found[1], found[2].sum(1)], list(expected))
