"""Recipes, one file per experiment: `fsdd_delays.py` is `fsdd-delays` on the command line, and its function `none` is `fsdd-delays:none`.

A recipe is a function without arguments that returns a `train.Recipe`. The function `recipe` is the main one of a file; the others are its
variants. `catalogue` lists recipes without importing them, and also finds recipes in the user's files and in installed packages.
"""

from .catalogue import Listed, find_recipe, own_recipe, recipes
from .claims import CLAIMS

__all__ = ["CLAIMS", "Listed", "find_recipe", "own_recipe", "recipes"]
