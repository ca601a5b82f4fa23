"""Threads of the kernels, those of `core.threads`."""

from ...core.threads import in_parts

__all__ = ["in_parts"]
