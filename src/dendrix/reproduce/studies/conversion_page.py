"""Page, figure and checks of the conversion study."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...plot import COLOURS, new_axis
from ..claim import Checked
from ..study import Results
from .conversion_exits import BATCH, BEST, GOAL, PLAIN

STEPS = (1, 2, 4, 8, 16, 32)
_TITLES = {
    "qcfs-signed": "QCFS, signed neurons",
    "qcfs-if": "QCFS, integrate-and-fire",
    "relu-signed": "ReLU, calibrated, signed neurons",
    "relu-if": "ReLU, calibrated, integrate-and-fire",
    "relu-spikingjelly-channels": "ReLU, SpikingJelly, a threshold per channel",
    "relu-spikingjelly": "ReLU, SpikingJelly, a threshold per layer",
}
"""Of the routes, in the order of the colours of the figure."""
_HALF_THE_STEPS, _TWICE_AS_FAST = 0.5, 2


def check(found: Results) -> list[Checked]:
    """Check the goals of early exits: the guarantee holds on test images, half of the steps are saved, and the time is halved."""
    checked = []
    for one in found["stopped"]:
        rule, where = one["settings"][BEST], f"{one['route']}, T = {one['T']}"
        drop, lost, cut = (rule[name]["mean"] for name in ("drop", "lost", "cut"))
        checked.append(_checked(where, "drop of accuracy, at most", f"{GOAL.eps:.1%}", drop, drop <= GOAL.eps))
        checked.append(_checked(where, "lost because of the early exit, at most", f"{GOAL.eps:.1%}", lost, lost <= GOAL.eps))
        checked.append(_checked(where, "share of steps saved, at least", f"{_HALF_THE_STEPS:.0%}", cut, cut >= _HALF_THE_STEPS))
    for one in found["speeds"]:
        where, faster = f"{one['route']}, T = {one['T']}", max(one["compact"], one["refill"])
        says = f"speed-up at batch {BATCH}, at least"
        checked.append(_checked(where, says, f"{_TWICE_AS_FAST}", faster, faster >= _TWICE_AS_FAST))
    return checked


def _checked(where: str, says: str, goal: str, computed: float, reached: bool) -> Checked:
    verdict = "reached" if reached else "not reached"
    return Checked(where, says, goal, f"{where}: {says} {goal}", computed, verdict, "our own goal", passed=reached)


_INTRODUCTION = """# Accuracy, early exits and speed of converted networks

CIFAR-10 with a small VGG of six convolutions (8.7 million multiply-adds per image), trained for 24 epochs with QCFS activations (L = 4)
and, for comparison, with ReLU. The test set is the 5,000 public test images of the JPEG pack. About 30 epochs and a ResNet-18 on a GPU were
planned; two shared cores had time for 24 epochs, and the recipe `cifar10-qcfs-resnet18` has no result. The neuron, T and the exit rules
were chosen on the 5,000 validation images, which also chose the epoch; no test image was used for a choice. The command
`dendrix reproduce cifar10-conversion` trains and measures what is missing and writes this page.

Means over seeds, ± standard deviation over seeds if there are several.

"""
_ROUTES = """
## Accuracy by steps

*Calibrated* networks are the ReLU networks with a threshold per channel that was measured on 500 training images, without training.
SpikingJelly 2.0 converts the same networks with the same images and the same quantile (`RateCodingRecipe`, 99.9 %): with a threshold per
layer, its default, and with a threshold per channel and membranes that start at half the threshold, as here.

"""
_EXITS = f"""
## Early exits

Exit rules with a guarantee: each rule is fitted to validation images such that, with probability {1 - GOAL.delta:.0%}, at most
{GOAL.eps:.1%} of all images are classified wrongly because of the early exit. *Lost* is this share on the test images. *Drop* is the loss
of accuracy: *lost* minus the share of images that only the early answer classifies correctly. The guarantee is valid for images
distributed like the validation images, which are slightly easier than the test images (see the accuracies above). *Fixed T at this mean*
is the accuracy if all images exit after this number of steps, interpolated between whole steps. "{BEST.capitalize()}" chose its rule among
Dynamic Confidence, margin and entropy on a part of the validation images. The oracle exits at the first correct answer; an image without
a correct answer takes all steps.
"""
_SPEED = f"""
## Speed

The rule "{BEST}" at batch {BATCH} on one thread, encoding included, relative to all T steps in one call; medians of interleaved rounds.
*Ideal* is T / mean steps. `wait` runs each batch until its slowest image exits, and saves little time. `compact` removes images after
their exit, `refill` replaces them by the next images.

| network | T | mean steps | ideal | wait | compact | refill | all steps, one by one | ms per image, all steps |
|---|---|---|---|---|---|---|---|---|
"""
_GOALS = f"""
## Goals

Of "{BEST}", means over seeds.

