import math

import pytest
import torch
from torch import Tensor

from dendrix.core import expect, expect_finite, expect_floating, expect_in, expect_one_of, expect_state, expect_valid, expect_weights
from dendrix.neurons.lif import LIFState


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((2, 3), "B T C", r"x: expected \[B, T, C=4\], got \[2, 3\]\. Tensors are batch first.*x\.transpose\(0, 1\)"),
        ((2, 3, 5), "B T C", r"expected \[B, T, C=4\], got \[2, 3, 5\]"),
        ((2, 3), "B T C ...", r"expected \[B, T, C=4, \.\.\.\], got \[2, 3\]"),
        ((2, 0, 4), "B T C", r"got \[2, 0, 4\]\. Axis T is empty"),
        ((2, 5), "B C", r"expected \[B, C=4\], got \[2, 5\]\. Reshape"),
    ],
)
def test_a_wrong_shape_is_named(shape: tuple[int, ...], axes: str, message: str) -> None:
    expect(torch.zeros(2, 3, 4)[:, 0] if axes == "B C" else torch.zeros(2, 3, 4), axes, C=4)
    with pytest.raises(ValueError, match=message):
        expect(torch.zeros(shape), axes, C=4)


def test_no_tensor() -> None:
    with pytest.raises(TypeError, match=r"x: expected a torch\.Tensor \[B T\], got list"):
        expect([[1.0]], "B T")


def test_valid_must_be_a_boolean_mask_of_the_same_batch() -> None:
    x = torch.zeros(2, 3, 4)
    expect_valid(None, x)
    expect_valid(torch.ones(2, 3, dtype=torch.bool), x)
    with pytest.raises(TypeError, match=r"Use valid\.bool\(\)"):
        expect_valid(torch.ones(2, 3), x)
    with pytest.raises(ValueError, match=r"expected \[B=2, T=3\], got \[3, 2\]"):
        expect_valid(torch.ones(3, 2, dtype=torch.bool), x)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_number_that_is_not_finite_is_named(bad: float) -> None:
    x = torch.zeros(2, 3)
    expect_finite(x)
    x[1, 2] = bad
    with pytest.raises(ValueError, match=rf"got {bad} at index \[1, 2\]"):
        expect_finite(x)


def test_one_of() -> None:
    assert expect_one_of("sum", ("sum", "mean"), "how") == "sum"
    with pytest.raises(ValueError, match=r"how: got 'summ'\. Did you mean 'sum'\? Expected one of mean, sum"):
        expect_one_of("summ", ("sum", "mean"), "how")
    with pytest.raises(ValueError, match=r"got 'xyz'\.$"):
        expect_one_of("xyz", ("sum", "mean"), "how")


def test_only_floating_numbers() -> None:
    expect_floating(torch.zeros(2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"x_t: expected a floating dtype, got torch\.int64\. Use x_t\.float\(\)"):
        expect_floating(torch.zeros(2, dtype=torch.int64), "x_t")


def test_a_state_is_of_its_layer_and_batch() -> None:
    shape = torch.Size([2, 4])
    expect_state(None, LIFState, shape)
    expect_state(LIFState(torch.zeros(2, 4)), LIFState, shape)
    expect_state(torch.zeros(2, 4), Tensor, shape)
    with pytest.raises(ValueError, match=r"state: expected LIFState of shape \[2, 4\], got LIFState \(\[3, 4\]\)\. Pass the state"):
        expect_state(LIFState(torch.zeros(3, 4)), LIFState, shape)
    for other in (torch.zeros(2, 4), (torch.zeros(2, 4),), LIFState(None), 5, "rest"):
        with pytest.raises(ValueError, match="state: expected LIFState"):
            expect_state(other, LIFState, shape)


@pytest.mark.parametrize("interval", ["[0, 1)", "(0, inf)", "(-inf, 0)"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_lies_nowhere(value: float, interval: str) -> None:
    with pytest.raises(ValueError, match="p: expected a number in"):
        expect_in(value, interval, "p")


@pytest.mark.parametrize(
    ("inside", "outside", "interval"),
    [(0, 1, "[0, 1)"), (0.999, -0.1, "[0, 1)"), (1, 1.1, "(0, 1]"), (1e38, 0, "(0, inf)"), (-3, math.inf, "(-inf, inf)")],
)
def test_what_lies_outside_an_interval_is_refused(inside: float, outside: float, interval: str) -> None:
    expect_in(inside, interval, "p")
    with pytest.raises(ValueError, match=r"p: expected a number in .*, got .*\. Choose one inside\."):
        expect_in(outside, interval, "p")


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"a": torch.zeros(2), "b": torch.zeros(2, dtype=torch.complex64)}, "complex numbers, .*, are in b"),
        ({"a": torch.tensor([1, math.inf])}, "NaN or infinity is in a"),
        ({"a": torch.tensor([1, math.nan], dtype=torch.bfloat16), "c": torch.tensor(math.nan)}, "NaN or infinity is in a, c"),
        ({"norm.running_var": torch.tensor([1.0, -1e-9])}, r"a negative variance is in norm\.running_var"),
        ({"running_var": torch.tensor([-1.0])}, "a negative variance is in running_var"),
    ],
)
def test_weights_that_a_network_would_take_in_silence(tensors: dict[str, torch.Tensor], says: str) -> None:
    with pytest.raises(ValueError, match=f"^weights: expected finite real numbers, but {says}"):
        expect_weights(tensors)


def test_weights_that_are_right() -> None:
    expect_weights({"a": -torch.ones(3), "n": torch.tensor(3), "running_var": torch.zeros(2), "mean": -torch.ones(1, dtype=torch.float64)})
