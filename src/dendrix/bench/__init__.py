"""Benchmarks of dendrix beside other libraries (`dendrix bench`), with a comparison of all results before any timing."""

from .command import run

__all__ = ["run"]
