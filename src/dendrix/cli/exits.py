"""`dendrix exits`: record a network's outputs, fit an exit rule to them, report on it, and run it."""

from collections.abc import Callable
from typing import Any

COMMANDS: dict[str, Callable[..., Any]] = {}
