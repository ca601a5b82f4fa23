"""Loop of the automatic gain in whole numbers."""

from typing import Any

import numpy as np


def amplify(pcm: Any, keep: Any, floor: Any, level: Any) -> Any:
    """Follow the peak of 16-bit samples, and amplify them to it; `level` [1] is changed.

    level <- max(|x| 2^16, level keep >> 32);   y = x (0x7fffffff / (peak >> 16 after normalisation)) >> n, with peak = level + floor
    """
    y = np.empty_like(pcm)
    now = level[0]
    for i in range(len(pcm)):
        now = max(abs(pcm[i]) << 16, (now * keep) >> 32)
        peak = now + floor
        up = 0
        while peak << up < 1 << 31:
            up += 1
        y[i] = (pcm[i] * (0x7FFFFFFF // ((peak << up) >> 16))) >> (16 - up)
    level[0] = now
    return y
