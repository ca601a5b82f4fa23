"""Ceilings that are measured, and the ReLU networks that get them."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.convert import calibrate, clip, convert
from dendrix.layers import ClippedReLU
from support.networks import images, plain, settled


class Mixed(nn.Module):
    """ReLUs of every kind: a module used twice, functions, a method, and one in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1)
        self.relu, self.late, self.fc = nn.ReLU(), nn.ReLU(inplace=True), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv2(self.relu(self.conv1(x))))
        x = nn.functional.relu(self.conv3(x))
        x = self.late(self.conv4(x)) + x.sub(0.1).relu()
        return self.fc(x.flatten(1))


def test_every_call_of_a_relu_gets_a_ceiling_of_its_own() -> None:
    ann, x = settled(Mixed()), images(32)
    calibrated = calibrate(ann, [x], quantile=1.0)
    assert_close(calibrated(x), ann(x))
    ceilings = {path: module.threshold.item() for path, module in calibrated.named_modules() if isinstance(module, ClippedReLU)}
    assert sorted(ceilings) == ["late", "relu", "relu_1", "relu_2", "relu_3"]
    assert len(set(ceilings.values())) == 5
    assert len(convert(calibrated, x).audit.with_action("replaced")) == 5
    assert isinstance(ann.relu, nn.ReLU)


@pytest.mark.parametrize("per_channel", [False, True])
def test_ceilings_are_the_mean_quantile_of_the_batches(per_channel: bool) -> None:
    ann = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(4, 2)).eval()
    x = torch.arange(1.0, 401.0).view(100, 4)
    calibrated = calibrate(ann, [x[:50], x[50:]], quantile=0.9, per_channel=per_channel)
    found = calibrated.get_submodule("1").threshold
    # The 45th of 50 rows in every column, or the 180th of 200 numbers.
    expected = (x[44] + x[94]) / 2 if per_channel else torch.tensor((180.0 + 380.0) / 2)
    assert_close(found, expected)


def test_a_silent_channel_takes_the_ceiling_of_the_loudest() -> None:
    ann = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(3, 2)).eval()
    calibrated = calibrate(ann, [torch.tensor([[1.0, -1.0, 5.0], [2.0, -2.0, 6.0]])], quantile=1.0, per_channel=True)
    assert_close(calibrated.get_submodule("1").threshold, torch.tensor([2.0, 6.0, 6.0]))


def test_pairs_of_images_and_labels_do() -> None:
    ann, x = plain(nn.ReLU), images()
    assert_close(calibrate(ann, [(x, torch.zeros(6))])(x), calibrate(ann, [x])(x))


def test_clip_only_makes_room_for_the_numbers() -> None:
    ann, x = plain(nn.ReLU), images()
    clipped = clip(ann, x, per_channel=True)
    clipped.load_state_dict(calibrate(ann, [x], per_channel=True).state_dict())
    assert_close(clipped(x), calibrate(ann, [x], per_channel=True)(x))


def test_bad_input_is_refused() -> None:
    ann, x = plain(nn.ReLU), images()
    with pytest.raises(ValueError, match="batches: expected at least one batch of images, got none"):
        calibrate(ann, [])
    with pytest.raises(ValueError, match=r"quantile: expected a number in \(0, 1\]"):
        calibrate(ann, [x], quantile=0.0)
    with pytest.raises(ValueError, match="expected a network with ReLUs, got none"):
        calibrate(plain(), [x])
    with pytest.raises(ValueError, match="batches: expected finite numbers"):
        calibrate(ann, [x, x.fill_(torch.nan)])
    with pytest.raises(ValueError, match="in training mode"):
        calibrate(plain(nn.ReLU).train(), [images()])
    ann[0].weight.data.zero_()
    ann[1].bias.data.fill_(-1)
    ann[1].running_mean.zero_()
    with pytest.raises(ValueError, match="2: expected activations above zero, but the layer is silent"):
        calibrate(ann, [images()])


def test_a_relu_that_overwrites_what_is_read_again_is_refused() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.relu(x) + x

    with pytest.raises(ValueError, match=r"relu does\. Build it with inplace=False"):
        calibrate(Overwrites().eval(), [images()])


def test_a_relu_with_a_hook_is_refused() -> None:
    ann = plain(nn.ReLU)
    ann[2].register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match="expected ReLUs without forward hooks, which their copies lose, but 2 has one"):
        calibrate(ann, [images()])
