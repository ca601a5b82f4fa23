"""The network for task after task: prototypes tell the task, gates are those of its context, and a checkpoint keeps it all."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from dendrix.models import DendriticNet, DendriticNetConfig
from dendrix.run_folder.checkpoint import Checkpoint, load, write_checkpoint

SMALL = DendriticNetConfig(inputs=12, outputs=3, hidden=(20, 16), active=0.25, segments=4, tasks=3)


@pytest.fixture
def net() -> DendriticNet:
    """A network that knows two tasks, the one around +1, the other around -1."""
    net = DendriticNet(SMALL).eval()
    for centre in (1.0, -1.0):
        net.begin_task(centre + 0.1 * torch.randn(30, 12))
    return net


def test_an_input_is_of_the_task_with_the_nearest_prototype(net: DendriticNet) -> None:
    x = torch.tensor([0.9, -1.1, -0.2]).view(3, 1, 1).expand(3, 2, 12)
    assert net.nearest(x).tolist() == [[0, 0], [1, 1], [1, 1]]


def test_finding_the_task_equals_being_told(net: DendriticNet) -> None:
    x = torch.cat([1 + 0.1 * torch.randn(2, 5, 12), -1 + 0.1 * torch.randn(3, 5, 12)])
    found, state = net(x)
    assert_close(found, torch.cat([net(x[:2], task=0)[0], net(x[2:], task=1)[0]]))
    assert not torch.allclose(found, net(x, task=0)[0])
    assert state == ()
    assert_close(net.step(x[:, 0])[0], found[:, 0])


def test_winners_are_as_many_as_promised(net: DendriticNet) -> None:
    seen = []
    for layer in net.hidden:
        layer.register_forward_hook(lambda *call: seen.append((call[2] != 0).sum(-1)))
    net(torch.randn(4, 2, 12), task=1)
    assert [int(count.max()) for count in seen] == [5, 4]


def test_invalid_steps_answer_zero_and_nan_there_is_harmless(net: DendriticNet) -> None:
    x, valid = torch.randn(2, 3, 12), torch.tensor([[True, True, False], [True, False, False]])
    y, _ = net(x.masked_fill(~valid.unsqueeze(-1), torch.nan), None, valid)
    assert not y[~valid].any()
    assert_close(y[valid], net(x)[0][valid])
    with pytest.raises(ValueError, match="expected finite numbers"):
        net(x.fill_(torch.nan))


def test_learning_a_task_moves_one_segment_of_each_winning_unit(net: DendriticNet) -> None:
    net(torch.randn(8, 1, 12), task=0)[0].sum().backward()
    for layer in net.hidden:
        moved = (layer.dendrites.response.weight.grad.view(-1, 4, 12).abs().sum(-1) > 0).sum(1)
        assert moved.max() == 1


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, segments=0), replace(SMALL, segments=0, active=None, weight_density=1.0)])
def test_a_checkpoint_brings_it_back(config: DendriticNetConfig, tmp_path: Path) -> None:
    net, x = DendriticNet(config), torch.randn(4, 1, 12)
    for _ in range(2):
        net.begin_task(torch.randn(5, 12))
    write_checkpoint(tmp_path, Checkpoint(net, ("a", "b", "c")))
    again = load(tmp_path)
    assert again.config == config
    assert torch.equal(again(x)[0], net.eval()(x)[0])


def test_tasks_that_are_not_known_are_refused(net: DendriticNet) -> None:
    x = torch.randn(1, 1, 12)
    with pytest.raises(ValueError, match=r"task: expected a whole number in \[0, 1\], got 2"):
        net(x, task=2)
    with pytest.raises(ValueError, match="begin_task"):
        DendriticNet(SMALL)(x)
    net.begin_task(x[0])
    with pytest.raises(ValueError, match="expected at most 3, got one more"):
        net.begin_task(x[0])


@pytest.mark.parametrize("wrong", [dict(active=0.0), dict(weight_density=1.5), dict(segments=-1), dict(tasks=0), dict(hidden=(0,))])
def test_impossible_configurations_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))}: expected a (whole )?number in"):
        replace(SMALL, **wrong)
