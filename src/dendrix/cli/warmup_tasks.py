"""Small calls that reach the kernels, by what they are needed for."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .. import neurons
from ..compiled import watched_compilation
from ..convert import convert
from ..deploy import streaming
from ..generate import Decoder
from ..layers import DelayLinear, Sequential, freeze
from ..models import DelayNet, DelayNetConfig, SpikeGPT, SpikeGPTConfig, VGGConfig
from ..models.vision import VGG
from ..sdr import SDR, SegmentIndex, false_positive, verify


def _spikes(*shape: int, share: float = 0.05) -> Tensor:
    return (torch.rand(shape) < share).float()


def _train(network: nn.Module, x: Tensor) -> None:
    outputs, _ = network(x)
    torch.autograd.backward(outputs.square().mean())


def _neurons() -> None:
    """Forward and backward of every neuron, with fixed and trained constants."""
    x = torch.rand(8, 16, 64, requires_grad=True)
    for kind in (neurons.IF, neurons.LIF, neurons.PLIF, neurons.AdLIF, neurons.CubaLIF, neurons.LI):
        _train(kind(64), x)
    _train(neurons.LIF(64, v_reset=None), x)


def _delays() -> None:
    """Training and evaluation of networks with delays, and their compiled step."""
    for inputs in (_spikes(8, 24, 40), torch.rand(8, 24, 40)):
        net = DelayNet(DelayNetConfig(inputs=40, outputs=10, hidden=(64, 64), dropout=0.2))
        _train(net, inputs)
        freeze(net)(inputs)
        sequence: Any = streaming(freeze(net))
        sequence.step(inputs[:, 0])
    _train(Sequential(DelayLinear(40, 64, max_delay_ms=50, dt_ms=10, granularity="axonal"), neurons.LIF(64)), _spikes(8, 24, 40))


def _language() -> None:
    """Training and decoding of a language model, as published and with spikes before every product."""
    tokens = torch.randint(256, (4, 64))
    for spikes in ("output", "input"):
        model = SpikeGPT(SpikeGPTConfig(256, width=64, layers=2, spikes=spikes, dropout=0.0))
        logits, _ = model(tokens)
        torch.autograd.backward(functional.cross_entropy(logits.flatten(0, 1), tokens.flatten()))
        for weights in ("float32", "int8"):
            Decoder(model.eval(), weights)(tokens[:1])


def _images() -> None:
    """Training of an image network with QCFS, and evaluation of the converted one."""
    network = VGG(VGGConfig(stages=((16,), (16,))))
    images = torch.rand(8, 3, 32, 32)
    torch.autograd.backward(network(images).square().mean())
    for neuron in ("signed", "if"):
        spiking = convert(network.eval(), images, neuron=neuron).network
        with torch.no_grad():
            spiking(spiking.encode(images, 4))


def _codes() -> None:
    """Overlap search, error rates and simulation of sparse codes."""
    for n, size in ((2048, 40), (256, 64)):
        codes = SDR.random(n, size, 64, seed=0)
        index = SegmentIndex(n)
        index.insert(codes)
        index.matches(codes, theta=8)
    false_positive(2048, np.arange(20, 200), 20, 8)
    for sampling in ("plain", "tilted"):
        verify(2048, 40, 20, 4, draws=1000, sampling=sampling)


TASKS: dict[str, Callable[[], Any]] = {
    "neurons": _neurons,
    "delays and streams": _delays,
    "language models": _language,
    "images": _images,
    "sparse codes": _codes,
}
"""Calls by what they are needed for."""


def main() -> None:
    """Run the tasks that the command line names, and print a line of JSON for each: its name, and the loops that were compiled for it."""
    for name in sys.argv[1:]:
        loops = list[str]()
        with watched_compilation(loops.append):
            TASKS[name]()
        print(json.dumps([name, loops]), flush=True)


if __name__ == "__main__":
    main()
