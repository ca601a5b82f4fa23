"""The page of the conversion study, and what of it is a finding."""

from typing import Any

from ..claim import Checked
from .conversion_exits import BATCH, BEST, GOAL, PLAIN
from .conversion_results import STEPS

_TITLES = {
    "qcfs-if": "QCFS, integrate-and-fire",
    "qcfs-signed": "QCFS, signed neurons",
    "relu-if": "ReLU, calibrated, integrate-and-fire",
    "relu-signed": "ReLU, calibrated, signed neurons",
    "relu-spikingjelly": "ReLU, SpikingJelly, a threshold per layer",
    "relu-spikingjelly-channels": "ReLU, SpikingJelly, a threshold per channel",
}
_INTRODUCTION = """# What conversion to spikes costs and gives

CIFAR-10, a small VGG with six convolutions (8.7 million multiply-adds per image), trained for 24 epochs with QCFS (L = 4) and, as
its twin, with plain ReLU; tested on the 5,000 public test images of the JPEG pack. Our plan was about 30 epochs, and a ResNet-18 where
there is a GPU: 24 are what two shared cores had time for, and of `cifar10-qcfs-resnet18` there is the recipe and no result.
`dendrix reproduce cifar10-conversion` trains and measures what is missing and writes this page. Nothing was chosen on test images:
neurons, T and exit rules were chosen on the 5,000 validation images, which also chose the epoch.

Means over seeds, ± the standard deviation over seeds where there are several.

"""
_ROUTES = """
## Accuracy by steps

*Calibrated* networks are the ReLU twins with a threshold for every channel, measured on 500 training images and not trained.
SpikingJelly 2.0 has the same weights, images and quantile (`RateCodingRecipe`, 99.9 %): per layer, its default, and per channel with
half-full membranes, as here.

"""
_EXITS = f"""
## Stopped early

Exit rules with a guarantee: fitted to validation images so that, with probability {1 - GOAL.delta:.0%}, at most {GOAL.eps:.1%} of all
images are answered wrongly because they were stopped. *Lost* is that share on the test images; *drop* is what remains of it when the
images are subtracted that only the early answer has right. The promise is about images like those for validation, which are a little
easier than those for testing: see their accuracies above. *Fixed T at this mean* is the accuracy of stopping all images after so many
steps, between whole steps by a draw. "{BEST.capitalize()}" chose its rule among Dynamic Confidence, margin and entropy on a part of the
validation images. The oracle stops each image when it is first right; one that is never right costs all steps.
"""
_SPEED = f"""
## On the clock

The rule "{BEST}" at batch {BATCH} on one thread, encoding included, against all T steps in one call; medians of interleaved
rounds. *Ideal* is T / mean steps. A batch that waits for its slowest image saves little; `compact` drops finished images, `refill` puts
the next ones in their place.

| network | T | mean steps | ideal | wait | compact | refill | all steps, one by one | ms per image, all steps |
|---|---|---|---|---|---|---|---|---|
"""

_GOALS = f"""
## What was reached

Of "{BEST}", means over seeds.

| network | goal | measured | |
|---|---|---|---|
"""


