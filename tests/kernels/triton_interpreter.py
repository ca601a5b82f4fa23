"""The Triton kernels against autograd of the reference rules, in Triton's interpreter, which `test_triton.py` starts on this file."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch

from dendrix.core import ATan, Boxcar, Rule, Sigmoid, Surrogate, Triangle, scan, use_kernels
from dendrix.kernels.triton.rules import Constants, Variant
from dendrix.kernels.triton.scan import backward, forward
from dendrix.neurons.adlif import AdLIFState, adlif_step
from dendrix.neurons.base import LIFState
from dendrix.neurons.cuba import CubaLIFState, cuba_lif_step
from dendrix.neurons.li import li_step
from dendrix.neurons.lif import lif_step


class Reference(NamedTuple):
    """A rule, its state and what it takes."""

    step: Rule
    state_type: Any
    parameters: tuple[str, ...]
    constants: tuple[str, ...]


RULES = {
    "li": Reference(li_step, LIFState, ("decay",), ()),
    "lif": Reference(
        lif_step, LIFState, ("decay",), ("v_threshold", "v_reset", "amplitude", "detach_reset", "scale_input", "spike")
    ),
    "cuba_lif": Reference(
        cuba_lif_step, CubaLIFState, ("decay_syn", "decay"), ("v_threshold", "v_reset", "detach_reset", "scale_input", "spike")
    ),
    "adlif": Reference(adlif_step, AdLIFState, ("decay", "decay_w", "a", "b"), ("v_threshold", "spike")),
}  # fmt: skip

CASES = [
    # rule, surrogate, v_reset, detach_reset, scale_input, amplitude
    ("li", ATan(), None, True, False, 1.0),
    ("lif", ATan(5.0), 0.0, True, False, 1.0),
    ("lif", ATan(2.0), 0.1, False, True, 1.0),
    ("lif", Sigmoid(3.0), None, True, True, 0.7),
    ("lif", Triangle(0.8), None, False, False, 2.0),
    ("lif", Boxcar(0.6), -0.2, True, True, 1.0),
    ("cuba_lif", Sigmoid(4.0), None, True, False, 1.0),
    ("cuba_lif", ATan(2.0), 0.0, False, True, 1.0),
    ("cuba_lif", Boxcar(0.5), None, False, True, 1.0),
    ("adlif", Boxcar(0.5), None, False, False, 1.0),
    ("adlif", Triangle(1.0), None, False, False, 1.0),
]


@pytest.fixture(autouse=True)
def poisoned_buffers() -> Iterator[None]:
    """Every `torch.empty` starts as NaN, so that a value which is never written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("rule", "spike", "v_reset", "detach_reset", "scale_input", "amplitude"), CASES)
def test_every_variant(rule: str, spike: Surrogate, v_reset: float | None, detach_reset: bool, scale_input: bool, amplitude: float) -> None:
    constants = Constants(0.8, v_reset, amplitude, next(iter(vars(spike).values())))
    compare(rule, (2, 9, 33), True, torch.float32, constants, Variant(detach_reset, scale_input, type(spike).__name__.lower()), spike)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 6, 200)])
@pytest.mark.parametrize("rule", list(RULES))
def test_sizes_that_fill_no_block_and_no_mask(rule: str, size: tuple[int, int, int]) -> None:
    compare(rule, size, False, torch.float32, Constants(width=2.0), Variant(), ATan(2.0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rule", list(RULES))
def test_half_precision_input_keeps_a_float32_state(rule: str, dtype: torch.dtype) -> None:
    compare(rule, (2, 9, 33), True, dtype, Constants(width=2.0), Variant(), ATan(2.0))


def compare(
    rule: str, size: tuple[int, int, int], masked: bool, dtype: torch.dtype, constants: Constants, variant: Variant, spike: Surrogate
) -> None:
    """Outputs and states equal to the bit, all gradients close; inputs at invalid steps are NaN."""
    batch, steps, columns = size
    step, state_type, names, needed = RULES[rule]
    valid = torch.rand(batch, steps) > 0.4 if masked else None
    x = torch.randn(size).to(dtype)
    if valid is not None:
        x = x.masked_fill(~valid.unsqueeze(-1), torch.nan)
    start = [torch.randn(batch, columns) for _ in state_type._fields]
    parameters = [torch.rand(columns) for _ in names]
    leaves = [leaf.requires_grad_() for leaf in (x, *start, *parameters)]

    options = {**constants._asdict(), **variant._asdict(), "spike": spike}
    with use_kernels("reference"):
        given = dict(zip(names, parameters, strict=True)) | {name: options[name] for name in needed}
        y, end = scan(step, x, state_type(*start), valid, **given)
    grads = [torch.randn_like(out) for out in (y, *end)]
    expected = torch.autograd.grad([y, *end], leaves, grads, allow_unused=True, materialize_grads=True)

    with torch.no_grad():
        found_y, found_end = forward(rule, x, start, parameters, valid, constants, variant)
        # The interpreter cuts a float32 down to bfloat16 where a GPU rounds it.
        torch.testing.assert_close(found_y, y, rtol=2**-7 if dtype == torch.bfloat16 else 0, atol=0)
        torch.testing.assert_close(list(found_end), list(end), rtol=0, atol=0)
        grad_x, grad_start, grad_parameters = backward(rule, grads[0], grads[1:], x, start, parameters, valid, constants, variant)
        torch.testing.assert_close([grad_x, *grad_start, *grad_parameters], list(expected))
