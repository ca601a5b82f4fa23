"""accelerate: `prepare` and `backward` train a network as plain torch does."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from dendrix.layers import DelayLinear, Sequential
from dendrix.neurons import LI, LIF

accelerate = pytest.importorskip("accelerate", reason="needs accelerate: pip install accelerate")


def test_it_trains_as_plain_torch_does() -> None:
    network = Sequential(DelayLinear(16, 64, 100.0, 10.0), LIF(64), nn.Linear(64, 3), LI(3))
    x, target = (torch.rand(8, 30, 16) < 0.3).float() * 4, torch.randint(0, 3, (8,))
    accelerator = accelerate.Accelerator(cpu=True)
    trained = []
    for prepare, backward in ((lambda *parts: parts, torch.Tensor.backward), (accelerator.prepare, accelerator.backward)):
        model = copy.deepcopy(network)
        model, optimizer = prepare(model, torch.optim.Adam(model.parameters(), 1e-2))
        for _ in range(2):
            optimizer.zero_grad()
            backward(nn.functional.cross_entropy(model(x)[0].mean(1), target))
            optimizer.step()
        trained.append(dict(model.named_parameters()))
    assert_close(trained[1], trained[0], rtol=0, atol=0)
    assert all(not torch.equal(trained[0][name], p) for name, p in network.named_parameters())
