"""BatchNorm is folded only where that is exact, and every network that is converted computes what it computed before."""

import copy
from collections.abc import Callable

import pytest
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.testing import assert_close

from dendrix.convert import Conversion, convert
from dendrix.layers import QCFS
from support.networks import images, settled

LEVELS = 16


def expect_exact(ann: nn.Module, **options: object) -> Conversion:
    """Convert a network with neurons in one layer: after as many steps as its QCFS has levels, the mean output is that of the original."""
    ann, x = ann.double().eval(), images().double()
    expected = ann(x)
    conversion = convert(ann, x, **options)
    network = conversion.network
    assert_close(network(network.encode(x, LEVELS))[0].mean(1), expected)
    assert_close(ann(x), expected, rtol=0, atol=0)
    return conversion


def behind(*layers: nn.Module, outputs: int = 144) -> nn.Sequential:
    """A network with these layers behind its only neurons, of [B, 4, 6, 6]."""
    return settled(nn.Sequential(nn.Conv2d(3, 4, 3), QCFS(LEVELS, 1.0), *layers, nn.Flatten(), nn.Linear(outputs, 5)))


def note(conversion: Conversion, path: str) -> str:
    """Action and note of a part."""
    (entry,) = [entry for entry in conversion.audit.entries if entry.path == path]
    return f"{entry.action} {entry.note}"


@pytest.mark.parametrize(
    ("layers", "outputs"),
    [
        ((nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), 96),
        ((nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8)), 128),
        ((nn.Conv2d(4, 4, 3, groups=4, padding=1, padding_mode="circular", bias=False), nn.BatchNorm2d(4, affine=False)), 144),
        ((nn.Flatten(2), nn.Conv1d(4, 3, 2, dilation=2), nn.BatchNorm1d(3)), 102),
        ((nn.Flatten(), nn.Linear(144, 7), nn.BatchNorm1d(7, affine=False)), 7),
        ((nn.Unflatten(1, (2, 2)), nn.Conv3d(2, 3, (2, 1, 1)), nn.BatchNorm3d(3)), 108),
    ],
    ids=["conv", "grouped", "depthwise, circular", "1-D", "linear", "3-D"],
)
def test_norms_behind_the_layer_of_their_channels_are_folded(layers: tuple[nn.Module, ...], outputs: int) -> None:
    conversion = expect_exact(behind(*copy.deepcopy(layers), outputs=outputs))
    assert note(conversion, str(1 + len(layers))) == f"folded into {len(layers)}"


@pytest.mark.parametrize(
    ("layers", "outputs", "reason"),
    [
        ((nn.Linear(6, 6), nn.BatchNorm2d(4)), 144, "its channels are not the outputs of 2"),
        ((nn.Linear(6, 4), nn.BatchNorm2d(4)), 96, "its channels are not the outputs of 2"),
        ((nn.Flatten(2), nn.Linear(36, 4), nn.BatchNorm1d(4)), 16, "its channels are not the outputs of 3"),
        ((nn.ConvTranspose2d(4, 6, 3), nn.BatchNorm2d(6)), 384, "it does not follow a convolution or linear layer"),
        ((nn.AvgPool2d(2), nn.BatchNorm2d(4)), 36, "it does not follow a convolution or linear layer"),
    ],
    ids=["linear on the last axis", "as many channels", "[B, C, L]", "transposed", "pooling"],
)
def test_other_norms_are_kept_with_the_reason(layers: tuple[nn.Module, ...], outputs: int, reason: str) -> None:
    conversion = expect_exact(behind(*copy.deepcopy(layers), outputs=outputs))
    assert note(conversion, str(1 + len(layers))) == f"kept not folded: {reason}"


def test_the_network_of_the_fault_agrees_after_many_steps() -> None:
    """Conv2d, QCFS, Linear on the last axis, BatchNorm2d, and neurons behind it."""
    layers = nn.Conv2d(3, 4, 3), QCFS(64, 2.0), nn.Linear(6, 4), nn.BatchNorm2d(4), QCFS(64, 2.0), nn.Flatten(), nn.Linear(96, 5)
    ann, x = settled(nn.Sequential(*layers)), images(200)
    network = convert(ann, x).network
    answers = network(network.encode(x, 64))[0].mean(1).argmax(-1)
    assert (answers == ann(x).argmax(-1)).double().mean() == 1


class Using(nn.Module):
    """Two convolutions, two norms, and any way to use them behind the neurons."""

    def __init__(self, use: Callable[["Using", Tensor], Tensor]):
        super().__init__()
        self.stem, self.act, self.use = nn.Conv2d(3, 4, 3), QCFS(LEVELS, 1.0), use
        self.conv, self.other = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.bn, self.bn2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, self.act(self.stem(x))).flatten(1)


def bias_elsewhere(net: Using, x: Tensor) -> Tensor:
    return net.bn(net.conv(x)) + net.conv.bias.view(1, -1, 1, 1)


def two_readers(net: Using, x: Tensor) -> Tensor:
    y = net.conv(x)
    return net.bn(y) + y


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (lambda net, x: net.bn(net.conv(net.conv(x))), "conv is used in several places"),
        (lambda net, x: net.bn(net.conv(x)) + net.bn2(net.conv(x + 1)), "conv is used in several places"),
        (two_readers, "conv is used in several places"),
        (bias_elsewhere, "the weights of conv are read elsewhere"),
    ],
)
def test_layers_that_serve_twice_are_not_folded_into(use: Callable[[Using, Tensor], Tensor], reason: str) -> None:
    conversion = expect_exact(settled(Using(use)))
    assert note(conversion, "bn") == f"kept not folded: {reason}"


