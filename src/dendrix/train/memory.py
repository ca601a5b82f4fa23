"""Memory that a training frees is kept for its next step."""

import ctypes

_TRIM, _MMAP = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's mallopt."""
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep what torch frees, for the whole process, as `dendrix train` does; for training loops of your own.

    glibc returns large blocks to the system at once and gets them back as pages of zeros, each with a page fault. A training frees and
    allocates the same tensors in every step; these faults took more than half of the time of a LIF layer of [128, 250, 256]. The process
    stays at its greatest size, so importing dendrix does not change this setting.

    Returns:
        whether the setting was made; without glibc nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no such function, or no library of this process on Windows
        return False
    return bool(mallopt(_TRIM, _MOST) and mallopt(_MMAP, _MOST))
