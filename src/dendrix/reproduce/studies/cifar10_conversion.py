"""What conversion to spikes costs and gives on CIFAR-10: a small VGG converted in several ways, beside SpikingJelly's, and stopped early.

Our own study, of no paper. A folder holds the trainings, the converted networks and what they answered; what is there is not made again,
so a study that was stopped goes on where it was, and trainings made elsewhere can be put into its folder `runs`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ... import exits
from ...core.files import read_json, write_atomic, write_json
from ...plot import save_figure
from ..claim import Checked
from .conversion_drawings import draw_routes
from .conversion_exits import BEST, SETTINGS, clocked, fitted
from .conversion_page import check, page
from .conversion_records import Measured, measure, measure_other
from .conversion_results import LENGTHS, results

if TYPE_CHECKING:
    from ...data import ImageDataset, Splits
    from ...models import Converted

SEEDS = (0, 1, 2)
QCFS, RELU = "cifar10-qcfs-vgg-small", "cifar10-qcfs-vgg-small:relu"
TEST_STEPS, VALID_STEPS = 32, 16
_CALIBRATION = 500
"""Training images that thresholds are measured on, and validation images on which layers are compared."""
_TIMED = 1280
"""Test images that are timed."""


@dataclass(frozen=True)
class Route:
    """One way from a trained network to spikes."""

    name: str
    recipe: str
    neuron: Literal["if", "signed"] | None
    """None of SpikingJelly's converter."""
    like_ours: bool = False
    """Whether SpikingJelly's has a threshold for every channel and membranes that start half full, as ours."""


ROUTES = (
    Route("qcfs-if", QCFS, "if"),
    Route("qcfs-signed", QCFS, "signed"),
    Route("relu-if", RELU, "if"),
    Route("relu-signed", RELU, "signed"),
    Route("relu-spikingjelly", RELU, None),
    Route("relu-spikingjelly-channels", RELU, None, like_ours=True),
)
STOPPED = ROUTES[:2]
"""Those whose images are stopped early."""
PAGE, RESULTS = "conversion-results.md", "conversion.json"


def reproduce(out: Path, epochs: int | None = None) -> list[Checked]:
    """Train and measure what is missing, and write the results and the page into `out`: three hours on one core.

    Args:
        out: the folder.
        epochs: train for so many instead of those of the recipes.
    """
    for seed in SEEDS:
        for recipe in (QCFS, RELU):
            train(recipe, seed, out, epochs)
    return report(out)


def train(name: str, seed: int, out: Path, epochs: int | None = None) -> None:
    """Train one network, unless that is done."""
    from dataclasses import replace

    from ...recipes import find_recipe
    from ...train.command import TrainRun, train_run

    if not _is_trained(_run(name, seed, out)):
        found: Any = find_recipe(name)()
        recipe = replace(found, seed=seed)
        if epochs is not None:
            recipe = replace(recipe, budget=replace(recipe.budget, epochs=epochs))
        train_run(TrainRun(recipe, out=_run(name, seed, out), resume=True, report=False, json=True), name)


def report(out: Path) -> list[Checked]:
    """Measure the networks that are trained, and write the results and the page from all that is measured."""
    found = results(
        originals={
            (name, seed): original(name, seed, out) for name in (QCFS, RELU) for seed in SEEDS if _is_trained(_run(name, seed, out))
        },
        tested=_all_measured("test", ROUTES, out),
        validated=_all_measured("valid", STOPPED, out),
        speeds=[speed(route, steps, out) for route in STOPPED for steps in LENGTHS if _seeds(route, out)],
    )
    write_json(out / RESULTS, found)
    write_atomic(out / PAGE, page(found).encode())
    save_figure(draw_routes(found), out / "images" / "conversion-steps.png")
    if chosen := found["chosen"]:
        route = next(route for route in STOPPED if route.name == chosen["route"])
        _draw_exits(route, chosen["T"], out)
    return check(found)


def _draw_exits(route: Route, steps: int, out: Path) -> None:
    """When the images of the first seed are stopped, and what that is worth."""
    seed = _seeds(route, out)[0]
    policy = _fitted(route, seed, steps, out)
    tested = measured(route, seed, "test", out).first(steps).record
    others = [name for name in ("max-probability", "margin", "entropy") if not isinstance(policy.rule, exits.RULES[name])]
    found = exits.report(policy, tested, others)
    exits.save_report_figure(out / "images" / "conversion-exits.png", found)


