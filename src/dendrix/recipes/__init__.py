"""Recipes, one file per experiment: `fsdd_delays.py` is `fsdd-delays` on the command line, and its function `none` is `fsdd-delays:none`.

A recipe is a function without arguments that returns a `train.Recipe`; `recipe` is the main one of a file, the others are its variants.
They are listed without being imported. A file of the user's is named by its path, `my_recipe.py` or `my_recipe.py:variant`; a package adds
recipes through the entry point group `dendrix.recipes`, each the name of a module.
"""

import ast
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import expect_one_of
from ..errors import InputError
from .claims import CLAIMS

if TYPE_CHECKING:
    from ..train.recipe import Recipe

__all__ = ["CLAIMS", "Listed", "find_recipe", "own_recipe", "recipes"]

_MAIN = "recipe"
_GROUP = "dendrix.recipes"


@dataclass(frozen=True)
class Listed:
    """A recipe that can be trained."""

    name: str
    summary: str
    claim: str = ""
    """What was published for it, and where."""


def recipes() -> list[Listed]:
    """All recipes by name, each file's main one before its variants, with the first line of their docstrings."""
    return [
        Listed(
            name,
            (ast.get_docstring(function) or "").split("\n")[0],
            f"{CLAIMS[name].percent} %, {CLAIMS[name].source}" if name in CLAIMS else "",
        )
        for file, path in _files()
        for name, function in _variants(file, path)
    ]


def find_recipe(name: str) -> "Callable[[], Recipe]":
    """The function that returns the recipe of this name, or of this file.

    Raises:
        FileNotFoundError: the file is not there.
        InputError: there is no such recipe, and the nearest name is suggested; or the file cannot be imported, or has no such function.
    """
    if own_recipe(name):
        return _of_file(name)
    files = dict(_files())
    expect_one_of(name, [found for file, path in files.items() for found, _ in _variants(file, path)], "recipe")
    file, _, variant = name.partition(":")
    module = import_module(_entry_points().get(file) or f".{file.replace('-', '_')}", __name__)
    found: Callable[[], Recipe] = getattr(module, variant or _MAIN)
    return found


def own_recipe(name: str) -> bool:
    """Whether a name means a file of the user's."""
    return name.partition(":")[0].endswith(".py")


def _of_file(name: str) -> "Callable[[], Recipe]":
    from ..core.foreign import foreign  # here, not above: they load torch
    from ..core.trust import import_file

    file, _, variant = name.partition(":")
    module = import_file(Path(file))
    found: Callable[[], Recipe] | None = getattr(module, variant or _MAIN, None)
    if not callable(found):
        raise InputError(f"{file}: expected a function '{variant or _MAIN}' that returns the recipe, which is not there. Write one.")
    with foreign(f"{file}: expected a function '{variant or _MAIN}' that returns the recipe", "Call it yourself to see where."):
        made: Any = found()
    if not is_dataclass(made) or not all(hasattr(made, name) for name in ("seed", "data", "budget", "learner")):
        raise InputError(
            f"{file}: expected a function that returns a recipe, got {type(made).__name__}. Return a SequenceRecipe, an ImageRecipe, or a "
            "frozen dataclass of your own with seed, data, budget and learner."
        )
    return found


def _files() -> Iterator[tuple[str, Path]]:
    """The name of each file of recipes, and the file."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        yield path.stem.replace("_", "-"), path
    for name, module in _entry_points().items():
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            yield name, Path(spec.origin)


def _entry_points() -> dict[str, str]:
    """The modules of recipes that installed packages add, by the name of their file of recipes."""
    return {point.name: point.value for point in sorted(metadata.entry_points(group=_GROUP))}


def _variants(file: str, path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The recipes of a file by name, the main one first; none if it has no main one."""
    tree = ast.parse(path.read_text())
    functions = [f for f in tree.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_") and not f.args.args]
    if _MAIN in [f.name for f in functions]:
        for function in sorted(functions, key=lambda f: f.name != _MAIN):
            yield file if function.name == _MAIN else f"{file}:{function.name}", function
