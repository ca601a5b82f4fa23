"""Training: recipes as frozen dataclasses, one loop, its metrics and its figures. Needs the extra `train`."""

from .continual import ContinualRecipe as ContinualRecipe
from .data import CommandsData as CommandsData
from .data import DigitsData as DigitsData
from .data import FsddData as FsddData
from .data import NmnistData as NmnistData
from .data import ShdData as ShdData
from .data import SpeechCommandsData as SpeechCommandsData
from .data import SscData as SscData
from .data import WavFolderData as WavFolderData
from .image_data import CifarData as CifarData
from .image_data import ImageFolderData as ImageFolderData
from .image_data import MnistData as MnistData
from .image_recipe import ImageAugment as ImageAugment
from .image_recipe import ImageBudget as ImageBudget
from .image_recipe import ImageOptim as ImageOptim
from .image_recipe import ImageRecipe as ImageRecipe
from .recipe import Augment as Augment
from .recipe import Budget as Budget
from .recipe import Optim as Optim
from .recipe import Recipe as Recipe
from .text_recipe import TextBudget as TextBudget
from .text_recipe import TextData as TextData
from .text_recipe import TextOptim as TextOptim
from .text_recipe import TextRecipe as TextRecipe
