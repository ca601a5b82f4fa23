"""The command `dendrix`: `main` finds the command, one file per group of commands holds what they do."""

from .main import main as main
