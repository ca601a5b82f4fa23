"""A small SpikeGPT that two CPU cores train on bytes of novels, and the networks that it is compared with."""

from dataclasses import replace

from ..models import SpikeGPTSpec
from ..train import TextBudget, TextData, TextOptim, TextRecipe


def recipe() -> TextRecipe:
    """A language model of 1.1 million parameters on novels, spikes as published."""
    return TextRecipe(TextData(megabytes=10), SpikeGPTSpec(256, width=160, layers=3, start="rwkv"), TextOptim(), TextBudget())


def inputs() -> TextRecipe:
    """The same with spikes before every matrix product of a block."""
    return replace(recipe(), model=replace(recipe().model, spikes="input"))


def continuous() -> TextRecipe:
    """The same without spikes."""
    return replace(recipe(), model=replace(recipe().model, spikes="none"))


def pytorch() -> TextRecipe:
    """The same with weights that begin as in the released training."""
    return replace(recipe(), model=replace(recipe().model, start="pytorch"))
