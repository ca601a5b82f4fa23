"""The compiled loop of a network stops every input where the record of the modules says, and says what it cannot run."""

import math
from collections.abc import Iterator
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from dendrix.core import ACCUMULATIONS, Stateful
from dendrix.errors import InputError
from dendrix.exits import Entropy, ExitRule, FixedSteps, Margin, MaxProbability, Patience, run, serve
from dendrix.exits.batching import Batching
from dendrix.layers import Sequential, freeze
from dendrix.neurons import LI, LIF
from support.compiled_runs import compare, how
from support.integer_networks import NEURONS, frames, network

RULES = {
    "probability": MaxProbability(0.6),
    "per step": MaxProbability((0.99, 0.9, 0.5), min_steps=2),
    "scaled": MaxProbability(0.6, scale=3.0),
    "margin": Margin(1.0),
    "entropy": Entropy(0.4),
    "patience": Patience(3.5),
    "fixed-steps": FixedSteps.of(4),
    "never": Margin(math.inf),
}


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rules_and_accumulations(rule: ExitRule, accumulation: str) -> None:
    torch.manual_seed(0)
    compare(freeze(network(hidden=24)), frames(40, 20), rule, accumulation, torch.randint(1, 21, (40,)), batch_size=7)


@pytest.mark.parametrize("granularity", ["synaptic", "axonal", "dendritic"])
@pytest.mark.parametrize("kind", NEURONS)
def test_neurons_and_granularities(kind: str, granularity: str) -> None:
    torch.manual_seed(1)
    net = freeze(network(kind, hidden=16, granularity=granularity, kernel_count=2))
    compare(net, frames(40, 70), Margin(3.0), "sum", torch.full((40,), 70))


@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
def test_sparse_and_dense_inputs(density: float) -> None:
    """Dense rows sum the first layer over many steps at once, and stop before these end."""
    torch.manual_seed(2)
    x = frames(40, 70) * (torch.rand(40, 70, 6) < density)
    compare(freeze(network(hidden=16)), x, Margin(3.0), "sum", torch.randint(1, 71, (40,)))


def test_rows_do_not_depend_on_each_other() -> None:
    net, x = freeze(network(hidden=16)), frames(9, 40)
    x[::2] = 0
    together = run(net, x, Margin(2.0), batch_size=9)
    for batching in get_args(Batching):
        alone = list(serve(net, x.unbind(0), Margin(2.0), batching, batch_size=1))
        assert torch.equal(torch.stack([answer.evidence for answer in alone]), together.evidence)
        assert [answer.steps for answer in alone] == together.steps.tolist()


def test_inputs_of_several_lengths_are_taken_as_they_are_needed() -> None:
    taken = []

    def requests() -> Iterator[Tensor]:
        for steps in (3, 9, 5, 2):
            taken.append(steps)
            yield frames(1, steps)[0]

    answers = serve(freeze(network()), requests(), Margin(math.inf), batch_size=2)
    assert not taken
    assert next(answers).steps == 3
    assert taken == [3, 9]
    assert [answer.steps for answer in answers] == [9, 5, 2]
    assert "compiled_runs" in how()


def test_a_change_of_the_network_is_seen() -> None:
    net, x = freeze(network()), frames(4)
    before = run(net, x, Margin(math.inf))
    with torch.no_grad():
        net.stages[4].weight.mul_(2)
    assert not torch.equal(run(net, x, Margin(math.inf)).evidence, before.evidence)


class Doubled(Sequential):
    """Its forward is not that of its class, so the loop must not stand for it."""

    def forward(self, x, state=None, valid=None):  # type: ignore[no-untyped-def]
        return super().forward(2 * x, state, valid)


def refused() -> dict[str, tuple[Stateful, Tensor, ExitRule]]:
    net, x = freeze(network()), frames()
    hooked = freeze(network())
    hooked.stages[0].register_forward_hook(lambda *_: None)
    relu = Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2), LI(2)).eval()

    class Own(Margin):
        pass

    return {
        "not rounded": (network(), x, Margin(1.0)),
        "float32": (freeze(network()).double(), x.double(), Margin(1.0)),
        "no compiled form": (net, x, Own(1.0)),
        "forward of its own": (Doubled(nn.Linear(6, 4), LIF(4)).eval(), x, Margin(1.0)),
        "hooks": (hooked, x, Margin(1.0)),
        "ReLU": (relu, x, Margin(1.0)),
    }


@pytest.mark.parametrize("reason", refused())
def test_what_has_no_compiled_form_runs_by_its_modules(reason: str) -> None:
    net, x, rule = refused()[reason]
    assert run(net, x, rule).steps.shape == (len(x),)
    assert reason in how()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_input_is_named(value: float) -> None:
    x = frames(5)
    x[3, 2, 1] = value
    with pytest.raises(InputError, match="from input 3 at step 3"):
        run(freeze(network()), x, Margin(math.inf), batch_size=2)


def test_inputs_must_be_alike() -> None:
    with pytest.raises(InputError, match=r"input 1: expected float32 steps of shape \[6\]"):
        list(serve(freeze(network()), [torch.zeros(4, 6), torch.zeros(4, 5)], Margin(1.0)))
