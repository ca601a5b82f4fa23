"""Accuracy, early exits and speed of converted networks on CIFAR-10, beside SpikingJelly's converter; a study of this project.

Cells are the trainings, the conversions of each trained network, and the measurements of speed. Converted networks are kept in the folder
`converted` of the study and their recorded outputs in `records`; files that exist are not computed again.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ... import exits
from ...bench.peers import spikingjelly_converted, versions
from ...data import ImageDataset, Splits, image_batches, take_batch
from ...models import Converted
from ...plot import save_figure
from ...recipes import find_recipe
from ...run_folder.checkpoint import load_checkpoint
from ...runs.conversion import ConvertRun, convert_run
from ...train.metrics import score
from ..study import RUNS, Cell, Results, Study
from .conversion_exits import BEST, SETTINGS, clocked, fitted, stopped_early
from .conversion_page import STEPS, check, draw_routes, page
from .conversion_records import Measured, measure, measure_other

SEEDS = (0, 1, 2)
QCFS, RELU = "cifar10-qcfs-vgg-small", "cifar10-qcfs-vgg-small:relu"
LENGTHS = (8, 16)
"""T of the networks whose images exit early."""
_STEPS = {"test": STEPS[-1], "valid": LENGTHS[-1]}
_CALIBRATION = 500
"""Training images that thresholds are measured on, and validation images on which layers are compared."""
_TIMED = 1280
"""Test images that are timed."""
_NEAR = 0.002
"""Accuracies that differ by no more count as equal when T and the neuron are chosen."""
Key = tuple[str, str, int]
"""Kind of cell ("original", "route" or "speed"), name of recipe or route, and seed, or T of a speed."""


@dataclass(frozen=True)
class Route:
    """A way to convert a trained network."""

    recipe: str
    neuron: Literal["if", "signed"] | None
    """None for SpikingJelly's converter."""
    like_ours: bool = False
    """Whether SpikingJelly's network has a threshold per channel and membranes that start at half the threshold, as ours."""
    early: bool = False
    """Whether exit rules are fitted to it."""


ROUTES = {
    "qcfs-if": Route(QCFS, "if", early=True),
    "qcfs-signed": Route(QCFS, "signed", early=True),
    "relu-if": Route(RELU, "if"),
    "relu-signed": Route(RELU, "signed"),
    "relu-spikingjelly": Route(RELU, None),
    "relu-spikingjelly-channels": Route(RELU, None, like_ours=True),
}


def cells(_: Path) -> list[Cell]:
    """All trainings, conversions and measurements of speed; SpikingJelly's conversions only if it is installed."""
    routes = {name: route for name, route in ROUTES.items() if route.neuron is not None or "SpikingJelly" in versions()}
    trainings = [
        Cell(_run_name(name, seed), ("original", name, seed), _score_original, _recipe(name, seed), name)
        for seed in SEEDS
        for name in (QCFS, RELU)
    ]
    conversions = [
        Cell(f"{name}-{seed}", ("route", name, seed), _score_route, needs=(_run_name(route.recipe, seed),))
        for name, route in routes.items()
        for seed in SEEDS
    ]
    speeds = [
        Cell(f"{name}-speed-{steps}", ("speed", name, steps), _score_speed, needs=(f"{name}-{SEEDS[0]}",))
        for name, route in routes.items()
        if route.early
        for steps in LENGTHS
    ]
    return [*trainings, *conversions, *speeds]


def _run_name(recipe: str, seed: int) -> str:
    return f"{recipe.replace(':', '-')}-{seed}"


def _recipe(name: str, seed: int) -> Any:
    recipe: Any = find_recipe(name)()
    return replace(recipe, seed=seed)


@cache
def _splits(data: Any) -> Splits[ImageDataset]:
    splits: Splits[ImageDataset] = data.load()
    return splits


def _images(recipe: str) -> Splits[ImageDataset]:
    return _splits(_recipe(recipe, 0).data)


def _score_original(cell: Cell, folder: Path) -> Mapping[str, float]:
    """Accuracy of a network before conversion, by split."""
    model, splits = load_checkpoint(folder).model, _images(cell.key[1])
    return {split: score(model, image_batches(getattr(splits, split))).accuracy for split in ("valid", "test")}


def _score_route(cell: Cell, folder: Path) -> Results:
    """Accuracy and spikes by number of steps, and the effect of exit rules for each T."""
    _, name, seed = cell.key
    out = folder.parent.parent
    test = measured(name, seed, "test", out)
    found: Results = {"steps": _by_steps(test)}
    if ROUTES[name].early:
        valid = measured(name, seed, "valid", out)
        found["valid"] = {str(steps): valid.accuracy()[steps - 1] for steps in LENGTHS}
        found["stopped"] = {str(steps): stopped_early(valid.first(steps), test.first(steps)) for steps in LENGTHS}
    return found


def _by_steps(measured: Measured) -> dict[str, float]:
    accuracy = measured.accuracy()
    found = {f"T={steps}": accuracy[steps - 1] for steps in STEPS}
    if measured.spikes is not None:
        spikes = measured.spikes.cumsum(1).double().mean(0)
        found |= {f"spikes at T={steps}": spikes[steps - 1].item() for steps in STEPS}
    return found


