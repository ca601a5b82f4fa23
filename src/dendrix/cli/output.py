"""Output of commands: JSON and progress bars."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress

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


@contextmanager
def progress_bar(title: str, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """Progress bar on stderr, if it is a terminal; yields `update(done, total)`."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def trust_option(recipe: str, trust: str | None = None) -> str:
    """The option that a follow-up command needs for a recipe or network in a user's file: ` --trust FILE`, or nothing."""
    file = recipe.partition(":")[0] if own_recipe(recipe) else trust
    return "" if file is None else f" --trust {file}"
