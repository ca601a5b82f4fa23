"""Small SpikeGPT that learn to classify sentences: four tasks of the paper, and TREC. `dendrix lm finetune` takes sentences of yours."""

from dataclasses import replace

from ..train.sentence.data import SentenceData
from ..train.sentence.recipe import SentenceModel, SentenceRecipe
from ..train.text.recipe import TextOptim


def recipe() -> SentenceRecipe:
    """Opinions about films, good or bad (SST-2)."""
    return SentenceRecipe(SentenceData(), SentenceModel(), TextOptim(lr=3e-3, final_lr=0.0, warm_up=50))


def sst5() -> SentenceRecipe:
    """The same in five grades (SST-5)."""
    return replace(recipe(), data=SentenceData("sst5"))


def mr() -> SentenceRecipe:
    """Opinions about films in ten folds (MR)."""
    return replace(recipe(), data=SentenceData("mr"))


def subj() -> SentenceRecipe:
    """Subjective or objective, in ten folds (Subj)."""
    return replace(recipe(), data=SentenceData("subj"))


def trec() -> SentenceRecipe:
    """What a question asks for, six kinds (TREC)."""
    return replace(recipe(), data=SentenceData("trec"))
