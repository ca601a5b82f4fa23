"""Writes spikes of spoken words as the Heidelberg data sets have them: ragged float16 times, ragged units, labels, speakers and names."""

from pathlib import Path

import h5py
import numpy as np

WORDS = ["zero", "one", "null"]


def write(path: Path, times: list, units: list, labels: list[int], speakers: list[int] | None, words: list[str] = WORDS) -> None:
    with h5py.File(path, "w") as file:
        for name, rows, kind in (("times", times, np.float16), ("units", units, np.uint16)):
            ragged = file.create_dataset(f"spikes/{name}", (len(rows),), h5py.vlen_dtype(kind))
            for i, row in enumerate(rows):
                ragged[i] = np.asarray(row, kind)
        file["labels"] = np.asarray(labels, np.uint16)
        file["extra/keys"] = np.array(words, "S")
        if speakers is not None:
            file["extra/speaker"] = np.asarray(speakers, np.uint16)


def clips(count: int, seed: int, classes: int = 3) -> tuple[list, list, list[int], list[int]]:
    rng = np.random.default_rng(seed)
    times = [np.sort(rng.uniform(0.05, 1.0, rng.integers(20, 60))) for _ in range(count)]
    units = [rng.integers(0, 700, len(row)) for row in times]
    return times, units, [i % classes for i in range(count)], [i % 4 for i in range(count)]
