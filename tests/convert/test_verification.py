"""Parts that read the batch axis, or what is overwritten, are refused; so the steps of an image never mix with others."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.convert import convert
from dendrix.layers import QCFS
from support.networks import images

Function = Callable[[Tensor], Tensor]


class Between(nn.Module):
    """A function between the neurons and the last layer."""

    def __init__(self, function: Function, size: int = 144):
        super().__init__()
        self.conv, self.act, self.fc, self.function = nn.Conv2d(3, 4, 3), QCFS(4, 1.0), nn.Linear(size, 5), function

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.function(self.act(self.conv(x))).flatten(1))


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda h: h - h[:1], "getitem"),
        (lambda h: h - h.mean(0), "mean"),
        (lambda h: h - h.mean(), "mean"),
        (lambda h: torch.cat([h[1:], h[:1]]), "getitem"),
        (lambda h: h + h.transpose(0, 1).flatten(1).mean(1).view(4, 1, 1), "transpose"),
    ],
)
def test_parts_that_mix_images_are_named(function: Function, name: str, count: int) -> None:
    with pytest.raises(ValueError, match=rf"treat images independently, but {name}\w* depends on the other images of the batch"):
        convert(Between(function).eval(), images(count))


@pytest.mark.parametrize("x", [images(4), torch.zeros(4, 3, 8, 8)], ids=["random", "zeros"])
@pytest.mark.parametrize(
    ("function", "name"),
    [(lambda h: h.reshape(4, -1), "reshape"), (lambda h: h.view(4, 144), "view"), (lambda h: h + torch.ones(4, 1, 1, 1), "add")],
)
def test_parts_of_a_fixed_batch_size_are_named(function: Function, name: str, x: Tensor) -> None:
    with pytest.raises(ValueError, match=rf"but {name}\w* (fails for|depends on)|any number of images, but (fc|{name})\w* fails for [12]:"):
        convert(Between(function).eval(), x)


def test_neurons_over_another_axis_are_refused() -> None:
    class Turned(Between):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.act(self.conv(x).transpose(0, 1)).transpose(0, 1).flatten(1))

    with pytest.raises(ValueError, match="but transpose depends on the other images of the batch"):
        convert(Turned(torch.abs).eval(), images())


@pytest.mark.parametrize(
    "function",
    [
        lambda h: h.permute(1, 0, 2, 3).flatten(2).permute(1, 0, 2),
        lambda h: h.view(-1, 144),
        lambda h: h * torch.linspace(1, 2, 4, dtype=torch.float64).view(-1, 1, 1),
        lambda h: h - h.mean(1, keepdim=True),
    ],
)
def test_parts_that_leave_images_apart_are_exact(function: Function) -> None:
    ann, x = Between(function).double().eval(), images().double()
    network = convert(ann, x).network
    assert_close(network(network.encode(x, 4))[0].mean(1), ann(x))


@pytest.mark.parametrize(
    "function", [lambda h: h.add_(1) + h, lambda h: h.clamp_(0, 0.5) + h, lambda h: nn.functional.relu6(h.sub_(1), True) + h]
)
def test_what_is_overwritten_and_read_again_is_refused(function: Function) -> None:
    with pytest.raises(ValueError, match="something overwrites in place what is read later"):
        convert(Between(function).eval(), images())


def test_conversion_leaves_the_random_state_and_the_example_alone() -> None:
    ann, x = Between(lambda h: h).eval(), images()
    before, state = x.clone(), torch.get_rng_state()
    convert(ann, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, before)


def test_an_example_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="example: expected finite numbers"):
        convert(Between(lambda h: h).eval(), images().log())
