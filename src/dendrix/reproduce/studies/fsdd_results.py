"""From the outcomes of single trainings to means, and to tests of which delays are better."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .paired import cell_test, clip_test, holm

COMPARED = (("learned", "random"), ("random", "none"), ("learned", "none"), ("axonal", "learned"))
"""The first is expected to be better, but for the last pair, where it is cheaper."""
Key = tuple[str, str, str | None, int]
"""Protocol, delays, held-out speaker and seed."""


@dataclass(frozen=True)
class Outcome:
    """What came of one training."""

    right: str
    """For every test clip, "1" or "0"."""
    valid_accuracy: float
    parameters: int
    seconds: float

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each test clip was right, bool [N]."""
        return np.array([clip == "1" for clip in self.right])

    @property
    def accuracy(self) -> float:
        """Of the test clips."""
        return float(self.hits.mean())


def results(known: Mapping[Key, Outcome]) -> dict[str, Any]:
    """For each protocol, each kind of delays and each comparison, as plain JSON values; what was not trained is left out."""
    found: dict[str, Any] = {}
    for protocol in dict.fromkeys(key[0] for key in known):
        kinds: dict[str, dict[tuple[str | None, int], Outcome]] = {}
        for (name, delays, speaker, seed), outcome in known.items():
            if name == protocol:
                kinds.setdefault(delays, {})[speaker, seed] = outcome
        found[protocol] = {"delays": {name: _described(cells) for name, cells in kinds.items()}, "comparisons": _comparisons(kinds)}
    return found


def _described(cells: Mapping[tuple[str | None, int], Outcome]) -> dict[str, Any]:
    accuracy = [outcome.accuracy for outcome in cells.values()]
    one = next(iter(cells.values()))
    return {
        "accuracy": statistics.mean(accuracy),
        "sd": statistics.stdev(accuracy) if len(accuracy) > 1 else None,
        "valid_accuracy": statistics.mean(outcome.valid_accuracy for outcome in cells.values()),
        "parameters": one.parameters,
        "cells": [
            {"speaker": speaker, "seed": seed, "clips": outcome.hits.size, "accuracy": outcome.accuracy}
            for (speaker, seed), outcome in cells.items()
        ],
    }


def _comparisons(kinds: Mapping[str, Mapping[tuple[str | None, int], Outcome]]) -> list[dict[str, Any]]:
    """Every comparison over the cells that both kinds have, corrected for making several."""
    compared: dict[str, dict[str, Any]] = {}
    for better, worse in COMPARED:
        pairs = [(kinds[better][cell], kinds[worse][cell]) for cell in kinds.get(better, {}) if cell in kinds.get(worse, {})]
        if pairs:
            differences = [one.accuracy - other.accuracy for one, other in pairs]
            only_one, only_other, by_clips = clip_test(*(np.concatenate([pair[i].hits for pair in pairs]) for i in (0, 1)))
            compared[f"{better} - {worse}"] = {
                "difference": statistics.mean(differences),
                "cells": len(pairs),
                "cells_better": sum(difference > 0 for difference in differences),
                "clips_only": [only_one, only_other],
                "p_cells": cell_test(differences),
                "p_clips": by_clips,
            }
    for test in ("p_cells", "p_clips"):
        for name, p in holm({name: one[test] for name, one in compared.items()}).items():
            compared[name][f"{test}_holm"] = p
    return [{"compared": name, **one} for name, one in compared.items()]
