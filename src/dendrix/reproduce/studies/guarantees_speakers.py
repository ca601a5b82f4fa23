"""Guarantees for speakers with cross-fitted networks: each speaker is recorded by a network that never heard them."""

from dataclasses import replace
from typing import Any

from ...recipes import find_recipe
from ...train.sequence.recipe import SequenceRecipe

_EPOCHS = 14


def recipe(fold: int) -> SequenceRecipe:
    """Return the training of a network that is tested on a third of the speakers, with half of the loss on every step."""
    base: Any = find_recipe("commands-delays:axonal")()
    found: SequenceRecipe = replace(
        base, data=replace(base.data, fold=fold), early=0.5, budget=replace(base.budget, epochs=_EPOCHS), seed=fold
    )
    return found
