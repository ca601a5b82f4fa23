"""Language models of novels that fit into 1.5 MB when packed as int8: the long training of the network that is shipped."""

from dataclasses import replace

from ..models import SpikeGPTConfig
from ..models.spikegpt import NeuronConfig
from ..train.text.data import TextData
from ..train.text.recipe import TextBudget, TextLoss, TextOptim, TextRecipe

_MODEL = SpikeGPTConfig(256, width=184, layers=3, start="rwkv", dropout=0.0)  # no dropout: the text is read less than twice


def recipe() -> TextRecipe:
    """A language model of 1.4 million parameters on all novels, with a norm before the neurons behind each half of a block."""
    optim = TextOptim(lr=5e-3, warm_up=500)
    budget = TextBudget(steps=9_000, every=750, batch_size=16, context=512, valid_tokens=100_000)
    return TextRecipe(TextData(), replace(_MODEL, neurons=NeuronConfig(norm=True)), optim, budget)


def inputs() -> TextRecipe:
    """The same with neurons of its own before every product: up to four spikes, held at a mean of 0.1 for a neuron and token."""
    neurons = NeuronConfig(levels=4, separate=True)
    return replace(recipe(), model=replace(_MODEL, spikes="input", neurons=neurons), loss=TextLoss(rate=0.1))


def continuous() -> TextRecipe:
    """The same without spikes; a teacher for the others, by `--loss.teacher`."""
    return replace(recipe(), model=replace(_MODEL, spikes="none"))
