"""Training: `fit` for your own network and data, recipes as frozen dataclasses, and one loop. Needs the extra `train`."""

from .continual.data import PermutedMnistData
from .continual.recipe import ContinualRecipe
from .image.data import CifarData, ImageFolderData, MnistData, PictureFolderData
from .image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe
from .loop import train_recipe
from .memory import keep_freed_memory
from .own import ArrayData, fit
from .recipe import DataSource, NetworkConfig, Recipe, Source
from .sentence.data import SentenceData
from .sentence.recipe import SentenceBudget, SentenceModel, SentenceRecipe
from .sequence.data import CommandsData, DigitsData, FsddData, NmnistData, ShdData, SpeechCommandsData, SscData, WavFolderData
from .sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe
from .text.data import TextData
from .text.recipe import TextBudget, TextLoss, TextOptim, TextRecipe

__all__ = [
    "ArrayData",
    "Budget",
    "CifarData",
    "CommandsData",
    "ContinualRecipe",
    "DataSource",
    "DigitsData",
    "FsddData",
    "ImageAugment",
    "ImageBudget",
    "ImageFolderData",
    "ImageOptim",
    "ImageRecipe",
    "MnistData",
    "NetworkConfig",
    "NmnistData",
    "PermutedMnistData",
    "PictureFolderData",
    "Recipe",
    "SentenceBudget",
    "SentenceData",
    "SentenceModel",
    "SentenceRecipe",
    "SequenceAugment",
    "SequenceOptim",
    "SequenceRecipe",
    "ShdData",
    "Source",
    "SpeechCommandsData",
    "SscData",
    "TextBudget",
    "TextData",
    "TextLoss",
    "TextOptim",
    "TextRecipe",
    "WavFolderData",
    "fit",
    "keep_freed_memory",
    "train_recipe",
]
