"""The command `dendrix`: `commands` parses the arguments and runs one command; each other file holds one group of commands."""

from .commands import main

__all__ = ["main"]
