"""Kernels of the delay layer against the reference: outputs and gradients, odd shapes, every algorithm, compile and opcheck."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from dendrix import use_kernels
from dendrix.core import chosen_kernels
from dendrix.errors import InputError
from dendrix.kernels.delay import conv, cost, gauss, integer, shift, spectral
from dendrix.kernels.delay.spectral import Window
from dendrix.layers import DelayLinear, delay_conv, delay_kernel, freeze
from dendrix.layers.delay.linear import delay_shift

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}
DTYPES = list(TOLERANCE)
# B, T, C, H, L, steps of the past
SHAPES = [
    (2, 7, 3, 4, 5, 0),
    (2, 7, 3, 4, 5, 4),
    (5, 30, 37, 3, 7, 6),
    (1, 1, 1, 1, 1, 0),
    (1, 5, 2, 2, 9, 8),
    (1, 5, 12, 2, 9, 0),
    (6, 6, 7, 2, 2, 1),
]
WIDE = (2, 6, 3, 300, 5, 2)
"""More outputs than a tile holds."""


def close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= TOLERANCE[theirs.dtype] * theirs.abs().max().clamp_min(1)


def spikes(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Counts with both signs of noise, half of them zero."""
    return torch.randn(*shape, dtype=dtype) * (torch.rand(*shape) < 0.5)


