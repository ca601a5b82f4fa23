"""Output of commands as JSON, and options of the commands that are suggested next."""

import json
import math
from typing import Any

from ..recipes import own_recipe


def print_json(value: Any) -> None:
    """Print a value as JSON on one line; infinity and NaN, which JSON does not have, become null."""
    print(json.dumps(_finite(value), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def trust_option(recipe: str, trust: str | None = None) -> str:
    """The option that a follow-up command needs for a recipe or network in a user's file: ` --trust FILE`, or nothing."""
    file = recipe.partition(":")[0] if own_recipe(recipe) else trust
    return "" if file is None else f" --trust {file}"
