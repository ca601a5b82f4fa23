"""Convolutional networks stop in their compiled loop where the record of their modules says; parts without a compiled form are named."""

import math

import pytest
import torch
from torch import Tensor, nn

from dendrix.core import Stateful
from dendrix.errors import InputError
from dendrix.exits import Entropy, ExitRule, Margin, Patience, run, serve
from dendrix.layers import QCFS, BatchNorm, HeldDropout, PerStep, Sequential
from dendrix.models import Converted, ConvertedConfig, ResNet, ResNetConfig
from dendrix.neurons import IF, LI, LIF, PLIF, CubaLIF, SignedIF
from support.compiled_runs import compare, how
from support.integer_images import CONVERTED, converted, images

NEURONS = {
    "LIF": lambda size: LIF(size, 20.0, 10.0, v_reset=0.0),
    "LIF, soft": lambda size: LIF(size, 20.0, 10.0),
    "LIF, scaled": lambda size: LIF(size, 20.0, 10.0, v_reset=-0.1, scale_input=True, v_threshold=0.4, amplitude=0.5),
    "LIF, each": lambda size: LIF(
        size, decay=[0.5 + 0.4 * k / size for k in range(size)], v_threshold=[0.8 + 0.02 * k for k in range(size)]
    ),
    "IF": lambda size: IF(size, v_init=0.5, amplitude=0.7),
    "IF, hard": lambda size: IF(size, v_reset=-0.2, v_init=0.5),
    "PLIF": lambda size: PLIF(size, 20.0, 10.0),
    "SignedIF": lambda size: SignedIF(size, v_init=0.5, limit=3),
}
"""Kinds of hidden layers with a compiled form."""


def pictures(count: int, steps: int, channels: int = 2) -> Tensor:
    """Inputs [B, T, C, 9, 8] that change from step to step, half of them zero."""
    x = torch.randn(count, steps, channels, 9, 8)
    return x * (torch.rand_like(x) < 0.5)


def network(kind: str = "LIF") -> Sequential:
    """Two convolutions, the second with a stride, a pool with padding and two linear layers, in evaluation mode."""
    norm = BatchNorm(6)
    with torch.no_grad():
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.2, 0.5)
        norm.bias.normal_(0.3, 0.3)
    return Sequential(
        PerStep(nn.Conv2d(2, 6, 3, padding=1, bias=False)), norm, NEURONS[kind](6),
        PerStep(nn.Conv2d(6, 20, (3, 2), stride=(2, 3))), NEURONS[kind](20), HeldDropout(0.2),
        PerStep(nn.Sequential(nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(20 * 4, 9))), NEURONS[kind](9),
        nn.Linear(9, 5), LI(5, 30.0, 10.0),
    ).eval()  # fmt: skip


def converted_plain(**options: object) -> Converted:
    ann = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), QCFS(4, 1.0), nn.Conv2d(8, 7, 3, padding=1), nn.BatchNorm2d(7), QCFS(4, 1.0),
        nn.AvgPool2d(3, 2, 1), nn.Flatten(), nn.Linear(7 * 9, 5),
    ).eval()  # fmt: skip
    return Converted(ConvertedConfig.of(ann, height=12, width=12, outputs=5, steps=9, **options), ann).eval()


@pytest.mark.parametrize("neuron", ["signed", "if", "qffs"])
@pytest.mark.parametrize("kind", ["vgg", "resnet", "own"])
def test_converted_networks(kind: str, neuron: str) -> None:
    torch.manual_seed(0)
    net = converted_plain(neuron=neuron) if kind == "own" else converted(kind, neuron=neuron)
    x = net.encode(images(40), 9)
    assert x.stride(1) == 0
    compare(net, x, Margin(0.4), "sum", torch.randint(3, 10, (40,)), batch_size=7)


def test_negative_spikes_are_among_those_compared() -> None:
    net, seen = converted("vgg"), []
    for module in net.modules():
        if isinstance(module, SignedIF):
            module.register_forward_hook(lambda _, __, found: seen.append(bool((found[0] < 0).any())))
    net(net.encode(images(40), 9))
    assert any(seen)


@pytest.mark.parametrize("rule", [Entropy(0.2), Patience(3.5), Margin(math.inf)])
def test_rules(rule: ExitRule) -> None:
    net = converted("resnet")
    compare(net, net.encode(images(20), 9), rule, "mean", torch.full((20,), 9))


@pytest.mark.parametrize("kind", NEURONS)
def test_neurons_on_inputs_that_change(kind: str) -> None:
    torch.manual_seed(1)
    compare(network(kind), pictures(40, 12), Margin(0.5), "sum", torch.randint(1, 13, (40,)), batch_size=9)


def test_weights_that_fill_the_cache_several_times() -> None:
    torch.manual_seed(2)
    net = Sequential(
        PerStep(nn.Conv2d(2, 150, 3)), LIF(150), PerStep(nn.Conv2d(150, 130, 3)), LIF(130),
        PerStep(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(130, 3))),
    ).eval()  # fmt: skip
    compare(net, pictures(20, 4), Margin(0.1), "sum", torch.full((20,), 4))


def test_signed_neurons_without_maps() -> None:
    torch.manual_seed(3)
    net = Sequential(nn.Linear(6, 30), SignedIF(30, v_init=0.5), nn.Linear(30, 3)).eval()
    compare(net, torch.randn(40, 9, 6) * 2, Margin(0.5), "sum", torch.full((40,), 9))


def test_a_strided_block_with_a_shortcut() -> None:
    torch.manual_seed(4)
    ann = ResNet(ResNetConfig(5, threshold=0.5, channels_of=(4, 8), blocks=(1, 1))).eval()
    net = Converted(ConvertedConfig.of(ann, height=7, width=9, outputs=5, steps=6), ann).eval()
    compare(net, net.encode(torch.rand(30, 3, 7, 9), 6), Margin(0.05), "sum", torch.full((30,), 6))


