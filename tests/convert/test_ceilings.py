"""Activations with a ceiling of their own, and thresholds of channels."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

from dendrix.convert import calibrate, compare, convert
from dendrix.layers import LSQ, QCFS
from support.networks import images


class Acting(nn.Module):
    """Two layers with a function as activation."""

    def __init__(self, act: Callable[[Tensor], Tensor]):
        super().__init__()
        self.conv, self.act, self.conv2, self.fc = nn.Conv2d(3, 4, 3), act, nn.Conv2d(4, 4, 3), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.conv2(self.act(3 * self.conv(x)))).flatten(1))


CEILINGS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "ReLU6": (nn.ReLU6(), 6),
    "ReLU6 in place": (nn.ReLU6(inplace=True), 6),
    "Hardtanh": (nn.Hardtanh(0, 2.5), 2.5),
    "relu6": (functional.relu6, 6),
    "hardtanh": (lambda x: functional.hardtanh(x, 0, 2), 2),
    "hardtanh by name": (lambda x: functional.hardtanh(x, min_val=0.0), 1),
    "hardtanh_": (lambda x: functional.hardtanh_(x, 0, 1), 1),
    "torch.clamp": (lambda x: torch.clamp(x, 0, 1), 1),
    "torch.clip": (lambda x: torch.clip(x, max=2, min=0), 2),
    "clamp": (lambda x: x.clamp(0, 1), 1),
    "clamp by name": (lambda x: x.clamp(min=0.0, max=1.5), 1.5),
    "clip": (lambda x: x.clip(0, 1), 1),
    "clamp_": (lambda x: x.clamp_(0, 1), 1),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CEILINGS)
def test_ceilings_are_thresholds(name: str, dtype: torch.dtype) -> None:
    act, ceiling = CEILINGS[name]
    ann, x = Acting(act).to(dtype).eval(), images().to(dtype)
    conversion = convert(ann, x)
    assert [entry.threshold for entry in conversion.audit.with_action("replaced")] == [ceiling] * 2
    steps = 512
    found, _ = conversion.network(conversion.network.encode(x, steps))
    assert found.dtype == dtype
    expected = ann(x.clone())
    assert_close(found.mean(1), expected, rtol=0, atol=0.02 * expected.abs().max().item())


def test_each_place_has_neurons_of_its_own_with_the_name_of_what_it_was() -> None:
    ann, x = Acting(nn.ReLU6()).eval(), images()
    conversion = convert(ann, x)
    assert conversion.network.layers == ("act_0", "act_1")
    assert [(entry.path, entry.kind) for entry in conversion.audit.with_action("replaced")] == [("act_0", "ReLU6"), ("act_1", "ReLU6")]
    assert compare(ann, conversion.network, x, steps=2).layers == ()  # one module stands for both
    called = nn.Sequential(nn.Identity(), Acting(functional.relu6)).eval()
    conversion = convert(called, x)
    assert conversion.network.layers == ("1.relu6", "1.relu6_1")
    assert [entry.kind for entry in conversion.audit.with_action("replaced")] == ["function", "function"]
    assert compare(called, conversion.network, x, steps=2).layers == ()
    single = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(144, 5)).eval()
    (layer,) = compare(single, convert(single, x).network, x, steps=256).layers
    assert layer.path == "1"
    assert layer.error < 0.05


def test_names_that_are_taken_are_not_given_again() -> None:
    ann, x = Acting(nn.ReLU6()).eval(), images()
    ann.act_0, ann.conv2 = QCFS(4, 1.0), nn.Sequential(nn.Conv2d(4, 4, 3))
    ann.conv2.append(ann.act_0)
    network = convert(ann.eval(), x).network
    assert len(set(network.layers)) == 3
    network(network.encode(x, 2))


@pytest.mark.parametrize(
    "act",
    [
        lambda x: x.clamp(0),
        lambda x: x.clamp(max=1),
        lambda x: x.clamp(-1, 1),
        lambda x: x.clamp(0, float("inf")),
        lambda x: x.clamp(0.1, 1),
        lambda x: torch.clamp(x, torch.zeros(()), torch.ones(())),
        functional.hardtanh,
        nn.Hardtanh(),
        nn.LeakyReLU(),
    ],
)
def test_other_clips_are_refused(act: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match="for which there is no spiking form"):
        convert(Acting(act).eval(), images())


def test_ceilings_may_be_kept_as_they_are() -> None:
    ann = nn.Sequential(nn.Conv2d(3, 4, 3), QCFS(4, 1.0), nn.ReLU6(), nn.Flatten(), nn.Linear(144, 5)).eval()
    assert [entry.path for entry in convert(ann, images(), allow=["2"]).audit.with_action("allowed")] == ["2"]
    assert convert(ann, images()).network.layers == ("1", "2")


def test_calibration_leaves_ceilings_as_they_are() -> None:
    ann, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(64, 5)).eval(), images(32)
    audit = convert(calibrate(ann, [x]), x).audit
    assert [entry.threshold == 6 for entry in audit.with_action("replaced")] == [False, True]
    with pytest.raises(ValueError, match="Networks with QCFS or ReLU6 are converted without calibration"):
        calibrate(Acting(nn.ReLU6()).eval(), [x])


def test_levels_are_asked_of_qffs() -> None:
    with pytest.raises(ValueError, match="relu6: expected an activation with levels, got a clipped ReLU"):
        convert(Acting(functional.relu6).eval(), images(), neuron="qffs")


def channels(activation: nn.Module, name: str, shape: tuple[int, ...]) -> nn.Module:
    """The activation with a threshold of its own for every channel."""
    setattr(activation, name, nn.Parameter(torch.linspace(0.3, 1.5, 4).view(shape)))
    return activation


@pytest.mark.parametrize(("kind", "name"), [(lambda: QCFS(4, 1.0), "raw_threshold"), (lambda: LSQ(2, 0.5), "raw_step")])
def test_thresholds_of_channels_are_those_of_the_neurons(kind: Callable[[], nn.Module], name: str) -> None:
    ann = nn.Sequential(nn.Conv2d(3, 4, 3), channels(kind(), name, (4, 1, 1)), nn.Flatten(), nn.Linear(144, 5)).double().eval()
    x = images().double()
    conversion = convert(ann, x, neuron="if")
    (entry,) = conversion.audit.with_action("replaced")
    assert entry.threshold == pytest.approx(ann[1].threshold.flatten().tolist())
    levels = ann[1].levels
    assert_close(conversion.network(conversion.network.encode(x, levels))[0].mean(1), ann(x))


def test_thresholds_along_another_axis_are_refused() -> None:
    ann = (
        nn.Sequential(nn.Conv2d(3, 4, (3, 5)), channels(QCFS(4, 1.0), "raw_threshold", (4,)), nn.Flatten(), nn.Linear(96, 5))
        .double()
        .eval()
    )
    with pytest.raises(ValueError, match=r"1: threshold: expected one number or one for each of 4 channels, got shape \[4\]"):
        convert(ann, images().double())  # 4 columns, and 4 channels too
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), channels(QCFS(4, 1.0), "raw_threshold", (4,)), nn.Linear(4, 5)).double().eval()
    x = images().double()
    network = convert(flat, x).network
    assert_close(network(network.encode(x, 4))[0].mean(1), flat(x))


def test_an_activation_without_channels_is_refused() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = nn.Linear(192, 1), QCFS(4, 1.0)

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.fc(x.flatten(1)).squeeze(1))

    with pytest.raises(ValueError, match=r"act: expected an activation of \[B, C, ...\], got one of \[6\]"):
        convert(Flat().eval(), images())
