"""How the weights of a SpikeGPT begin: in two ways, of which the release meant one and used the other."""

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from .spikegpt_blocks import ChannelMix, TimeMix

if TYPE_CHECKING:
    from .spikegpt import SpikeGPT

Start = Literal["pytorch", "rwkv"]

_SILENT = ("att.key", "att.receptance", "att.output", "ffn.value", "ffn.receptance", "ffnPre.value", "ffnPre.receptance")
"""Matrices that begin at zero with "rwkv"."""


@torch.no_grad()
def start(model: "SpikeGPT", how: Start) -> None:
    """Set the decays, bonuses and shares of every block, and with "rwkv" the matrices too.

    With "pytorch" embeddings are normal and matrices uniform, so the signs of the embedding, which are all that is used of it, hardly
    move in training: its code is nearly fixed at random. With "rwkv" both begin small or at zero.

    Source: SpikeGPT (arXiv 2302.13939) as released: its RWKV_Init is skipped unless an environment variable is set, which is not.
    """
    width, layers = model.config.width, model.config.layers
    channel = torch.arange(width) / width
    for i, block in enumerate(model.blocks):
        late = i / max(layers - 1, 1)
        early = 1 - i / layers
        for mix in block.children():
            if isinstance(mix, TimeMix):
                _start_time(mix, channel, late, early)
            elif isinstance(mix, ChannelMix):
                mix.time_mix_k.copy_((channel**early).view(1, 1, -1))
                mix.time_mix_r.copy_((channel**early).view(1, 1, -1))
    if how == "rwkv":
        _orthogonal(model.emb.weight, math.sqrt(max(model.emb.weight.shape)) * 1e-4)
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear):
                _start_matrix(name, module.weight)


def _start_time(mix: TimeMix, channel: Tensor, late: float, early: float) -> None:
    """Slow and fast channels side by side; later blocks remember longer."""
    index = torch.arange(len(channel))
    mix.time_decay.copy_(-5 + 8 * (index / (len(channel) - 1)) ** (0.7 + 1.3 * late))
    mix.time_first.copy_(math.log(0.3) + 0.5 * ((index + 1) % 3 - 1))
    for share, value in (
        (mix.time_mix_k, channel**early),
        (mix.time_mix_v, channel**early + 0.3 * late),
        (mix.time_mix_r, channel ** (0.5 * early)),
    ):
        share.copy_(value.view(1, 1, -1))


def _start_matrix(name: str, weight: Tensor) -> None:
    if name.endswith(_SILENT):
        weight.zero_()
        return
    rows, columns = weight.shape
    gain = math.sqrt(rows / columns) if rows > columns else 1.0
    _orthogonal(weight, 0.5 * gain if name == "head" else gain)


def _orthogonal(weight: Tensor, gain: float) -> None:
    nn.init.orthogonal_(weight, gain=gain)
