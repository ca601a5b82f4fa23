"""Changes of a recipe that make its variants."""

from dataclasses import replace
from typing import Any, TypeVar

from ..train.image.recipe import ImageRecipe
from ..train.sequence.recipe import SequenceRecipe

R = TypeVar("R", SequenceRecipe, ImageRecipe)


def with_model(recipe: R, **changes: Any) -> R:
    """The recipe with these fields of its network's configuration changed."""
    model: Any = recipe.model
    return replace(recipe, model=replace(model, **changes))
