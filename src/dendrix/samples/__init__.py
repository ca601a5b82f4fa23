"""Recordings shipped with dendrix, to try the networks on. Each folder has its own licence, in its README.md."""

from .catalogue import find_sample, recording, samples

__all__ = ["find_sample", "recording", "samples"]
