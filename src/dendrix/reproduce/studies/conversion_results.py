"""From what single networks answered to means and deviations over seeds, as plain JSON values."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from .conversion_exits import stopped_early
from .conversion_records import Measured

STEPS = (1, 2, 4, 8, 16, 32)
LENGTHS = (8, 16)
"""T from which images are stopped early."""
_NEAR = 0.002
"""Accuracies that differ by less are taken for equal when T and the neuron are chosen."""
Key = tuple[str, int]
"""Recipe or route, and seed."""


def results(
    originals: Mapping[Key, dict[str, float]],
    tested: Mapping[Key, Measured],
    validated: Mapping[Key, Measured],
    speeds: list[dict[str, Any]],
) -> dict[str, Any]:
    """All figures.

    Args:
        originals: accuracy of each network before conversion, by split.
        tested: each converted network on the test images.
        validated: on the validation images, those that are stopped early.
        speeds: what was timed.
    """
    return {
        "originals": {name: over_seeds({seed: originals[name, seed] for seed in _seeds(originals, name)}) for name in _names(originals)},
        "routes": {name: over_seeds({seed: _by_steps(tested[name, seed]) for seed in _seeds(tested, name)}) for name in _names(tested)},
        "chosen": _chosen(validated),
        "stopped": [
            {"route": name, "T": steps, "settings": _stopped(name, steps, tested, validated)}
            for name in _names(validated)
            for steps in LENGTHS
        ],
        "speeds": speeds,
    }


def over_seeds(values: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """Mean, standard deviation (None of one seed) and the values of every figure."""
    found: dict[str, Any] = {"seeds": list(values)}
    for name in next(iter(values.values())):
        each = [one[name] for one in values.values()]
        found[name] = {"mean": statistics.mean(each), "sd": statistics.stdev(each) if len(each) > 1 else None, "values": each}
    return found


def _by_steps(measured: Measured) -> dict[str, float]:
    accuracy = measured.accuracy()
    found = {f"T={steps}": accuracy[steps - 1] for steps in STEPS}
    if measured.spikes is not None:
        spikes = measured.spikes.cumsum(1).double().mean(0)
        found |= {f"spikes at T={steps}": spikes[steps - 1].item() for steps in STEPS}
    return found


def _chosen(validated: Mapping[Key, Measured]) -> dict[str, Any] | None:
    """Neuron and T by the accuracy of all steps on validation images: of those near the best, the fewest steps."""
    if not validated:
        return None
    reached = {
        (name, steps): statistics.mean(validated[name, seed].accuracy()[steps - 1] for seed in _seeds(validated, name))
        for name in _names(validated)
        for steps in LENGTHS
    }
    best = max(reached.values())
    route, steps = min((key for key, found in reached.items() if found >= best - _NEAR), key=lambda key: (key[1], -reached[key]))
    return {
        "route": route,
        "T": steps,
        "valid_accuracy": [{"route": name, "T": t, "accuracy": found} for (name, t), found in reached.items()],
    }


def _stopped(name: str, steps: int, tested: Mapping[Key, Measured], validated: Mapping[Key, Measured]) -> dict[str, Any]:
    """Every setting over the seeds."""
    found = {seed: stopped_early(validated[name, seed].first(steps), tested[name, seed].first(steps)) for seed in _seeds(validated, name)}
    settings = next(iter(found.values()))
    return {setting: over_seeds({seed: one[setting] for seed, one in found.items()}) for setting in settings}


def _names(keys: Iterable[Key]) -> list[str]:
    return list(dict.fromkeys(name for name, _ in keys))


def _seeds(keys: Iterable[Key], name: str) -> list[int]:
    return [seed for one, seed in keys if one == name]
