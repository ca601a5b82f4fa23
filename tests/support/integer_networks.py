"""Random integer networks of every kind of neuron, and their inputs."""

import numpy as np
import torch
from torch import Tensor, nn

from dendrix.deploy import Deployed, InputForm, IntegerNetwork, exit_rule
from dendrix.deploy.integer_layer import IntegerLayer
from dendrix.deploy.layout import KINDS, LayerForm
from dendrix.layers import BatchNorm, DelayLinear, HeldDropout, Recurrent, RecurrentDelay, Sequential
from dendrix.models import Decision
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF

NEURONS = {
    "LIF": lambda size: LIF(size, 20.0, 10.0, v_reset=0.0),
    "LIF, soft": lambda size: LIF(size, 20.0, 10.0),
    "LIF, scaled": lambda size: LIF(size, 20.0, 10.0, v_reset=-0.1, scale_input=True, v_threshold=0.4, amplitude=0.5),
    "IF": lambda size: IF(size, v_reset=0.0, v_init=0.5),
    "PLIF": lambda size: PLIF(size, 20.0, 10.0),
    "CubaLIF": lambda size: CubaLIF(size, 10.0, 20.0, 10.0, v_reset=0.0),
    "CubaLIF, scaled": lambda size: CubaLIF(size, 10.0, 20.0, 10.0, scale_input=True, v_threshold=0.4),
    "AdLIF": lambda size: AdLIF(size, 20.0, 60.0, 10.0, v_threshold=0.4),
    "Recurrent": lambda size: Recurrent(LIF(size, 20.0, 10.0), nn.Linear(size, size)),
    "RecurrentDelay": lambda size: RecurrentDelay(LIF(size, 20.0, 10.0, v_reset=0.0), 50, 10, start_ms=20),
}
"""Every kind of hidden layer that has an integer form."""


def network(kind: str = "LIF", inputs: int = 6, hidden: int = 12, outputs: int = 4, **delays: object) -> Sequential:
    """A network of one hidden layer, in evaluation mode, whose neurons fire now and then."""
    options = {"max_delay_ms": 60.0, "dt_ms": 10.0} | delays
    net = Sequential(
        DelayLinear(inputs, hidden, **options), BatchNorm(hidden), NEURONS[kind](hidden), HeldDropout(0.3),
        DelayLinear(hidden, outputs, **options), LI(outputs, 30.0, 10.0),
    )  # fmt: skip
    norm = net.stages[1]
    with torch.no_grad():
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2)
        norm.bias.normal_(0.3, 0.3)
    return net.eval()


def frames(batch: int = 4, steps: int = 20, channels: int = 6) -> Tensor:
    """Inputs [B, T, C]."""
    return torch.randn(batch, steps, channels).clamp(-1.9, 1.9)


def random_layers(rng: np.random.Generator, extreme: bool) -> list[IntegerLayer]:
    """One to three layers of random kinds, sizes and numbers; extreme ones saturate."""
    count = int(rng.integers(1, 4))
    sizes = [int(rng.integers(1, 40)) for _ in range(count)] + [int(rng.integers(2, 9))]
    return [
        _random_layer(rng, str(rng.choice(KINDS[:3])) if k < count - 1 else str(rng.choice(["li", "lif"])), sizes[k], sizes[k + 1], extreme)
        for k in range(count)
    ]


def _random_layer(rng: np.random.Generator, kind: str, inputs: int, out: int, extreme: bool) -> IntegerLayer:
    taps, synapses, feedback = int(rng.integers(1, 14)), int(rng.integers(1, 3)), int(rng.integers(0, 2)) if kind != "li" else 0
    own_taps = int(rng.integers(1, 6)) if feedback else 0
    weight = rng.integers(-127, 128, (out, inputs, synapses))
    large = 2**30 if extreme else 2000
    form = LayerForm(
        "0", kind, inputs, out, synapses, taps, bool(rng.integers(2)) and kind != "adlif", feedback, own_taps, int(rng.integers(0, 9))
    )
    return IntegerLayer(
        form=form,
        weight=np.sign(weight) * 127 if extreme else weight,
        delay=rng.integers(0, taps, weight.shape),
        bias=rng.integers(-large, large, out),
        decay=np.full(out, 32768) if extreme and kind != "adlif" else rng.integers(0, 32768, out),
        threshold=rng.integers(1, min(20 * large, 2**31 - 1), out),
        reset=rng.integers(-large, 1, out) if kind in ("lif", "cuba") else np.zeros(out, np.int64),
        start=rng.integers(-large, large, out),
        slow_decay=rng.integers(0, 32768, out),
        coupling=rng.integers(-20000, 20000, out),
        jump=rng.integers(-large, large, out),
        feedback_weight=rng.integers(-127, 128, (out, out, 1)) if feedback else None,
        feedback_delay=rng.integers(0, own_taps, (out, out, 1)) if feedback else None,
    )


def random_network(rng: np.random.Generator, extreme: bool = False, bits: int = 8) -> IntegerNetwork:
    """A network of random layers."""
    layers = random_layers(rng, extreme)
    return IntegerNetwork.of(layers, InputForm(layers[0].form.inputs, 4, bits), 2.0**-8).eval()


def deployed(network: IntegerNetwork, **options: object) -> Deployed:
    """The network with labels, a tail and an exit rule."""
    decision = Decision(tail_ms=3.0)
    labels = tuple(f"class {k}" for k in range(network.forms[-1].outputs))
    return Deployed(network, labels, **({"decision": decision, "rule": exit_rule(network, decision)} | options))
