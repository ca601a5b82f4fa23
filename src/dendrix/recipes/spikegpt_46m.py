"""SpikeGPT with 12 blocks of 512 channels on enwik8: the network and training of the paper (arXiv 2302.13939), by characters.

It needs a GPU and the whole enwik8; it has not been run here.
"""

from dataclasses import replace

from ..models import SpikeGPTConfig
from ..models.spikegpt.network import published_46m
from ..train.text.data import TextData
from ..train.text.recipe import TextBudget, TextOptim, TextRecipe

_CHARACTERS = 5459
"""Characters of the training split and one for all others; set --model.vocab-size to the vocabulary of the tokenizer."""


def recipe() -> TextRecipe:
    """SpikeGPT with 46 million parameters on enwik8, as bytes, with warm-up, weight decay and larger batches."""
    return TextRecipe(
        TextData("enwik8"),
        SpikeGPTConfig(256, start="rwkv"),
        TextOptim(lr=2e-3, warm_up=2000),
        TextBudget(steps=156_000, every=2000, batch_size=64, context=1024, valid_tokens=5_000_000, precision="bf16"),
    )


def published() -> TextRecipe:
    """The same as released: characters, batches of 12, Adam without warm-up or decay."""
    return replace(
        recipe(),
        data=TextData("enwik8", tokenizer="characters"),
        model=published_46m(_CHARACTERS),
        optim=TextOptim(lr=6e-4, warm_up=0, weight_decay=0.0),
        budget=replace(recipe().budget, steps=833_333, batch_size=12, precision="float32"),
    )