def _score_speed(cell: Cell, folder: Path) -> Results:
    """Speed-up of early exits on images of the first seed."""
    _, name, steps = cell.key
    out, seed = folder.parent.parent, SEEDS[0]
    test = _images(ROUTES[name].recipe).test
    images = take_batch(test, torch.arange(min(_TIMED, len(test)))).x
    return {"route": name, "seed": seed, **clocked(converted(name, seed, out), images, _policy(name, seed, steps, out))}


def _policy(name: str, seed: int, steps: int, out: Path) -> exits.Policy:
    """The exit rule that is timed and drawn."""
    return fitted(SETTINGS[BEST], measured(name, seed, "valid", out).first(steps))


def measured(name: str, seed: int, split: Literal["valid", "test"], out: Path) -> Measured:
    """Outputs and spikes of a converted network on a split, recorded once.

    Args:
        name: name of the route.
        seed: seed of the training.
        split: split of the images.
        out: folder of the study.
    """
    path, route = out / "records" / f"{name}-{seed}-{split}.npz", ROUTES[name]
    if not path.exists():
        data, steps = getattr(_images(route.recipe), split), _STEPS[split]
        path.parent.mkdir(parents=True, exist_ok=True)
        if route.neuron is None:
            measure_other(_spikingjelly(route, seed, out), data, steps).save(path)
        else:
            measure(converted(name, seed, out), data, steps).save(path)
    return Measured.load(path)


def converted(name: str, seed: int, out: Path) -> Converted:
    """The spiking network of a route, converted once."""
    folder, route = out / "converted" / f"{name}-{seed}", ROUTES[name]
    if not folder.exists():
        calibrate: Literal["channel"] | None = "channel" if route.recipe == RELU else None
        run = out / RUNS / _run_name(route.recipe, seed)
        convert_run(ConvertRun(run, _STEPS["test"], route.neuron or "if", calibrate=calibrate, inputs=_CALIBRATION), folder)
    model: Converted = load_checkpoint(folder).model
    return model


def _spikingjelly(route: Route, seed: int, out: Path) -> Callable[[Tensor, int], Tensor]:
    train = _images(route.recipe).train
    images = take_batch(train, torch.linspace(0, len(train) - 1, _CALIBRATION).round().long()).x
    model = load_checkpoint(out / RUNS / _run_name(route.recipe, seed)).model
    return spikingjelly_converted(model, list(torch.split(images, 64)), route.like_ours)


def results(known: Mapping[Key, Results]) -> Results:
    """Means and standard deviations over seeds of all figures."""
    kinds: dict[str, dict[str, dict[int, Results]]] = {"original": {}, "route": {}, "speed": {}}
    for (kind, name, number), outcome in known.items():
        kinds[kind].setdefault(name, {})[number] = outcome
    early = {name: seeds for name, seeds in kinds["route"].items() if ROUTES[name].early}
    return {
        "originals": {name: over_seeds(seeds) for name, seeds in kinds["original"].items()},
        "routes": {name: over_seeds({seed: one["steps"] for seed, one in seeds.items()}) for name, seeds in kinds["route"].items()},
        "chosen": _chosen(early),
        "stopped": [
            {"route": name, "T": steps, "settings": _stopped({seed: one["stopped"][str(steps)] for seed, one in seeds.items()})}
            for name, seeds in early.items()
            for steps in LENGTHS
        ],
        "speeds": [one for lengths in kinds["speed"].values() for one in lengths.values()],
    }


def over_seeds(values: Mapping[int, Mapping[str, float]]) -> Results:
    """Mean, standard deviation (None for one seed) and values of every figure."""
    found: Results = {"seeds": list(values)}
    for name in next(iter(values.values())):
        each = [one[name] for one in values.values()]
        found[name] = {"mean": statistics.mean(each), "sd": statistics.stdev(each) if len(each) > 1 else None, "values": each}
    return found


def _stopped(seeds: Mapping[int, Mapping[str, Mapping[str, float]]]) -> Results:
    settings: Iterable[str] = next(iter(seeds.values()))
    return {setting: over_seeds({seed: one[setting] for seed, one in seeds.items()}) for setting in settings}


def _chosen(early: Mapping[str, Mapping[int, Results]]) -> Results | None:
    """Neuron and T by the accuracy of all steps on validation images: of those near the best, the fewest steps."""
    if not early:
        return None
    reached = {
        (name, steps): statistics.mean(one["valid"][str(steps)] for one in seeds.values())
        for name, seeds in early.items()
        for steps in LENGTHS
    }
    best = max(reached.values())
    route, steps = min((key for key, found in reached.items() if found >= best - _NEAR), key=lambda key: (key[1], -reached[key]))
    return {
        "route": route,
        "T": steps,
        "valid_accuracy": [{"route": name, "T": t, "accuracy": found} for (name, t), found in reached.items()],
    }


def _draw(found: Results, out: Path) -> None:
    """Accuracy by steps of all routes, and the exits of the chosen one, of its first seed."""
    save_figure(draw_routes(found), out / "images" / "conversion-steps.png")
    if chosen := found["chosen"]:
        name, steps = chosen["route"], chosen["T"]
        seed = found["routes"][name]["seeds"][0]
        policy = _policy(name, seed, steps, out)
        others = [rule for rule in SETTINGS[BEST].rules if not isinstance(policy.rule, exits.RULES[rule])]
        report = exits.report(policy, measured(name, seed, "test", out).first(steps).record, others)
        exits.save_report_figure(out / "images" / "conversion-exits.png", report)


STUDY = Study("conversion.json", "conversion-results.md", cells, results, page, check, _draw)
reproduce = STUDY.reproduce
