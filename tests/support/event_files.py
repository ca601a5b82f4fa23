"""Events of a camera, generated, in the 40-bit form of N-MNIST."""

import struct

import numpy as np

from dendrix.data import Events


def some(count: int = 50, size: int = 34, seed: int = 0) -> Events:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, size, (2, count)).astype(np.int16)
    return Events(np.sort(rng.integers(0, 300_000, count)), x, y, rng.integers(0, 2, count).astype(np.uint8))


def record(events: Events, wide: bool = False) -> bytes:
    """The 40-bit form: x and y, or a wide x, then polarity and time."""
    places = [struct.pack(">H", x) if wide else bytes([x, y]) for x, y in zip(events.x, events.y, strict=True)]
    times = [struct.pack(">I", p << 23 | t)[1:] for t, p in zip(events.t.tolist(), events.p.tolist(), strict=True)]
    return b"".join(place + time for place, time in zip(places, times, strict=True))
