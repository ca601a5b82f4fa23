"""`dendrix sdr`: the theory of sparse distributed representations from the command line."""

from collections.abc import Callable
from typing import Any

COMMANDS: dict[str, Callable[..., Any]] = {}
