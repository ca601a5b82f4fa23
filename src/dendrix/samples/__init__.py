"""Recordings, drawings and texts shipped with dendrix, to try its networks on. Each folder has its own licence, in its README.md."""

from .catalogue import find_sample, sample, samples

__all__ = ["find_sample", "sample", "samples"]
