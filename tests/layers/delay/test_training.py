"""Annealing, clamping, parameter groups, rounding and freezing of networks with delays."""

import pytest
import torch
from torch import nn

from dendrix.layers import BatchNorm, DelayLinear, Sequential, anneal, clamp_delays, delay_layers, freeze, param_groups, rounded


def network() -> Sequential:
    return Sequential(DelayLinear(3, 4, 250.0, 10.0), BatchNorm(4), DelayLinear(4, 2, 250.0, 10.0, granularity="axonal"))


def test_widths_follow_the_published_schedule() -> None:
    model, last = network(), 37
    alpha = (0.23 / 12) ** (1 / last)  # 0.89863 in the paper's code for SHD
    assert abs(alpha - 0.89863) < 1e-5
    width = 12.0
    for epoch in range(50):
        anneal(model, (epoch + 1) / last)
        if epoch < last:
            width *= alpha
        for layer in delay_layers(model):
            assert layer.width.item() == pytest.approx(width, rel=1e-5)
    assert width == pytest.approx(0.23)


def test_a_narrow_width_stays() -> None:
    model = DelayLinear(3, 4, width=0.1)
    anneal(model, 1.0)
    assert model.width.item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="progress: expected at least 0, got"):
        anneal(model, -0.1)


def test_clamping_covers_all_layers() -> None:
    model = network()
    with torch.no_grad():
        for layer in delay_layers(model):
            layer.delay.add_(100).select(1, 0).sub_(200)
    clamp_delays(model)
    for layer in delay_layers(model):
        assert layer.delay.min() == 0
        assert layer.delay.max() == 24


def test_parameter_groups() -> None:
    model = network()
    groups = {group["name"]: group for group in param_groups(model, lr=1e-3)}
    assert groups["delays"]["lr"] == pytest.approx(0.1)
    assert groups["delays"]["weight_decay"] == groups["others"]["weight_decay"] == 0
    assert groups["weights"]["weight_decay"] == 1e-5
    assert [id(p) for p in groups["delays"]["params"]] == [id(layer.delay) for layer in delay_layers(model)]
    assert len(groups["weights"]["params"]) == len(groups["others"]["params"]) == 2
    assert sum(len(group["params"]) for group in groups.values()) == len(list(model.parameters()))
    torch.optim.Adam(list(groups.values()))


def test_groups_of_a_network_without_trained_delays() -> None:
    assert [g["name"] for g in param_groups(DelayLinear(3, 4, train_delays=False), lr=1e-3)] == ["weights"]


def test_rounded_leaves_no_trace() -> None:
    model = network()
    x = torch.randn(2, 30, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    y, _ = model(x)
    with rounded(model):
        assert not torch.allclose(model(x)[0], y)
    with pytest.raises(RuntimeError, match="inside"), rounded(model):
        raise RuntimeError("inside")
    assert torch.equal(model(x)[0], y)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_frozen_copy_stays_rounded_and_leaves_the_model_alone() -> None:
    model = network()
    x = torch.randn(2, 30, 3)
    frozen = freeze(model)
    with torch.no_grad():
        with rounded(model.eval()):
            expected, _ = model(x)
        assert torch.allclose(frozen(x)[0], expected)
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not frozen.training
    for layer, copy in zip(delay_layers(model), delay_layers(frozen), strict=True):
        assert torch.equal(copy.delay, copy.delay.round())
        assert not torch.equal(layer.delay, copy.delay)


def test_learning_finds_a_delay() -> None:
    torch.manual_seed(1)
    model = DelayLinear(1, 1, 250.0, 10.0)
    nn.init.ones_(model.weight)
    nn.init.constant_(model.delay, 18.0)
    optimizer = torch.optim.Adam(param_groups(model, lr=1e-3, delay_lr=0.2))
    x = (torch.rand(8, 100, 1) < 0.1).float()
    target = torch.nn.functional.pad(x, (0, 0, 5, 0))[:, :100]
    for step in range(150):
        optimizer.zero_grad()
        loss = (model(x)[0] - target).square().mean()
        loss.backward()
        optimizer.step()
        clamp_delays(model)
        anneal(model, step / 100)
    assert model.integer_delay().item() == 5