def test_a_norm_that_is_used_twice_is_folded_twice() -> None:
    conversion = expect_exact(settled(Using(lambda net, x: net.bn(net.conv(x)) - net.bn(net.other(x)))))
    assert [entry.note for entry in conversion.audit.with_action("folded")] == ["into conv", "into other"]


def test_tied_weights_are_untied_by_folding() -> None:
    ann = settled(Using(lambda net, x: net.bn(net.conv(x)) + net.other(x)))
    ann.other.weight = ann.conv.weight
    assert note(expect_exact(ann), "bn") == "folded into conv"
    assert ann.other.weight is ann.conv.weight


def test_a_subclass_is_not_folded_into() -> None:
    class Standardised(nn.Conv2d):
        """A convolution that computes its weight at each call."""

        def forward(self, input: Tensor) -> Tensor:
            return self._conv_forward(input, self.weight - self.weight.mean(), self.bias)

    ann = behind(Standardised(4, 4, 3), nn.BatchNorm2d(4), outputs=64)
    assert note(expect_exact(ann, allow=["2"]), "3") == "kept not folded: it does not follow a convolution or linear layer"


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        lambda layer: prune.random_unstructured(prune.l1_unstructured(layer, "weight", 0.5), "bias", 1),
        lambda layer: prune.ln_structured(prune.l1_unstructured(layer, "weight", 0.2), "weight", 1, n=2, dim=0),
        parametrizations.weight_norm,
        lambda layer: nn.utils.weight_norm(layer),
        parametrizations.spectral_norm,
        nn.utils.spectral_norm,
        lambda layer: parametrize.register_parametrization(parametrizations.spectral_norm(layer), "bias", nn.Softplus()),
    ],
    ids=["pruned", "bias pruned", "pruned twice", "weight_norm", "old weight_norm", "spectral_norm", "old spectral_norm", "two of them"],
)
def test_weights_that_are_computed_are_baked_in(change: Callable[[nn.Module], nn.Module], norm: bool) -> None:
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6) if norm else nn.Identity(), outputs=96)
    change(ann[2])
    change(ann[0])
    ann.double()(images().double())  # what is computed is there
    before = copy.deepcopy(list(ann.state_dict()))
    conversion = expect_exact(ann)
    assert note(conversion, "3") == ("folded into 2" if norm else "removed ")
    assert list(ann.state_dict()) == before
    assert set(conversion.network.body.state_dict()) >= {"2.weight", "2.bias"}
    assert not [name for name in conversion.network.state_dict() if "orig" in name or "mask" in name or "_g" in name]


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("change", [lambda layer: prune.l1_unstructured(layer, "weight", 0.5), lambda layer: nn.utils.weight_norm(layer)])
def test_weights_with_a_graph_can_be_copied(change: Callable[[nn.Module], nn.Module]) -> None:
    """Right after pruning the weight is an attribute with a gradient function."""
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), outputs=96)
    change(ann[2])
    assert ann[2].weight.grad_fn is not None
    convert(ann, images())


@pytest.mark.parametrize("place", [2, 3])
def test_layers_with_hooks_are_not_folded(place: int) -> None:
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), outputs=96)
    seen: list[Tensor] = []
    ann[place].register_forward_hook(lambda *args: seen.append(args[2]))
    conversion = expect_exact(ann)
    assert note(conversion, "3") == f"kept not folded: {'2' if place == 2 else 'it'} has a forward hook"
    (expected,) = [seen.clear(), ann(images().double()), seen[-1]][2:]
    network = conversion.network
    network(network.encode(images().double(), LEVELS))
    assert seen[-1].shape == (len(expected) * LEVELS, *expected.shape[1:])


@pytest.mark.parametrize("place", [0, 2, 3])
def test_hooks_that_are_linear_have_their_effect(place: int) -> None:
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Identity(), outputs=96)
    ann[place].register_forward_hook(lambda _, __, outputs: 0.5 * outputs + 1)
    ann[4].register_forward_pre_hook(lambda _, inputs: (inputs[0] - 2,))
    assert note(expect_exact(ann), "4") == "kept has a forward hook"


@pytest.mark.parametrize("place", [2, 3, 4, 5])
def test_hooks_that_are_not_linear_are_refused(place: int) -> None:
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Dropout(), outputs=96)
    ann[place].register_forward_hook(lambda _, __, outputs: outputs.relu())
    with pytest.raises(ValueError, match=f"{place} has a forward hook that is not linear"):
        convert(ann, images())


def test_hooks_of_activations_are_refused() -> None:
    for module in (QCFS(LEVELS, 1.0), nn.ReLU6(), nn.MaxPool2d(1)):
        ann = behind(module)
        module.register_forward_hook(lambda *_: None)
        with pytest.raises(ValueError, match="2 has a forward hook, which its spiking form does not run"):
            convert(ann, images(), max_pool="spiking")
    ann = settled(nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), QCFS(LEVELS, 1.0), nn.Flatten()))
    ann[0].register_forward_hook(lambda *_: None)  # before the neurons it runs as ever
    expect_exact(ann)


@pytest.mark.parametrize("variance", [-0.5, float("nan")])
def test_a_negative_running_variance_is_refused(variance: float) -> None:
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), outputs=96)
    ann[3].running_var[2] = variance
    with pytest.raises(ValueError, match=f"3 is a BatchNorm2d with a running variance of {variance:g}, expected at least 0"):
        convert(ann, images())


def test_norms_in_training_mode_or_without_statistics_are_refused() -> None:
    ann = behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), outputs=96)
    ann[3].train()
    with pytest.raises(ValueError, match="3 is in training mode"):
        convert(ann, images())
    with pytest.raises(ValueError, match="3 is a BatchNorm2d without running statistics"):
        convert(behind(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, affine=False, track_running_stats=False), outputs=96), images())
