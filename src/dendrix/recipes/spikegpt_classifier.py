"""Sentence classification with a small SpikeGPT: four tasks of the paper, and TREC. `dendrix lm finetune` accepts your own sentences."""

from dataclasses import replace

from ..train.sentence.data import SentenceData
from ..train.sentence.recipe import SentenceModel, SentenceRecipe
from ..train.text.recipe import TextOptim


def recipe() -> SentenceRecipe:
    """Positive or negative film reviews (SST-2)."""
    return SentenceRecipe(SentenceData(), SentenceModel(), TextOptim(lr=3e-3, final_lr=0.0, warm_up=50))


def sst5() -> SentenceRecipe:
    """Film reviews in five grades (SST-5)."""
    return replace(recipe(), data=SentenceData("sst5"))


def mr() -> SentenceRecipe:
    """Positive or negative film reviews in ten folds (MR)."""
    return replace(recipe(), data=SentenceData("mr"))


def subj() -> SentenceRecipe:
    """Subjective or objective sentences, in ten folds (Subj)."""
    return replace(recipe(), data=SentenceData("subj"))


def trec() -> SentenceRecipe:
    """Six types of questions (TREC)."""
    return replace(recipe(), data=SentenceData("trec"))
