"""Integer image networks keep the function of the converted network; what has no integer form is refused by name."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from dendrix.core import accumulate
from dendrix.deploy import DeployedImage, quantise, quantise_images
from dendrix.errors import InputError
from dendrix.layers import QCFS
from dendrix.models import Converted, ConvertedConfig
from support.integer_images import CONVERTED, STEPS, converted, deployed_image, images


def error(kind: str, bits: int, **options: object) -> float:
    """Relative error of the accumulated outputs."""
    net = converted(kind, **options)
    whole = quantise(net, weights=bits)
    x = images(24)
    expected, found = accumulate(net(net.encode(x))[0])[:, -1], accumulate(whole(whole.encode(x))[0])[:, -1]
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", CONVERTED)
@pytest.mark.parametrize("neuron", ["signed", "if", "qffs"])
def test_outputs_are_those_of_the_float_network(kind: str, neuron: str) -> None:
    assert error(kind, 8, neuron=neuron) < 0.06
    assert error(kind, 3, neuron=neuron) > error(kind, 8, neuron=neuron)


def test_exact_numbers_stay_exact() -> None:
    """Weights and thresholds that are multiples of one unit, on black and white images, give the float network's outputs themselves."""
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), QCFS(4, 2.0), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * 36, 5)).eval()
    with torch.no_grad():
        for layer in (ann[0], ann[4]):
            layer.weight.copy_(torch.randint(-127, 128, layer.weight.shape) / 128)
            layer.weight.view(len(layer.weight), -1)[:, 0] = 127 / 128
            layer.bias.copy_(torch.randint(-64, 64, layer.bias.shape) / 128)
        ann[1].raw_threshold.copy_(torch.log(torch.expm1(torch.tensor(2.0, dtype=torch.float64))))
    net = Converted(ConvertedConfig.of(ann, height=12, width=12, outputs=5, steps=STEPS), ann).double().eval()
    whole = quantise(net)
    x = (images(16) > 0.5).double()
    torch.testing.assert_close(whole(whole.encode(x))[0], net(net.encode(x))[0], rtol=0, atol=1e-2)


def test_a_dilated_convolution_is_one_with_zeros_between_its_weights() -> None:
    def make(first: nn.Conv2d) -> Converted:
        torch.manual_seed(0)
        ann = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), QCFS(4, 1.0), first, QCFS(4, 1.0), nn.Flatten(), nn.Linear(8 * 80, 5)).eval()
        return Converted(ConvertedConfig.of(ann, height=12, width=12, outputs=5, steps=STEPS), ann).eval()

    dilated, written = nn.Conv2d(6, 8, (3, 2), dilation=(1, 4), groups=2), nn.Conv2d(6, 8, (3, 5), groups=2)
    with torch.no_grad():
        written.weight.zero_()[..., ::4] = dilated.weight
        written.bias.copy_(dilated.bias)
    one, other = quantise(make(dilated)), quantise(make(written))
    x = one.encode(images(8))
    assert one(x)[0].abs().sum() > 0
    assert torch.equal(one(x)[0], other(x)[0])


def _refused(*layers: nn.Module, **options: object) -> Callable[[], Converted]:
    def make() -> Converted:
        ann = nn.Sequential(*layers).eval()
        return Converted(ConvertedConfig.of(ann, height=12, width=12, outputs=5, **options), ann).eval()

    return make


REFUSED = {
    "MaxPool": (_refused(nn.Conv2d(3, 4, 3), QCFS(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 5), max_pool="spiking"),
                "SpikingMaxPool"),
    "padding": (_refused(nn.Conv2d(3, 4, 3, padding="same"), QCFS(), nn.Flatten(), nn.Linear(576, 5)), "^0: expected a convolution"),
    "two in a row": (_refused(nn.Conv2d(3, 4, 3), QCFS(), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), QCFS(), nn.Flatten(), nn.Linear(400, 5)),
                     "^3: expected neurons before it"),
    "pool of the image": (_refused(nn.AvgPool2d(2), nn.Conv2d(3, 4, 3), QCFS(), nn.Flatten(), nn.Linear(64, 5)), "^0: expected a conv"),
    "maps at the end": (_refused(nn.Conv2d(3, 4, 3), QCFS(), nn.Conv2d(4, 5, 1)), "Pool before the read-out"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_parts_without_an_integer_form_are_named(name: str) -> None:
    make, match = REFUSED[name]
    with pytest.raises(InputError, match=match):
        quantise(make())


def test_weights_that_are_not_finite_are_refused() -> None:
    net = converted("vgg")
    with torch.no_grad():
        next(net.parameters())[0] = torch.nan
    with pytest.raises(InputError, match="expected finite weights"):
        quantise_images(net)


def test_parts_that_do_not_fit_are_refused() -> None:
    net = quantise(converted("vgg"))
    with pytest.raises(InputError, match="labels: expected 5"):
        DeployedImage(net, ("a",))
    for wrong in (np.zeros(7, np.int64), np.full(432, 256), np.full(432, -1)):
        with pytest.raises(InputError, match="expected images of 432 bytes"):
            deployed_image(net).totals(wrong)
