"""From the outcomes of single trainings of language models to means, and to ratios of pairs that share a seed."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COMPARED = (("spiking", "continuous"), ("inputs", "spiking"), ("inputs", "continuous"), ("pytorch", "spiking"), ("spiking", "gpt2"))
"""Bits per byte of the first over those of the second."""


@dataclass(frozen=True)
class Outcome:
    """What came of one training. Scores are bits per byte."""

    valid: float
    """Of the validation novels, in windows as long as those of the training."""
    test: float
    """Of the test novels, likewise."""
    carried: float | None
    """Of the test novels read in one go; None for a network whose context is bounded."""
    rates: dict[str, float]
    """Spikes per neuron and token, by layer."""
    parameters: int
    tokens: int
    """That it was trained on."""
    seconds: float


def results(known: Mapping[tuple[str, int], Outcome]) -> dict[str, Any]:
    """For each network and each comparison, as plain JSON values; what was not trained is left out."""
    networks: dict[str, dict[int, Outcome]] = {}
    for (name, seed), outcome in known.items():
        networks.setdefault(name, {})[seed] = outcome
    return {
        "networks": {name: _described(cells) for name, cells in networks.items()},
        "ratios": [_ratio(networks, *pair) for pair in COMPARED if networks.get(pair[0], {}).keys() & networks.get(pair[1], {}).keys()],
    }


def _described(cells: Mapping[int, Outcome]) -> dict[str, Any]:
    one = next(iter(cells.values()))
    carried = [cell.carried for cell in cells.values() if cell.carried is not None]
    return {
        "valid": statistics.mean(cell.valid for cell in cells.values()),
        "test": statistics.mean(cell.test for cell in cells.values()),
        "test_sd": statistics.stdev(cell.test for cell in cells.values()) if len(cells) > 1 else None,
        "carried": statistics.mean(carried) if carried else None,
        "rates": {layer: statistics.mean(cell.rates[layer] for cell in cells.values()) for layer in one.rates},
        "parameters": one.parameters,
        "tokens": one.tokens,
        "cells": {str(seed): asdict(cell) for seed, cell in cells.items()},
    }


def _ratio(networks: Mapping[str, Mapping[int, Outcome]], one: str, other: str) -> dict[str, Any]:
    """Over the seeds that both have."""
    seeds = sorted(networks[one].keys() & networks[other].keys())
    test = [networks[one][seed].test / networks[other][seed].test for seed in seeds]
    valid = [networks[one][seed].valid / networks[other][seed].valid for seed in seeds]
    return {
        "compared": f"{one} / {other}",
        "test": statistics.mean(test),
        "test_by_seed": dict(zip(map(str, seeds), test, strict=True)),
        "valid": statistics.mean(valid),
    }
