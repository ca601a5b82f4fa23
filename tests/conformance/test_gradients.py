"""Gradients of every layer: against finite differences, and through torch.compile."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import Stateful, map_state
from support.layers import EXAMPLES, Example
from support.states import tensors

DIFFERENTIABLE = [name for name, example in EXAMPLES.items() if not isinstance(example.smooth, str)]
MANY_OPERATIONS = (
    "Block",
    "TimeMix on bits",
    "ChannelMix",
    "a user's branches",
    "a user's network",
    "a user's neuron",
    "NIRNeuron with all",
)


def tracing_takes_seconds(name: str, example: Example) -> bool:
    """Networks and blocks; DelayNet stays among the quick ones as the share of the networks."""
    network = any(part in example.of.__module__ for part in ("models", "convert", "exchange.network"))
    return name != "DelayNet" and (network or name.startswith(MANY_OPERATIONS))


TRACED = [
    pytest.param(name, marks=[pytest.mark.extended] * tracing_takes_seconds(name, example))
    for name, example in EXAMPLES.items()
    if not example.untraced
]


@pytest.mark.parametrize("example", DIFFERENTIABLE, indirect=True)
def test_gradient_of_the_smooth_part(example: Example, x: Tensor) -> None:
    layer = example.differentiable().double().eval()
    names = [name for name, p in layer.named_parameters() if p.requires_grad]
    _, start = layer(x[:2, :2])
    state = map_state(lambda s: s.detach().clone().requires_grad_(), start)
    flat = tensors(state)
    keep = torch.tensor([[True] * 4, [True, False, True, True]])

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        parts = iter(rest[: len(flat)])
        given = map_state(lambda _: next(parts), state)
        parameters = dict(zip(names, rest[len(flat) :], strict=True))
        y, after = torch.func.functional_call(layer, parameters, (x, given, keep))
        return y, *[part for part in tensors(after) if part.requires_grad]

    parameters = [p.detach().clone().requires_grad_() for p in layer.parameters() if p.requires_grad]
    assert torch.autograd.gradcheck(run, (x[:2, 2:6].clone().requires_grad_(), *flat, *parameters))


@pytest.mark.parametrize("example", TRACED, indirect=True)
@pytest.mark.usefixtures("fresh_dynamo")
def test_compiled_equals_eager(build: Callable[[], Stateful], example: Example, x: Tensor) -> None:
    layer = build().train()
    keep = torch.ones(3, 3, dtype=torch.bool)
    keep[1, 1:] = False
    results = []
    for call in (layer, torch.compile(layer, fullgraph=True, backend="aot_eager")):
        layer.zero_grad()
        inputs = x[:, :3].clone().requires_grad_(not example.tokens)
        torch.manual_seed(1)
        y, state = call(inputs, None, keep)
        y.square().sum().backward()
        gradients = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
        if not example.tokens:
            gradients.append(inputs.grad)
        results.append([y.detach(), *[part.detach() for part in tensors(state)], *gradients])
    assert_close(results[1], results[0])
