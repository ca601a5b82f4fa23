"""Inference time of a converted network, by part and by mode of execution."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..convert import NeuronKind, SpikingNetwork, convert
from ..core import use_kernels
from ..core.dispatch import Mode
from ..models import VGG, VGGConfig
from ..neurons import Neuron
from .harness import OURS, Case, Contender, Results, Step

_STEPPING = "step by step"
_PARTS = {"convolutions": nn.Conv2d, "neurons": Neuron, "pooling": nn.AvgPool2d | nn.AdaptiveAvgPool2d}
"""Parts of an inference that are timed alone; copies between them are the rest."""


def cases() -> list[Case]:
    """A small VGG with signed neurons: all steps in one call, one call per step, and its parts alone."""
    contenders = (
        Contender(_STEPPING, _inference("signed", block=1)),
        Contender(OURS, _inference("signed"), _STEPPING),
        Contender("two steps in one call", _inference("signed", block=2), _STEPPING),
        Contender("first layer at every step", _inference("signed", frames=True), _STEPPING),
        Contender("torch", _inference("signed", mode="reference"), _STEPPING),
        Contender("integrate-and-fire neurons", _inference("if")),
        *(Contender(f"{part} alone", _alone(kind)) for part, kind in _PARTS.items()),
    )
    about = "inference of a converted VGG of 8.7 million multiply-adds per image and step, from images to the outputs of every step"
    return [Case("convert-vgg", about, dict(B=64, T=8, side=32), dict(B=2, T=2, side=16), contenders, 1e-5)]


def _inference(neuron: NeuronKind, block: int | None = None, frames: bool = False, mode: Mode = "auto") -> Callable[..., Step]:
    """Images to outputs with `block` steps per call; with `frames`, the first layer computes the image at every step."""

    def build(B: int, T: int, side: int) -> Step:
        network, images = _network(neuron, side), torch.rand(B, 3, side, side)
        if frames:
            images = images.unsqueeze(1).expand(-1, T, -1, -1, -1)

        @torch.inference_mode()
        def step() -> Results:
            state, outputs = None, []
            with use_kernels(mode):
                for currents in torch.split(network.encode(images, T), block or T, 1):
                    given, state = network(currents, state)
                    outputs.append(given)
            return {"outputs": torch.cat(outputs, 1)}

        return step

    return build


def _alone(kind: Any) -> Callable[..., Step]:
    """The layers of one kind alone, on their inputs in an inference."""

    def build(B: int, T: int, side: int) -> Step:
        network, images = _network("signed", side), torch.rand(B, 3, side, side)
        seen: list[tuple[nn.Module, Tensor]] = []
        layers = [layer for part in (network.prefix, network.body) for layer in part.modules() if isinstance(layer, kind)]
        handles = [layer.register_forward_pre_hook(lambda layer, args: seen.append((layer, args[0]))) for layer in layers]
        with torch.inference_mode():
            network(network.encode(images, T))
        for handle in handles:
            handle.remove()

        @torch.inference_mode()
        def step() -> Results:
            for layer, x in seen:
                layer(x)
            return {}

        return step

    return build


def _network(neuron: NeuronKind, side: int) -> SpikingNetwork:
    """An untrained network whose BatchNorm has seen some images, so that its neurons fire as in a trained one."""
    torch.manual_seed(0)
    ann, images = VGG(VGGConfig(threshold=2.0)), torch.rand(64, 3, side, side)
    with torch.no_grad():
        for _ in range(20):
            ann(images)
    torch.manual_seed(1)
    return convert(ann.eval(), images[:2], neuron=neuron).network
