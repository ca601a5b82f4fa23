"""The Triton kernels against autograd of the reference rules, in Triton's interpreter, which `test_triton.py` starts on this file."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from dendrix.core import ATan, Boxcar, Sigmoid, Surrogate, Triangle, scan, use_kernels
from dendrix.kernels.triton import adlif, cuba, li, lif
from dendrix.neurons.adlif import AdLIFState, adlif_step
from dendrix.neurons.base import LIFState
from dendrix.neurons.cuba import CubaLIFState, cuba_lif_step
from dendrix.neurons.li import li_step
from dendrix.neurons.lif import lif_step

SURROGATES = [("atan", ATan(5.0)), ("sigmoid", Sigmoid(3.0)), ("triangle", Triangle(0.8)), ("boxcar", Boxcar(0.6))]
SIZES = [(1, 1, 1), (2, 9, 33), (3, 6, 200)]


@pytest.fixture(autouse=True)
def poisoned_buffers() -> Iterator[None]:
    """Every `torch.empty` starts as NaN, so a value that is never written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def draw(
    size: tuple[int, int, int], states: int, vectors: int, masked: bool, dtype: torch.dtype
) -> tuple[Tensor, list[Tensor], Tensor | None]:
    """Input [B, T, M] and then states [B, M] and parameters in (0, 1), [M], all leaves; a mask whose invalid inputs are NaN."""
    batch, steps, columns = size
    x = torch.randn(size).to(dtype)
    valid = None
    if masked:
        valid = torch.rand(batch, steps) > 0.4
        x = x.masked_fill(~valid.unsqueeze(-1), torch.nan)
    others = [torch.randn(batch, columns) for _ in range(states)] + [torch.rand(columns) for _ in range(vectors)]
    return x.requires_grad_(), [leaf.requires_grad_() for leaf in others], valid


def reference(
    rule: Any, state_type: Any, names: str, x: Tensor, leaves: list[Tensor], valid: Tensor | None, **constants: Any
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Outputs and last states, drawn gradients for them, and autograd's gradients for x and the leaves."""
    count = len(state_type._fields)
    with use_kernels("reference"):
        y, state = scan(rule, x, state_type(*leaves[:count]), valid, **dict(zip(names.split(), leaves[count:], strict=True)), **constants)
    outputs = [y, *state]
    grads = [torch.randn_like(out) for out in outputs]
    found = torch.autograd.grad(outputs, [x, *leaves], grads, allow_unused=True, materialize_grads=True)
    return outputs, grads, list(found)


def check(forward: Callable[..., Any], backward: Callable[..., Any], expected: tuple[list[Tensor], list[Tensor], list[Tensor]]) -> None:
    outputs, grads, found = expected
    with torch.no_grad():
        for ours, theirs in zip(forward(), outputs, strict=True):
            torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=0)
        for ours, theirs in zip(backward(*grads), found, strict=True):
            torch.testing.assert_close(ours, theirs)


LIF_VARIANTS = [
    # size, surrogate, v_reset, detach_reset, scale_input, amplitude, masked
    (SIZES[0], SURROGATES[0], None, True, False, 1.0, False),
    (SIZES[1], SURROGATES[0], 0.0, True, False, 1.0, True),
    (SIZES[1], SURROGATES[1], 0.1, False, True, 1.0, False),
    (SIZES[1], SURROGATES[2], None, False, True, 1.0, True),
    (SIZES[1], SURROGATES[3], None, False, False, 0.7, True),
    (SIZES[2], SURROGATES[3], -0.2, True, True, 2.0, True),
]


@pytest.mark.parametrize(("size", "surrogate", "v_reset", "detach_reset", "scale_input", "amplitude", "masked"), LIF_VARIANTS)
def test_lif(
    size: tuple[int, int, int],
    surrogate: tuple[str, Surrogate],
    v_reset: float | None,
    detach_reset: bool,
    scale_input: bool,
    amplitude: float,
    masked: bool,
) -> None:
    name, spike = surrogate
    width = next(iter(vars(spike).values()))
    x, leaves, valid = draw(size, 1, 1, masked, torch.float32)
    common = dict(v_threshold=0.8, v_reset=v_reset, scale_input=scale_input, amplitude=amplitude)
    expected = reference(lif_step, LIFState, "decay", x, leaves, valid, **common, detach_reset=detach_reset, spike=spike)
    check(
        lambda: lif.forward(x, *leaves, valid, **common),
        lambda *grads: lif.backward(*grads, x, *leaves, valid, **common, detach_reset=detach_reset, surrogate=name, width=width),
        expected,
    )


def test_li() -> None:
    x, leaves, valid = draw(SIZES[1], 1, 1, True, torch.float32)
    check(
        lambda: li.forward(x, *leaves, valid),
        lambda *g: li.backward(*g, x, *leaves, valid),
        reference(li_step, LIFState, "decay", x, leaves, valid),
    )


@pytest.mark.parametrize(
    ("v_reset", "detach", "scale", "masked"), [(None, True, False, True), (0.0, False, True, False), (None, False, True, True)]
)
def test_cuba(v_reset: float | None, detach: bool, scale: bool, masked: bool) -> None:
    x, leaves, valid = draw(SIZES[1], 2, 2, masked, torch.float32)
    common = dict(v_threshold=0.8, v_reset=v_reset, scale_input=scale)
    expected = reference(cuba_lif_step, CubaLIFState, "decay_syn decay", x, leaves, valid, **common, detach_reset=detach, spike=ATan(2.0))
    check(
        lambda: cuba.forward(x, *leaves, valid, **common),
        lambda *g: cuba.backward(*g, x, *leaves, valid, **common, detach_reset=detach, surrogate="atan", width=2.0),
        expected,
    )


@pytest.mark.parametrize(("size", "masked"), [(SIZES[0], False), (SIZES[1], True), (SIZES[2], False)])
def test_adlif(size: tuple[int, int, int], masked: bool) -> None:
    x, leaves, valid = draw(size, 3, 4, masked, torch.float32)
    expected = reference(adlif_step, AdLIFState, "decay decay_w a b", x, leaves, valid, v_threshold=0.8, spike=Boxcar(0.5))
    check(
        lambda: adlif.forward(x, *leaves, valid, v_threshold=0.8),
        lambda *g: adlif.backward(*g, x, *leaves, valid, v_threshold=0.8, surrogate="boxcar", width=0.5),
        expected,
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    x, leaves, valid = draw(SIZES[1], 1, 1, True, dtype)
    common = dict(v_threshold=0.8, v_reset=0.0, scale_input=False, amplitude=1.0)
    expected = reference(lif_step, LIFState, "decay", x, leaves, valid, **common, detach_reset=True, spike=ATan(2.0))
    check(
        lambda: lif.forward(x, *leaves, valid, **common),
        lambda *g: lif.backward(*g, x, *leaves, valid, **common, detach_reset=True, surrogate="atan", width=2.0),
        expected,
    )
