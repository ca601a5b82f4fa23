"""One file per experiment. `fsdd_delays.py` is `fsdd-delays` on the command line, and its function `none` is `fsdd-delays:none`.

A recipe is a function without arguments that returns a `train.SequenceRecipe` or a `train.ContinualRecipe`; `recipe` is the main one of a
file, the others are its variants. They are found without being imported, so that listing them stays fast.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .claims import CLAIMS as CLAIMS

if TYPE_CHECKING:
    from ..train.continual.learner import ContinualRecipe
    from ..train.sequence.recipe import SequenceRecipe

_MAIN = "recipe"


@dataclass(frozen=True)
class Listed:
    """A recipe that can be trained."""

    name: str
    summary: str
    claim: str = ""
    """What was published for it, and where."""


def recipes() -> list[Listed]:
    """All recipes by name, each file's main one before its variants, with the first line of their docstrings."""
    listed = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text())
        functions = [f for f in tree.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_") and not f.args.args]
        if _MAIN not in [f.name for f in functions]:
            continue
        file = path.stem.replace("_", "-")
        for function in sorted(functions, key=lambda f: f.name != _MAIN):
            name = file if function.name == _MAIN else f"{file}:{function.name}"
            claim = f"{CLAIMS[name].percent} %, {CLAIMS[name].source}" if name in CLAIMS else ""
            listed.append(Listed(name, (ast.get_docstring(function) or "").split("\n")[0], claim))
    return listed


def find_recipe(name: str) -> "Callable[[], SequenceRecipe | ContinualRecipe]":
    """The function that returns the recipe of this name.

    Raises:
        ValueError: there is none; the nearest name is suggested.
    """
    from ..core import expect_one_of  # here, not above: it loads torch

    expect_one_of(name, [listed.name for listed in recipes()], "recipe")
    file, _, variant = name.partition(":")
    module = import_module(f".{file.replace('-', '_')}", __name__)
    found: Callable[[], SequenceRecipe | ContinualRecipe] = getattr(module, variant or _MAIN)
    return found
