"""Benchmarks of dendrix beside other libraries (`dendrix bench`), with a comparison of all results before any timing."""

from .command import run, run_profile, run_quick, write_tables

__all__ = ["run", "run_profile", "run_quick", "write_tables"]
