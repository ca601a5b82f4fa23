"""A small SpikeGPT on bytes of novels, for training on two CPU cores, and the networks that it is compared with."""

from dataclasses import replace

from ..models import SpikeGPTConfig
from ..models.gpt2 import GPT2Config
from ..models.lstm import LSTMConfig
from ..models.spikegpt.neurons import NeuronConfig
from ..train.text.data import TextData
from ..train.text.recipe import TextBudget, TextOptim, TextRecipe

_MODEL = SpikeGPTConfig(256, width=160, layers=3, start="rwkv", dropout=0.0)  # no dropout: the text is read only twice


def recipe() -> TextRecipe:
    """A language model of 1.1 million parameters on novels, with spikes as published."""
    return TextRecipe(TextData(megabytes=10), _MODEL, TextOptim(), TextBudget())


def inputs() -> TextRecipe:
    """The same with spikes before every matrix product of a block."""
    return replace(recipe(), model=replace(_MODEL, spikes="input"))


def continuous() -> TextRecipe:
    """The same without spikes."""
    return replace(recipe(), model=replace(_MODEL, spikes="none"))


def pytorch() -> TextRecipe:
    """The same with the initial weights of the released training."""
    return replace(recipe(), model=replace(_MODEL, start="pytorch"))


def gpt2() -> TextRecipe:
    """GPT-2 of the same size, in the same training."""
    return replace(recipe(), model=GPT2Config(256), l2_wrap=False)


def lstm() -> TextRecipe:
    """An LSTM of the same size, in the same training."""
    return replace(recipe(), model=LSTMConfig(256), l2_wrap=False)


def pieces() -> TextRecipe:
    """A smaller one on word pieces of novels and WikiText-2, with a norm before the neurons, to fine-tune on sentences."""
    data = TextData("novels+wikitext-2", "pieces", 8192)
    model = replace(_MODEL, vocab_size=data.vocabulary, width=64, layers=2, neurons=NeuronConfig(norm=True))
    budget = TextBudget(steps=3000, every=500, context=128, valid_tokens=50_000, sample_tokens=0)
    return replace(recipe(), data=data, model=model, optim=TextOptim(lr=5e-3, warm_up=100), budget=budget)