def test_still_images_of_a_stream_stay_one_frame_each() -> None:
    net = converted("vgg")
    x = net.encode(images(9), 9)
    answers = list(serve(net, (row[: 3 + k % 4] for k, row in enumerate(x)), Margin(math.inf), batch_size=4))
    together = run(net, x, Margin(math.inf), lengths=torch.tensor([3 + k % 4 for k in range(9)]))
    assert "compiled_runs" in how()
    assert torch.equal(torch.stack([answer.evidence for answer in answers]), together.evidence)


@pytest.mark.parametrize("still", [True, False])
def test_a_broken_input_is_named(still: bool) -> None:
    x = pictures(5, 1).expand(-1, 4, -1, -1, -1) if still else pictures(5, 4)
    x[3, 0 if still else 2, 1, 4, 4] = math.nan
    with pytest.raises(InputError, match=f"from input 3 at step {1 if still else 3}"):
        run(network(), x, Margin(math.inf), batch_size=2)


def refused() -> dict[str, Stateful]:
    def one(*layers: nn.Module) -> Sequential:
        return Sequential(PerStep(nn.Conv2d(2, 4, 3)), *layers, PerStep(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))).eval()

    return {
        "a number of zeros": one(LIF(4), PerStep(nn.Conv2d(4, 4, 3, padding="same")), LIF(4)),
        "CubaLIF": one(CubaLIF(4)),
        "LPPool2d": one(LIF(4), PerStep(nn.LPPool2d(2, 2))),
        "ceil_mode": one(LIF(4), PerStep(nn.MaxPool2d(2, ceil_mode=True))),
        "negative": one(LIF(4, amplitude=[0.5, -1.0, 1.0, 2.0]), PerStep(nn.MaxPool2d(2))),
        "Two linear layers in a row": one(PerStep(nn.Conv2d(4, 4, 1)), LIF(4)),
        "start_dim 2": one(LIF(4), PerStep(nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (7, 6))))),
    }


@pytest.mark.parametrize("reason", refused())
def test_what_has_no_compiled_form_runs_by_its_modules(reason: str) -> None:
    assert run(refused()[reason], pictures(3, 4), Margin(1.0)).steps.shape == (3,)
    assert reason in how()


PARTS = {
    "groups": nn.Conv2d(6, 8, (3, 2), stride=(1, 2), padding=1, groups=2),
    "depthwise": nn.Conv2d(6, 6, 3, padding=1, groups=6),
    "depthwise, doubled": nn.Conv2d(6, 12, (2, 3), stride=2, groups=6),
    "dilation": nn.Conv2d(6, 7, (3, 2), dilation=(2, 3), padding=2),
    "dilation, stride": nn.Conv2d(6, 7, 3, dilation=2, stride=(2, 3), padding=(1, 3)),
    "all of them": nn.Conv2d(6, 9, 3, dilation=(1, 2), stride=(2, 1), padding=1, groups=3),
    "maximum": nn.MaxPool2d(2),
    "maximum, overlapping": nn.MaxPool2d((3, 2), (2, 1), (1, 0)),
    "maximum, longer steps": nn.MaxPool2d(2, (3, 4), 1),
}


@pytest.mark.parametrize("kind", ["LIF, scaled", "SignedIF"])
@pytest.mark.parametrize("part", PARTS)
def test_groups_dilation_and_maxima(part: str, kind: str) -> None:
    """Between spikes of an amplitude, or of both signs."""
    torch.manual_seed(5)
    layers = [PerStep(PARTS[part])]
    if isinstance(PARTS[part], nn.Conv2d):
        layers += [BatchNorm(PARTS[part].out_channels), NEURONS[kind](PARTS[part].out_channels)]
    net = Sequential(PerStep(nn.Conv2d(2, 6, 3, padding=1)), NEURONS[kind](6), *layers, PerStep(nn.Flatten())).eval()
    size = net(pictures(1, 1))[0].shape[2]
    net = Sequential(*net.stages, nn.Linear(size, 5), LI(5, 30.0, 10.0)).eval()
    compare(net, pictures(40, 9), Margin(0.3), "sum", torch.randint(1, 10, (40,)), batch_size=9)


def test_converted_networks_with_groups() -> None:
    net = converted("plain")
    compare(net, net.encode(images(40), 9), Margin(0.4), "sum", torch.randint(3, 10, (40,)), batch_size=7)
    assert set(CONVERTED) == {"vgg", "resnet", "plain"}


def test_inputs_of_another_shape_are_refused_as_by_the_modules() -> None:
    net = converted("vgg")
    with pytest.raises(InputError, match="expected currents"):
        run(net, torch.rand(2, 3, 4, 4, 4), Margin(1.0))


@pytest.mark.parametrize("shape", [(3, 9, 8), (4, 9, 8), (2, 2, 2), (2, 12, 8), (2, 9), (2,)])
def test_other_inputs_fail_as_in_the_modules(shape: tuple[int, ...]) -> None:
    x = torch.rand(2, 3, *shape)
    with pytest.raises(Exception) as by_modules, torch.inference_mode():  # noqa: PT011
        network()(x)
    with pytest.raises(type(by_modules.value)):
        run(network(), x, Margin(1.0))


def test_neurons_that_are_too_few_fail_as_in_the_modules() -> None:
    net = Sequential(PerStep(nn.Conv2d(2, 4, 9)), LIF(3), PerStep(nn.Flatten()), nn.Linear(3, 2)).eval()
    with pytest.raises(InputError, match="C=3"):
        run(net, torch.rand(2, 3, 2, 9, 9), Margin(1.0))
