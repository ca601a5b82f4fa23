"""The published recipe, with a network of the fixture's size, takes the training step that the authors' packages take."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dendrix.data import Batch
from dendrix.layers import anneal, clamp_delays, load_dcls, param_groups, rounded
from dendrix.models import DelayNet
from dendrix.recipes import find_recipe
from dendrix.train.schedule import set_rates
from dendrix.train.sequence.learner import batch_loss
from dendrix.train.sequence.recipe import SequenceRecipe
from support.paths import FIXTURES

FILE = FIXTURES / "delays_shd_sig12.npz"


@pytest.fixture(scope="module")
def numbers() -> dict[str, Tensor]:
    with np.load(FILE) as file:
        return {name: torch.from_numpy(file[name]) for name in file}


@pytest.fixture
def recipe() -> SequenceRecipe:
    """The recipe, without dropout and with few neurons, as the fixture was made."""
    published = find_recipe("shd-delays:published")()
    assert isinstance(published, SequenceRecipe)
    return replace(published, model=replace(published.model, inputs=14, hidden=(10,), outputs=6, dropout=0.0))


@pytest.fixture
def network(recipe: SequenceRecipe, numbers: dict[str, Tensor]) -> DelayNet:
    model = DelayNet(recipe.model).train()
    tensors = {f"{place}.{name}": numbers[f"l{n}_{name}"] for n, place in ((1, 0), (2, 4)) for name in ("weight", "P", "SIG")}
    start = dict(weight=numbers["bn_weight"], bias=numbers["bn_bias"], running_mean=torch.zeros(10), running_var=torch.ones(10))
    load_dcls(model, {**tensors, **{f"1.{name}": value for name, value in start.items()}})
    return model


def batch(numbers: dict[str, Tensor]) -> Batch:
    """The fixture's clips, one of which is marked as shorter: as published, its padding counts."""
    x = numbers["x"].transpose(1, 2)
    valid = torch.ones(x.shape[:2], dtype=torch.bool)
    valid[1, 30:] = False
    return Batch(x, valid, numbers["y"])


def test_loss_and_rounded_evaluation(recipe: SequenceRecipe, network: DelayNet, numbers: dict[str, Tensor]) -> None:
    loss, right = batch_loss(recipe, network, batch(numbers), network.config.outputs)
    assert loss.item() == pytest.approx(numbers["loss"].item(), rel=1e-5)
    assert right == (numbers["m"].argmax(1) == numbers["y"]).sum()
    network.eval()
    with torch.no_grad(), rounded(network):
        evidence = recipe.decision.evidence(network, *batch(numbers)[:2])[:, -1]
    torch.testing.assert_close(evidence, numbers["eval_m"], rtol=1e-5, atol=1e-5)


def test_three_steps_are_those_of_the_two_published_optimisers(
    recipe: SequenceRecipe, network: DelayNet, numbers: dict[str, Tensor]
) -> None:
    ours = torch.optim.Adam(param_groups(network, recipe.optim.lr, recipe.optim.delay_lr, recipe.optim.weight_decay))
    twin = DelayNet(recipe.model).train()
    twin.load_state_dict(network.state_dict())
    layers, norm = [twin.stages[0], twin.stages[4]], twin.stages[1]
    weights = torch.optim.Adam(
        [{"params": [layer.weight for layer in layers], "weight_decay": 1e-5}, {"params": list(norm.parameters())}], 1e-3
    )
    positions = torch.optim.Adam([layer.delay for layer in layers], lr=0.1)
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(weights, max_lr=5e-3, total_steps=150),
        torch.optim.lr_scheduler.CosineAnnealingLR(positions, T_max=150),
    ]
    for epoch in range(3):
        set_rates(ours, recipe.optim, epoch / 150, 150)
        anneal(network, epoch / 150 / recipe.budget.anneal)
        for model, optimisers in ((network, [ours]), (twin, [weights, positions])):
            loss, _ = batch_loss(recipe, model, batch(numbers), network.config.outputs)
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
            clamp_delays(model)
        for schedule in schedules:
            schedule.step()
        for layer in layers:
            layer.width *= (0.23 / 12) ** (1 / 37)  # published: after each epoch, while it is below a quarter of all
        torch.testing.assert_close(dict(network.named_parameters()), dict(twin.named_parameters()), rtol=1e-5, atol=1e-6)
    assert (network.stages[0].delay - (12 - numbers["l1_P"][0])).abs().max() > 0.2
