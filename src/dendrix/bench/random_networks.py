"""Converted networks with random weights, for measurements of the time of a step."""

import torch
from torch import Tensor, nn

from ..models import Converted, ConvertedConfig


def random_network(ann: nn.Module, images: Tensor) -> Converted:
    """Convert a network with initial weights; its BatchNorm gets the statistics of images [B, C, H, W]."""
    for module in ann.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over batches
    with torch.no_grad():
        ann.train()(images)
    return Converted(ConvertedConfig.of(ann.eval()), ann).eval()


@torch.inference_mode()
def share_of_spikes(network: nn.Module, currents: Tensor) -> float:
    """Share of neurons and steps with a spike, for a few inputs of a converted network."""
    counts: list[tuple[int, int]] = []
    handles = [
        part.register_forward_hook(lambda _, __, found: counts.append((int(found[0].count_nonzero()), found[0].numel())))
        for part in network.modules()
        if type(part).__name__ == "SignedIF"
    ]
    network(currents[:4])
    for handle in handles:
        handle.remove()
    return sum(count for count, _ in counts) / sum(size for _, size in counts)
