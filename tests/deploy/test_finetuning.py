"""Fine-tuning with rounded weights: it learns, its result loses nothing by rounding, and the network stays as it was."""

import pytest
import torch
from torch import Tensor

from dendrix.deploy import finetune, quantise
from dendrix.errors import InputError
from dendrix.layers import freeze
from support.integer_networks import network


def task(count: int = 96) -> list[tuple[Tensor, Tensor]]:
    """Four classes, each with a channel that is louder."""
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(count) % 4
    x = 0.5 * torch.randn(count, 20, 6, generator=generator)
    x[torch.arange(count), :, y] += 1.0
    return list(zip(x.split(24), y.split(24), strict=True))


@pytest.mark.parametrize("bits", [2, pytest.param(4, marks=pytest.mark.extended)])
def test_it_learns_and_loses_little_by_rounding(bits: int) -> None:
    net, losses = network(hidden=32), []
    before = {name: value.clone() for name, value in net.state_dict().items()}
    tuned = finetune(net, task, weights=bits, epochs=12, lr=3e-2, progress=lambda _, loss: losses.append(loss))
    assert losses[-1] < 0.7 * losses[0]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert tuned.state_dict().keys() == before.keys()
    for layer in (tuned.stages[0], tuned.stages[4]):
        levels = [len(row.unique()) for row in layer.weight.detach().flatten(1)]
        assert max(levels) <= 2**bits - 1
    whole = quantise(tuned, [x for x, _ in task()], weights=bits, input_bits=16)
    x, y = task()[0]
    assert (whole(x)[0].mean(1).argmax(1) == freeze(tuned)(x)[0].mean(1).argmax(1)).float().mean() > 0.9
    assert (whole(x)[0].mean(1).argmax(1) == y).float().mean() > 0.5


def test_bad_input() -> None:
    with pytest.raises(InputError, match="batches with labels"):
        finetune(network(), lambda: [torch.zeros(1, 3, 6)])
    with pytest.raises(InputError, match="weights"):
        finetune(network(), task, weights=1)
    with pytest.raises(InputError, match="stays finite"):
        finetune(network(), task, epochs=3, lr=1e36)