def page(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    parts = [_INTRODUCTION, "| network | validation | test | seeds |\n|---|---|---|---|\n"]
    parts += [f"| {name} | {_share(one['valid'])} | {_share(one['test'])} | {_seeds(one)} |\n" for name, one in found["originals"].items()]
    heads = [f"T = {steps}" for steps in STEPS]
    parts += [_ROUTES, f"| network | {' | '.join(heads)} | spikes per image and step | seeds |\n|---{'|---' * (len(heads) + 2)}|\n"]
    parts += [_route(name, one) for name, one in found["routes"].items()]
    parts += ["\n![Accuracy against T for every way to convert](images/conversion-steps.png)\n", _EXITS]
    if chosen := found["chosen"]:
        parts.append(
            f"\nOn validation images the choice fell on **{_TITLES[chosen['route']]}** and **T = {chosen['T']}**: "
            "of what is at most 0.2 points below the best accuracy, the fewest steps. The figure is of its first seed.\n\n"
            "![Accuracy against mean steps, and when images are stopped](images/conversion-exits.png)\n"
        )
    parts += [_promise(found["stopped"]), *map(_stopped, found["stopped"])]
    if found["speeds"]:
        parts += [_SPEED, *map(_speed, found["speeds"])]
    return "".join([*parts, _GOALS, *map(_goal, check(found))])


def check(found: dict[str, Any]) -> list[Checked]:
    """The goals of early stopping as findings: half the steps, half the time, and no drop above what was certified."""
    checked = []
    for one in found["stopped"]:
        stopped = one["settings"][BEST]
        where = f"{one['route']}, T = {one['T']}"
        drop, lost, cut = (stopped[name]["mean"] for name in ("drop", "lost", "cut"))
        checked.append(_checked(where, "drop of accuracy, at most", f"{GOAL.eps:.1%}", drop, drop <= GOAL.eps))
        checked.append(_checked(where, "wrong only because of the stop, at most", f"{GOAL.eps:.1%}", lost, lost <= GOAL.eps))
        checked.append(_checked(where, "share of steps saved, at least", "50%", cut, cut >= 0.5))
    for one in found["speeds"]:
        where, faster = f"{one['route']}, T = {one['T']}", max(one["compact"], one["refill"])
        checked.append(_checked(where, f"times faster at batch {BATCH}, at least", "2", faster, faster >= 2))
    return checked


def _checked(where: str, says: str, goal: str, computed: float, reached: bool) -> Checked:
    return Checked(where, says, goal, "measured", computed, "reached" if reached else "not reached", "our own goal", passed=True)


def _route(name: str, one: dict[str, Any]) -> str:
    shares = " | ".join(_share(one[f"T={steps}"]) for steps in STEPS)
    last = f"spikes at T={STEPS[-1]}"
    spikes = f"{one[last]['mean'] / STEPS[-1]:,.0f}" if last in one else "not counted"
    return f"| {_TITLES[name]} | {shares} | {spikes} | {_seeds(one)} |\n"


def _promise(stopped: list[dict[str, Any]]) -> str:
    """How often the test images did not keep what was promised."""
    lost = [value for one in stopped for figures in one["settings"].values() if "lost" in figures for value in figures["lost"]["values"]]
    more = [value for value in lost if value > GOAL.eps]
    worst = f", at most {max(more):.2%}" if more else ""
    return (
        f"\nOf all {len(lost)} fitted rules, one for each row, T, network and seed, {len(more)} lost more than {GOAL.eps:.1%} of the test "
        f"images{worst}; up to {GOAL.delta:.0%} of them may.\n"
    )


def _goal(one: Checked) -> str:
    measured = f"{one.computed:.2%}" if one.published.endswith("%") else f"{one.computed:.2f}"
    return f"| {one.where} | {one.says} {one.published} | {measured} | {one.verdict} |\n"


def _stopped(one: dict[str, Any]) -> str:
    """The table of one network and T."""
    settings = one["settings"]
    lines = [
        f"\n### {_TITLES[one['route']]}, T = {one['T']}\n\n",
        "| rule | accuracy | drop | lost | mean steps | steps saved | spikes per image | fixed T at this mean |\n",
        "|---|---|---|---|---|---|---|---|\n",
    ]
    for name, figures in settings.items():
        shown = f"**{name}**" if name in (PLAIN, BEST) else name
        cells = [
            _share(figures["accuracy"]),
            _share(figures.get("drop"), 2),
            _share(figures.get("lost"), 2),
            _number(figures["steps"]),
            _share(figures.get("cut")),
            f"{figures['spikes']['mean']:,.0f}" if "spikes" in figures else "",
            _share(figures.get("fixed_at_same_mean")),
        ]
        lines.append(f"| {shown} | {' | '.join(cells)} |\n")
    return "".join(lines)


def _speed(one: dict[str, Any]) -> str:
    ratios = " | ".join(f"{one[name]:.2f}" for name in ("ideal", "wait", "compact", "refill", "step by step"))
    return f"| {_TITLES[one['route']]} | {one['T']} | {one['steps']:.2f} | {ratios} | {one['ms_per_image']:.1f} |\n"


def _share(value: dict[str, Any] | None, digits: int = 1) -> str:
    if value is None:
        return ""
    return f"{value['mean']:.{digits}%}" + ("" if value["sd"] is None else f" ± {100 * value['sd']:.{digits}f}")


def _number(value: dict[str, Any]) -> str:
    return f"{value['mean']:.2f}" + ("" if value["sd"] is None else f" ± {value['sd']:.2f}")


def _seeds(one: dict[str, Any]) -> str:
    return str(len(one["seeds"]))
