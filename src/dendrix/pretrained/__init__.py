"""Trained networks shipped with dendrix: one run folder per network, with a model card in README.md."""

from .catalogue import find_run, shipped, titles

__all__ = ["find_run", "shipped", "titles"]
