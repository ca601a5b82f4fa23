"""SpikeGPT with 18 blocks of 768 channels on WikiText-103 (arXiv 2302.13939): the network of the paper, trained from scratch.

It needs a GPU, WikiText-103 and the tokenizer of GPT-NeoX-20B as 20B_tokenizer.json; it has not been run here.
"""

from ..models.spikegpt.network import published_216m
from ..train.text.data import TextData
from ..train.text.recipe import TextBudget, TextOptim, TextRecipe


def recipe() -> TextRecipe:
    """SpikeGPT with 216 million parameters on WikiText-103."""
    return TextRecipe(
        TextData("wikitext-103", tokenizer="20B_tokenizer.json"),
        published_216m(),
        TextOptim(lr=6e-4, warm_up=2000),
        TextBudget(steps=100_000, every=2000, batch_size=64, accumulate=4, context=1024, precision="bf16"),
    )