def original(name: str, seed: int, out: Path) -> dict[str, float]:
    """The accuracy of a network before conversion, on both splits."""
    from ...data import image_batches
    from ...run_folder.checkpoint import load_checkpoint
    from ...train.metrics import score

    path = out / "records" / f"{name.replace(':', '-')}-{seed}.json"
    if not path.exists():
        model = load_checkpoint(_run(name, seed, out)).model
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {split: score(model, image_batches(getattr(_splits(), split))).accuracy for split in ("valid", "test")})
    return read_json(path)


def measured(route: Route, seed: int, split: Literal["valid", "test"], out: Path) -> Measured:
    """What a converted network answers, and how often it spikes."""
    path = out / "records" / f"{route.name}-{seed}-{split}.npz"
    if not path.exists():
        steps = TEST_STEPS if split == "test" else VALID_STEPS
        data = getattr(_splits(), split)
        path.parent.mkdir(parents=True, exist_ok=True)
        if route.neuron is None:
            measure_other(_spikingjelly(route, seed, out), data, steps).save(path)
        else:
            measure(converted(route, seed, out), data, steps).save(path)
    return Measured.load(path)


def speed(route: Route, steps: int, out: Path) -> dict[str, Any]:
    """How much faster images of the first seed are answered when they are stopped early."""
    from ...data import take_batch

    path = out / "records" / f"{route.name}-speed-{steps}.json"
    if not path.exists():
        seed = _seeds(route, out)[0]
        policy = _fitted(route, seed, steps, out)
        test = _splits().test
        images = take_batch(test, torch.arange(min(_TIMED, len(test)))).x
        write_json(path, {"route": route.name, "seed": seed, **clocked(converted(route, seed, out), images, policy)})
    return read_json(path)


def _fitted(route: Route, seed: int, steps: int, out: Path) -> exits.Policy:
    """The rule that is timed and drawn."""
    setting = next(setting for setting in SETTINGS if setting.name == BEST)
    return fitted(setting, measured(route, seed, "valid", out).first(steps))


def _all_measured(split: Literal["valid", "test"], routes: Sequence[Route], out: Path) -> dict[tuple[str, int], Measured]:
    """All networks that are trained, on one split; SpikingJelly's only if it is installed."""
    from ...bench.peers import versions

    there = [route for route in routes if route.neuron is not None or "SpikingJelly" in versions()]
    return {(route.name, seed): measured(route, seed, split, out) for route in there for seed in _seeds(route, out)}


def _seeds(route: Route, out: Path) -> list[int]:
    return [seed for seed in SEEDS if _is_trained(_run(route.recipe, seed, out))]


def converted(route: Route, seed: int, out: Path) -> "Converted":
    """The spiking network, from its run folder."""
    from ...run_folder.checkpoint import load_checkpoint
    from ...runs.conversion import ConvertRun, convert_run

    folder = out / "converted" / f"{route.name}-{seed}"
    if not folder.exists():
        calibrate: Literal["channel"] | None = "channel" if route.recipe == RELU else None
        asked = ConvertRun(_run(route.recipe, seed, out), TEST_STEPS, route.neuron or "if", calibrate=calibrate, inputs=_CALIBRATION)
        convert_run(asked, folder)
    model: Converted = load_checkpoint(folder).model
    return model


def _spikingjelly(route: Route, seed: int, out: Path) -> Callable[[Tensor, int], Tensor]:
    from ...bench.peers import spikingjelly_converted
    from ...data import take_batch
    from ...run_folder.checkpoint import load_checkpoint

    train = _splits().train
    images = take_batch(train, torch.linspace(0, len(train) - 1, _CALIBRATION).round().long()).x
    return spikingjelly_converted(load_checkpoint(_run(route.recipe, seed, out)).model, list(torch.split(images, 64)), route.like_ours)


@cache
def _splits() -> "Splits[ImageDataset]":
    from ...data import cifar10

    return cifar10()


def _run(name: str, seed: int, out: Path) -> Path:
    return out / "runs" / f"{name.replace(':', '-')}-{seed}"


def _is_trained(run: Path) -> bool:
    return (run / "run.json").exists() and (read_json(run / "run.json").get("progress") or {}).get("stopped") == "finished"
