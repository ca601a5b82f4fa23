"""Catalogue of recipes: listed without being imported, found by name, by file (`my_recipe.py:variant`) or by entry point.

A package adds recipes through the entry point group `dendrix.recipes`; the value of each entry point is the name of a module.
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
from .requirements import OTHER, REQUIREMENTS, Requirements

if TYPE_CHECKING:
    from ..train.recipe import Recipe

_MAIN = "recipe"
_GROUP = "dendrix.recipes"


@dataclass(frozen=True)
class Listed:
    """Entry of the catalogue."""

    name: str
    summary: str
    """First line of the docstring."""
    claim: str
    """Published accuracy and its source; empty if none was published."""
    needs: Requirements
    """Task, data and training time of the main recipe of the file."""


def recipes() -> list[Listed]:
    """Return all recipes in the order of their files, the main one of a file before its variants."""
    return [
        Listed(
            name,
            (ast.get_docstring(function) or "").split("\n")[0],
            f"{CLAIMS[name].percent} %, {CLAIMS[name].source}" if name in CLAIMS else "",
            REQUIREMENTS.get(file, Requirements(OTHER, "")),
        )
        for file, path in _files()
        for name, function in _variants(file, path)
    ]


def find_recipe(name: str) -> "Callable[[], Recipe]":
    """Return the function that makes the recipe of this name, or the one in this file.

    Raises:
        FileNotFoundError: the file does not exist.
        InputError: no recipe has this name (the nearest one is suggested), or the file cannot be imported or lacks the function.
    """
    if own_recipe(name):
        return _of_file(name)
    files = dict(_files())
    expect_one_of(name, [found for file, path in files.items() for found, _ in _variants(file, path)], "recipe")
    file, _, variant = name.partition(":")
    module = import_module(_entry_points().get(file) or f".{file.replace('-', '_')}", __package__)
    found: Callable[[], Recipe] = getattr(module, variant or _MAIN)
    return found


def own_recipe(name: str) -> bool:
    """Return whether a name is the path of a Python file instead of the name of a recipe."""
    return name.partition(":")[0].endswith(".py")


def _of_file(name: str) -> "Callable[[], Recipe]":
    from ..core.foreign import foreign  # imported here because these load torch
    from ..core.trust import import_file

    file, _, variant = name.partition(":")
    module = import_file(Path(file))
    found: Callable[[], Recipe] | None = getattr(module, variant or _MAIN, None)
    if not callable(found):
        raise InputError(f"{file}: expected a function '{variant or _MAIN}' that returns the recipe, found none. Add it.")
    with foreign(f"{file}: expected a function '{variant or _MAIN}' that returns the recipe", "Call it yourself to see where."):
        made: Any = found()
    if not is_dataclass(made) or not all(hasattr(made, name) for name in ("seed", "data", "budget", "learner")):
        raise InputError(
            f"{file}: expected a function that returns a recipe, got {type(made).__name__}. Return a SequenceRecipe, an ImageRecipe, or a "
            "frozen dataclass with the fields of train.Recipe: seed, data, budget and learner."
        )
    return found


def _files() -> Iterator[tuple[str, Path]]:
    """Yield the name and the path of each file of recipes."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        yield path.stem.replace("_", "-"), path
    for name, module in _entry_points().items():
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            yield name, Path(spec.origin)


def _entry_points() -> dict[str, str]:
    """Return the module of each installed entry point, by the name of the entry point."""
    return {point.name: point.value for point in sorted(metadata.entry_points(group=_GROUP))}


def _variants(file: str, path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield name and function of each recipe in a file, the main one first; nothing if the file has no main one."""
    tree = ast.parse(path.read_text())
    functions = [f for f in tree.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_") and not f.args.args]
    if _MAIN in [f.name for f in functions]:
        for function in sorted(functions, key=lambda f: f.name != _MAIN):
            yield file if function.name == _MAIN else f"{file}:{function.name}", function
