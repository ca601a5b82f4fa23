"""Weight initialisation of SpikeGPT: "rwkv", the scheme of the paper's code, and "pytorch", the one that the released code applies."""

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from .blocks import ChannelMix, TimeMix

if TYPE_CHECKING:
    from .network import SpikeGPTBody

Start = Literal["pytorch", "rwkv"]

_SILENT = ("att.key", "att.receptance", "att.output", "att.decay_up", "ffn.value", "ffn.receptance", "ffnPre.value", "ffnPre.receptance")
"""Matrices initialised to zero by "rwkv"."""
_DRIVE = 2.0
"""Gain of the norms before neurons that are inputs of matrix products. With normally distributed values times 2, such a neuron fires for
about one token in six. Neurons that never fire, before a matrix of zeros, would receive no gradient and could not be trained."""


@torch.no_grad()
def start(body: "SpikeGPTBody") -> None:
    """Initialise the decays, bonuses and mixing ratios of every block and the norms before neurons; with "rwkv", also the matrices.

    With "pytorch", embeddings are normal and matrices uniform. Only the signs of the embedding are used, and they hardly change in
    training: the code of a token stays almost random. With "rwkv", embeddings and matrices are small or zero.

    Args:
        body: network whose matrices were initialised by torch.
    Source: SpikeGPT (arXiv 2302.13939) as released; its RWKV_Init is skipped unless an environment variable is set, and the release does
        not set it.
    """
    width, layers = body.config.width, body.config.layers
    channel = torch.arange(width) / width
    for i, block in enumerate(body.blocks):
        late = i / max(layers - 1, 1)
        early = 1 - i / layers
        for mix in block.children():
            if isinstance(mix, TimeMix):
                _start_time(mix, channel, late, early)
            elif isinstance(mix, ChannelMix):
                mix.time_mix_k.copy_((channel**early).view(1, 1, -1))
                mix.time_mix_r.copy_((channel**early).view(1, 1, -1))
        for name, norm in block.named_modules():
            if name.endswith(".norm") or (body.config.spikes == "input" and name in ("ln1", "ln2")):
                norm.get_parameter("weight").fill_(_DRIVE)
    if body.config.start == "rwkv":
        nn.init.orthogonal_(body.emb.weight, math.sqrt(max(body.emb.weight.shape)) * 1e-4)
        for name, module in body.named_modules():
            if name.endswith(_SILENT):
                module.get_parameter("weight").zero_()
            elif isinstance(module, nn.Linear):
                nn.init.orthogonal_(module.weight, _gain(module.weight))


@torch.no_grad()
def start_head(head: nn.Linear, scheme: Start) -> None:
    """Initialise a head like the other matrices.

    Args:
        head: linear layer, initialised by torch.
        scheme: "pytorch" or "rwkv".
    """
    if scheme == "rwkv":
        nn.init.orthogonal_(head.weight, 0.5 * _gain(head.weight))


def _gain(weight: Tensor) -> float:
    """Return the gain with which a widening orthogonal matrix keeps the variance of its input."""
    rows, columns = weight.shape
    return math.sqrt(max(rows / columns, 1.0))


def _start_time(mix: TimeMix, channel: Tensor, late: float, early: float) -> None:
    """Initialise a time mix with decay rates that differ between channels; later blocks have longer memory."""
    index = torch.arange(len(channel))
    mix.time_decay.copy_(-5 + 8 * (index / (len(channel) - 1)) ** (0.7 + 1.3 * late))
    mix.time_first.copy_(math.log(0.3) + 0.5 * ((index + 1) % 3 - 1))
    for share, value in (
        (mix.time_mix_k, channel**early),
        (mix.time_mix_v, channel**early + 0.3 * late),
        (mix.time_mix_r, channel ** (0.5 * early)),
    ):
        share.copy_(value.view(1, 1, -1))