@pytest.fixture(autouse=True)
def _poisoned() -> Iterator[None]:
    """Deterministic mode fills new buffers with NaN: one that is not written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "taps", "width"), [((5, 3, 1), 7, 3.0), ((70, 3, 2), 25, 12.0), ((130, 2, 1), 9, 0.23), ((4, 4, 1), 25, -0.2)]
)
def test_the_gaussian_builder_and_its_closed_form_gradients(dtype: torch.dtype, sizes: Any, taps: int, width: float) -> None:
    weight = torch.randn(sizes, dtype=dtype, requires_grad=True)
    delay = (torch.rand(sizes, dtype=dtype) * (taps - 1)).requires_grad_()
    s = torch.tensor(width, dtype=dtype, requires_grad=True)
    ours, plain = gauss.build_kernel(weight, delay, s, taps, "gauss"), delay_kernel(weight, delay, s, taps, "gauss")
    close(ours, plain)
    g = torch.randn_like(plain)
    for a, b in zip(torch.autograd.grad(ours, (weight, delay, s), g), torch.autograd.grad(plain, (weight, delay, s), g), strict=True):
        close(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("by", "back_by", "pieces"), [("shifted",) * 2 + (1,), ("spectral",) * 2 + (1,), ("spectral",) * 2 + (2,), ("events", "spectral", 1)]
)
def test_every_convolution_equals_conv1d(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, shape: tuple[int, ...], by: str, back_by: str, pieces: int
) -> None:
    B, T, C, H, L, past = shape
    window = Window(pieces, -(-T // pieces))
    monkeypatch.setattr(conv, "choose", lambda x, kernel, past, density, need_x: (back_by if need_x else by, window))
    x, kernel = spikes(B, past + T, C, dtype=dtype).requires_grad_(), torch.randn(L, C, H, dtype=dtype, requires_grad=True)
    y = conv.convolve(x, kernel, past, None)
    plain = delay_conv(x, kernel, past)
    close(y, plain)
    g = torch.randn_like(plain)
    for a, b in zip(torch.autograd.grad(y, (x, kernel), g), torch.autograd.grad(plain, (x, kernel), g), strict=True):
        close(a, b)


def test_a_wide_layer_is_convolved_in_blocks_of_points_and_groups_of_rows() -> None:
    x, kernel, g, window = spikes(50, 9, 256), torch.randn(25, 256, 256), torch.randn(50, 9, 256), Window(1, 9)
    problem = spectral._problem(x, kernel, 0, window)
    assert len(problem.groups(len(x))) > 1
    assert len(list(problem.blocks())) > 1
    ours = spectral.forward(x, kernel, 0, window), *spectral.backward(g, x, kernel, 0, window, True)
    inputs = x.requires_grad_(), kernel.requires_grad_()
    plain = delay_conv(*inputs)
    for a, b in zip(ours, (plain, *torch.autograd.grad(plain, inputs, g)), strict=True):
        assert a is not None
        close(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_the_kernel_follows_events(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    monkeypatch.setattr(conv, "choose", lambda *_, **__: ("events", Window(1, 1)))
    B, T, C, H, L, past = shape
    x, kernel = spikes(B, past + T, C, dtype=dtype), torch.randn(L, C, H, dtype=dtype, requires_grad=True)
    g = torch.randn(B, T, H, dtype=dtype)
    (ours,) = torch.autograd.grad(conv.convolve(x, kernel, past, None), kernel, g)
    (plain,) = torch.autograd.grad(delay_conv(x, kernel, past), kernel, g)
    close(ours, plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, WIDE])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("by", ["events", "sliding"])
def test_integer_delays_equal_the_dense_kernel(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, shape: tuple[int, ...], count: int, by: str
) -> None:
    monkeypatch.setattr(integer, "choose", lambda *_: by)
    B, T, C, H, L, past = shape
    x, weight, delay = spikes(B, past + T, C, dtype=dtype), torch.randn(H, C, count, dtype=dtype), torch.randint(0, L, (H, C, count))
    dense = weight.new_zeros(L, C, H).scatter_add(0, delay.permute(2, 1, 0), weight.permute(2, 1, 0))
    y = integer.integer_delays(x, weight, delay, L, past, None)
    close(y, delay_conv(x, dense, past))
    narrow = delay.int()  # as the layer passes them
    assert torch.equal(integer.integer_delays(x, weight, narrow, L, past, None), y)
    assert torch.equal(narrow, delay.int())  # and keeps them


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, (3, 11, 300, 1, 6, 2)])
def test_delays_per_channel_equal_conv1d(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    B, T, C, K, L, past = shape
    x, taps = spikes(B, past + T, C, dtype=dtype).requires_grad_(), torch.randn(C, K, L, dtype=dtype, requires_grad=True)
    y, plain = shift.run(x, taps, past), delay_shift(x, taps, past)
    close(y, plain)
    g = torch.randn_like(plain)
    for a, b in zip(torch.autograd.grad(y, (x, taps), g), torch.autograd.grad(plain, (x, taps), g), strict=True):
        close(a, b)


@pytest.mark.parametrize("granularity", ["synaptic", "axonal", "dendritic"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_layer_runs_on_kernels_and_gives_the_reference(threads: int, granularity: Any) -> None:
    model, valid = DelayLinear(40, 30, 150.0, 10.0, kernel_count=2, granularity=granularity), torch.rand(6, 50) < 0.8
    x, g = (torch.rand(6, 50, 40) < 0.05).float(), torch.randn(6, 50, 30)
    results, before = {}, torch.get_num_threads()
    torch.set_num_threads(threads)
    for mode in ("reference", "required"):
        with use_kernels(mode):
            y, state = model(x, valid=valid)
            again, _ = model(x, state)
            results[mode] = [y, again, *torch.autograd.grad(y + again, (model.weight, model.delay), g)]
            with torch.no_grad():
                results[mode].append(freeze(model)(x, state, valid)[0])
    torch.set_num_threads(before)
    for ours, plain in zip(results["required"], results["reference"], strict=True):
        close(ours, plain)


@pytest.mark.parametrize("interpolation", ["gauss", "triangle", "linear"])
@pytest.mark.parametrize(("count", "batch"), [(1, 1), (3, 2)])
def test_a_single_output(interpolation: Any, count: int, batch: int) -> None:
    model = DelayLinear(100, 1, 200.0, 10.0, kernel_count=count, interpolation=interpolation)
    x = (torch.rand(batch, 400, 100) < 0.05).float()
    y, _ = model(x)
    assert chosen_kernels()["delay_conv forward on cpu"] == "events"
    with use_kernels("reference"):
        close(y, model(x)[0])


def test_gradients_of_float32_are_as_exact_as_those_of_a_plain_convolution() -> None:
    """Of a layer with two synapses per pair and the narrowest published width, against float64; root mean squares, as maxima vary."""
    model = DelayLinear(16, 16, 250.0, 10.0, kernel_count=2, width=0.23)
    exact = copy.deepcopy(model).double()
    x, g = (torch.rand(128, 100, 16) < 0.1).float(), torch.randn(128, 100, 16)

    def errors(mode: str) -> list[Tensor]:
        with use_kernels(mode):
            found = torch.autograd.grad(model(x)[0], (model.weight, model.delay), g)
        return [(a - b).square().mean().sqrt() for a, b in zip(found, truth, strict=True)]

    with use_kernels("reference"):
        truth = torch.autograd.grad(exact(x.double())[0], (exact.weight, exact.delay), g.double())
    for ours, plain in zip(errors("required"), errors("reference"), strict=True):
        assert ours <= plain


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: m.double()(x.double()[:1, :2]), "fewer than"),
        (lambda m, x: m.bfloat16()(x.bfloat16()), "bfloat16"),
        (lambda m, x: DelayLinear(40, 30, 150.0, 10.0, interpolation="triangle")(x), "no kernel for interpolation"),
        (lambda m, x: DelayLinear(40, 30, 150.0, 10.0, granularity="axonal")(x[:1, :2]), "multiply-adds are fewer than"),
        (lambda m, x: DelayLinear(40, 30, 150.0, 10.0, granularity="axonal").bfloat16()(x.bfloat16()), "taps are torch.bfloat16"),
    ],
)
def test_refusals_name_the_reason(call: Any, words: str) -> None:
    with use_kernels("required"), pytest.raises(RuntimeError, match=words):
        call(DelayLinear(40, 30, 150.0, 10.0), torch.zeros(6, 50, 40))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_broken_delays_are_refused_before_they_become_indices(broken: float) -> None:
    model = DelayLinear(40, 30, 150.0, 10.0)
    model.delay.data[3, 2, 0] = broken
    for call in (model.integer_delay, lambda: freeze(model)):
        with pytest.raises(InputError, match=r"delay: expected finite numbers, got (nan|inf) at index \[3, 2, 0\]"):
            call()


def test_the_choice_follows_shape_and_density() -> None:
    wide = cost.Shape(128, 100, 256, 256, 25)
    window = cost.best_window(wide)
    assert cost.spectral(wide, window) < cost.shifted(wide) < cost.spectral(wide, Window(100, 1))
    assert cost.events(wide, 0.01) < cost.spectral(wide, window) < cost.events(wide, 0.3)
    one_step = cost.Shape(1, 1, 256, 256, 25)
    assert cost.shifted(one_step) < cost.spectral(one_step, cost.best_window(one_step))
    assert cost.scattered(wide, 0, 0.01) < cost.sliding(wide) < cost.scattered(wide, 0, 0.3)


def test_the_choice_is_recorded() -> None:
    model = DelayLinear(40, 30, 150.0, 10.0)
    model.input_density = 0.001
    model(torch.rand(6, 50, 40))
    assert chosen_kernels()["delay_conv forward on cpu"] == "events"
    model.input_density = 1.0
    model(torch.rand(6, 50, 40))
    assert chosen_kernels()["delay_conv forward on cpu"] == "spectral"


@pytest.mark.parametrize("granularity", ["synaptic", "axonal"])
def test_compiles_as_one_graph(granularity: Any) -> None:
    model, x = DelayLinear(40, 30, 150.0, 10.0, granularity=granularity), torch.rand(6, 50, 40, requires_grad=True)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    ours, plain = compiled(x)[0], model(x)[0]
    close(ours, plain)
    for a, b in zip(torch.autograd.grad(ours.sum(), (x, model.delay)), torch.autograd.grad(plain.sum(), (x, model.delay)), strict=True):
        close(a, b)


def test_operations_are_registered_properly() -> None:
    x, kernel = spikes(2, 9, 3).requires_grad_(), torch.randn(4, 3, 2, requires_grad=True)
    weight, delay = torch.randn(2, 3, 1, requires_grad=True), torch.rand(2, 3, 1, requires_grad=True)
    torch.library.opcheck(conv.convolve, (x, kernel, 3, None))
    torch.library.opcheck(gauss.gauss_kernel, (weight, delay, torch.tensor(1.0), 4))
    torch.library.opcheck(shift.shift, (x, torch.randn(4, 3, requires_grad=True), 3))
    torch.library.opcheck(integer.integer_delays, (x.detach(), weight.detach(), delay.detach().long(), 4, 3, None))