| network | goal | measured | verdict |
|---|---|---|---|
"""


def page(found: Results) -> str:
    """The results as Markdown."""
    parts = [_INTRODUCTION, "| network | validation | test | seeds |\n|---|---|---|---|\n"]
    parts += [f"| {name} | {_share(one['valid'])} | {_share(one['test'])} | {_seeds(one)} |\n" for name, one in found["originals"].items()]
    heads = [f"T = {steps}" for steps in STEPS]
    parts += [_ROUTES, f"| network | {' | '.join(heads)} | spikes per image and step | seeds |\n|---{'|---' * (len(heads) + 2)}|\n"]
    parts += [_route(name, one) for name, one in found["routes"].items()]
    parts += ["\n![Accuracy against T for every conversion](images/conversion-steps.png)\n", _EXITS]
    if chosen := found["chosen"]:
        parts.append(
            f"\nChosen on validation images: **{_TITLES[chosen['route']]}** and **T = {chosen['T']}**, the fewest steps within 0.2 points "
            "of the best accuracy. The figure shows the first seed.\n\n"
            "![Accuracy against mean steps, and distribution of the exits](images/conversion-exits.png)\n"
        )
    parts += [_guarantee(found["stopped"]), *map(_stopped, found["stopped"])]
    if found["speeds"]:
        parts += [_SPEED, *map(_speed, found["speeds"])]
    return "".join([*parts, _GOALS, *map(_goal, check(found))])


def draw_routes(found: Results) -> Any:
    """Accuracy against T of every conversion, means over seeds, and of the networks before conversion."""
    figure, axis = new_axis("Accuracy by number of steps", "steps T", "test accuracy, %")
    figure.set_size_inches(8.0, 4.2)
    for colour, (name, title) in zip((COLOURS[2], COLOURS[1], *COLOURS[3:]), _TITLES.items(), strict=True):
        if one := found["routes"].get(name):
            values = [100 * one[f"T={steps}"]["mean"] for steps in STEPS]
            axis.plot(STEPS, values, "o-", color=colour, linewidth=2, markersize=4, label=title)
    for style, (name, one) in zip(("--", ":"), found["originals"].items(), strict=False):
        before = "ReLU" if name.endswith(":relu") else "QCFS"
        axis.axhline(100 * one["test"]["mean"], color=COLOURS[0], linestyle=style, label=f"{before} before conversion")
    axis.set_xscale("log", base=2)
    axis.set_xticks(STEPS, list(map(str, STEPS)))
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _route(name: str, one: Results) -> str:
    shares = " | ".join(_share(one[f"T={steps}"]) for steps in STEPS)
    last = f"spikes at T={STEPS[-1]}"
    spikes = f"{one[last]['mean'] / STEPS[-1]:,.0f}" if last in one else "not counted"
    return f"| {_TITLES[name]} | {shares} | {spikes} | {_seeds(one)} |\n"


def _guarantee(stopped: Sequence[Results]) -> str:
    """The share of rules that lost more on the test images than guaranteed."""
    lost = [value for one in stopped for figures in one["settings"].values() if "lost" in figures for value in figures["lost"]["values"]]
    more = [value for value in lost if value > GOAL.eps]
    worst = f" (at most {max(more):.2%})" if more else ""
    return (
        f"\nOf all {len(lost)} fitted rules (one per row, T, network and seed), {len(more)} lost more than {GOAL.eps:.1%} of the test "
        f"images{worst}; the guarantee allows this for {GOAL.delta:.0%} of the rules.\n"
    )


def _goal(one: Checked) -> str:
    measured = f"{one.computed:.2%}" if one.published.endswith("%") else f"{one.computed:.2f}"
    return f"| {one.where} | {one.says} {one.published} | {measured} | {one.verdict} |\n"


def _stopped(one: Results) -> str:
    """The table of one network and T."""
    lines = [
        f"\n### {_TITLES[one['route']]}, T = {one['T']}\n\n",
        "| rule | accuracy | drop | lost | mean steps | steps saved | spikes per image | fixed T at this mean |\n",
        "|---|---|---|---|---|---|---|---|\n",
    ]
    for name, figures in one["settings"].items():
        cells = [
            f"**{name}**" if name in (PLAIN, BEST) else name,
            _share(figures["accuracy"]),
            _share(figures.get("drop"), 2),
            _share(figures.get("lost"), 2),
            _number(figures["steps"]),
            _share(figures.get("cut")),
            f"{figures['spikes']['mean']:,.0f}" if "spikes" in figures else "",
            _share(figures.get("fixed_at_same_mean")),
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def _speed(one: Results) -> str:
    ratios = " | ".join(f"{one[name]:.2f}" for name in ("ideal", "wait", "compact", "refill", "step by step"))
    return f"| {_TITLES[one['route']]} | {one['T']} | {one['steps']:.2f} | {ratios} | {one['ms_per_image']:.1f} |\n"


def _share(value: Mapping[str, Any] | None, digits: int = 1) -> str:
    if value is None:
        return ""
    return f"{value['mean']:.{digits}%}" + ("" if value["sd"] is None else f" ± {100 * value['sd']:.{digits}f}")


def _number(value: Mapping[str, Any]) -> str:
    return f"{value['mean']:.2f}" + ("" if value["sd"] is None else f" ± {value['sd']:.2f}")


def _seeds(one: Results) -> str:
    return str(len(one["seeds"]))
