"""Forms of a trained SpikeGPT that run where only the published neurons, or only zeros and ones, are known."""

import copy
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...errors import InputError
from .blocks import ChannelMix, TimeMix
from .network import SpikeGPT, SpikeGPTBody
from .neurons import PUBLISHED, SpikeNeurons

Network = TypeVar("Network", bound=SpikeGPTBody)


def deployable(network: SpikeGPT, where: str) -> SpikeGPT:
    """Return a network with the published neurons and the same outputs up to rounding; the network itself if it has them already.

    Thresholds and amplitudes of neurons before matrix products are folded: a threshold into the norm before the neurons, an amplitude into
    the columns of the products behind them. The surrogate does not matter outside training.

    Args:
        network: any SpikeGPT.
        where: what the network is prepared for, for the error message.
    Raises:
        InputError: its neurons, decay or attention cannot be expressed by the published ones.
    """
    network.config.expect_published(where, *(["scales"] if network.config.spikes == "input" else []))
    return folded(network)


def folded(network: SpikeGPT) -> SpikeGPT:
    """Return a network without thresholds and amplitudes of neurons before matrix products; the network itself if it has none.

    Those of separate neurons stay, as their inputs are mixtures of two tokens behind a norm that all of them share.

    The outputs are the same up to rounding. The surrogate becomes the published one; everything else is kept.

    Args:
        network: any SpikeGPT.
    """
    old = network.config.neurons
    kept = replace(old, alpha=PUBLISHED.alpha, scales=old.scales and (network.config.spikes != "input" or old.separate))
    if kept == old:
        return network
    weight = network.head.weight
    made = SpikeGPT(replace(network.config, neurons=kept)).to(weight.device, weight.dtype).train(network.training)
    trained = network.state_dict()
    made.load_state_dict({name: trained[name] for name in made.state_dict()})
    if kept.scales != old.scales:
        for scaled, plain in zip(network.blocks, made.blocks, strict=True):
            _fold(scaled, plain)
    return made


@torch.no_grad()
def _fold(scaled: Any, plain: Any) -> None:
    """Fold the thresholds and amplitudes of a block with spikes before its products into a block without."""
    for norm, old, new in ((plain.ln1, scaled.before, plain.before), (plain.ln2, "ffn", "ffn")):
        trained, mix = scaled.get_submodule(old), plain.get_submodule(new)
        inputs, inner = trained.neurons
        behind = [mix.output] if isinstance(mix, TimeMix) else [mix.value]
        ahead = [mix.key, mix.receptance]
        if isinstance(mix, TimeMix):
            ahead += [mix.value, *([mix.decay_down] if mix.decay_rank else [])]
            ahead += [mix.local.query, mix.local.key, mix.local.current] if mix.window else []
        for neurons, before, products in ((inputs, norm, ahead), (inner, mix.norm, behind)):
            gain, amplitude = torch.exp(-neurons.log_threshold), torch.exp(neurons.log_amplitude)
            before.weight.mul_(gain)
            before.bias.mul_(gain)
            for product in products:
                product.weight.mul_(amplitude)


def unfolded(network: Network) -> Network:
    """Return a copy whose products behind neurons of several levels are sums of products with zeros and ones, one for each level.

    The outputs are the same up to rounding. Without several levels, the copy has the same products.

    Args:
        network: a SpikeGPT or a classifier with spikes="input".
    Raises:
        InputError: its products have no spikes as inputs.
    """
    if network.config.spikes != "input":
        raise InputError(f'spikes: expected "input", got "{network.config.spikes}", whose products have no spikes as inputs.')
    made = copy.deepcopy(network)
    levels = made.config.neurons.levels
    for mix in list(made.modules()) if levels > 1 else ():
        if isinstance(mix, TimeMix | ChannelMix):
            for part in (mix, mix.local) if isinstance(mix, TimeMix) and mix.window else (mix,):
                for name, product in list(part.named_children()):
                    if isinstance(product, nn.Linear) and name != "decay_up":  # its inputs are numbers
                        neurons = mix.neurons_before(name if part is mix else "")
                        setattr(part, name, UnfoldedLinear(product, neurons, levels))
    return made


class UnfoldedLinear(nn.Module):
    """A product with spike counts, as a sum of products with 0, 1 and -1 times the amplitude.

    Args:
        product: the product with spike counts.
        neurons: where they come from.
        levels: largest count.
    """

    def __init__(self, product: nn.Linear, neurons: SpikeNeurons, levels: int):
        super().__init__()
        self.product, self.levels = product, levels
        self.in_features, self.out_features = product.in_features, product.out_features
        self._counted = [neurons]  # in a list, because its parameters belong to the mix

    def counts(self, x: Tensor) -> Tensor:
        """Return the number of spikes behind each value of an input, [..., C]."""
        (neurons,) = self._counted
        return neurons.counts(x)

    def forward(self, x: Tensor) -> Tensor:
        counts = self.counts(x)
        amplitude = x / counts.clamp_min(1)
        parts = [self.product(torch.where(counts > level - 0.5, amplitude, 0)) for level in range(1, self.levels + 1)]
        total = torch.stack(parts).sum(0)
        return total if self.product.bias is None else total - (self.levels - 1) * self.product.bias
