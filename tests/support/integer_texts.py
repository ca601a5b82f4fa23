"""Random language models in whole numbers."""

import numpy as np
import torch

from dendrix.deploy import IntegerSpikeGPT
from dendrix.deploy.text_layout import END_SCALARS, SCALARS, named_constants
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig
from dendrix.models.spikegpt.blocks import Spikes

SPIKES = ("output", "input", "none")
NEURONS: list[tuple[Spikes, NeuronConfig]] = [
    ("output", NeuronConfig()),
    ("input", NeuronConfig()),
    ("none", NeuronConfig()),
    ("output", NeuronConfig(levels=2, decays=True, norm=True)),
    ("input", NeuronConfig(levels=3, signed=True, decays=True)),
    ("input", NeuronConfig(separate=True)),
    ("input", NeuronConfig(levels=4, separate=True)),
    ("input", NeuronConfig(levels=3, signed=True, decays=True, separate=True)),
]
"""One network of every position of the neurons, and of each with every option."""


def config_of(rng: np.random.Generator) -> SpikeGPTConfig:
    """A small network of any form."""
    spikes = str(rng.choice(SPIKES))
    return SpikeGPTConfig(
        vocab_size=int(rng.integers(2, 30)),
        width=int(rng.integers(2, 21)),
        layers=int(rng.choice([0, 1, 2, 6])),
        spikes=spikes,
        neurons=_neurons(rng, spikes) if spikes != "none" and rng.integers(2) else NeuronConfig(),
        channel_first=bool(rng.integers(2)),
        halve_stream=bool(rng.integers(2)),
    )


def _neurons(rng: np.random.Generator, spikes: str) -> NeuronConfig:
    flags = {name: bool(rng.integers(2)) for name in ("signed", "decays", "separate" if spikes == "input" else "norm")}
    return NeuronConfig(levels=int(rng.integers(1, 4)), **flags)


def random_network(rng: np.random.Generator, extreme: bool = False, config: SpikeGPTConfig | None = None) -> IntegerSpikeGPT:
    """A network of random numbers in the ranges that the proof allows; extreme ones lie at their ends, so that all saturates."""
    network = IntegerSpikeGPT(config or config_of(rng)).eval()

    def numbers(low: int, high: int, size: int) -> np.ndarray:
        return rng.choice([low, high], size) if extreme else rng.integers(low, high + 1, size)

    for values in named_constants(network.config, network.constants.numpy()):
        is_end = "head_scale" in values
        for name, vector in values.items():
            if name == "scalars":
                vector[:] = [_scalar(rng, one, extreme, network.config.neurons) for one in (END_SCALARS if is_end else SCALARS)]
            elif name.endswith("gain"):
                vector[:] = numbers(1, 2**15 - 1, len(vector))
            elif name == "output_scale" and network.config.spikes == "output" and not network.config.neurons.norm:
                vector[:] = numbers(1, 2**30 if extreme else 10**6, len(vector))
            elif name.startswith("mix"):
                vector[:] = numbers(-(2**15), 2**15, len(vector))
            elif name == "rate":
                vector[:] = numbers(0, 2**28 if extreme else 2**18, len(vector))
            elif name in ("bonus", "norm_bias", "inner_bias", "after_bias"):
                vector[:] = numbers(-(2**28), 2**28, len(vector)) if extreme else numbers(-(2**20), 2**20, len(vector))
            else:
                vector[:] = numbers(0 if name.endswith("scale") else 1 - 2**31, 2**31 - 1, len(vector))
    network.weights.copy_(torch.from_numpy(numbers(-127, 127, network.weights.numel())))
    network.embedding.copy_(torch.from_numpy(numbers(-(2**15), 2**15 - 1, network.embedding.numel())).view_as(network.embedding))
    return network


def _scalar(rng: np.random.Generator, name: str, extreme: bool, neurons: NeuronConfig) -> int:
    if name in ("levels", "signed"):
        return int(getattr(neurons, name))
    if name == "embedding_shift":
        return int(rng.integers(0, 9))
    if name == "value_shift":
        return int(rng.integers(0, 3))
    if name.endswith("shift"):
        return int(rng.choice([1, 62])) if extreme else int(rng.integers(25, 50))
    if name.endswith("limit"):
        return 2**14 - 1 if extreme else int(rng.integers(1, 2**14))
    if name == "one":
        return 2 ** int(rng.integers(4, 17))
    return int(rng.choice([1, 2**30])) if extreme else int(rng.integers(1, 2**20))


def float_network(seed: int = 0, **options: object) -> SpikeGPT:
    """An untrained network whose neurons fire now and then, and whose logits are far apart."""
    torch.manual_seed(seed)
    model = SpikeGPT(SpikeGPTConfig(**({"vocab_size": 50, "width": 24, "layers": 2, "v_threshold": 0.2} | options))).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2 if weight.dim() == 2 else 1)
    return model
