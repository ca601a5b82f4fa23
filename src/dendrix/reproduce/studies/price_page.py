"""The page of the study of the price of spikes: its plan, its tables and its figure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...plot import COLOURS, QUIET, save_figure
from ...plot.style import dress, new_figure
from ..study import Results
from .price_arms import ARMS, CONTROL, GAIN, HELD, LADDER, LARGE, MARGIN, MORE, REFERENCE, SCREENING, SEEDS, SPARSER, TEACHER

RATIO, ACTIVE = 1.035, 0.11
"""Goals: bits per byte over those of the continuous twin, and spikes per neuron and token."""

_INTRODUCTION = f"""# Price of spikes

How many bits does a language model lose if the inputs of its matrix products are spikes, and what wins them back? The
[text study](text-results.md) measured 12.6 % at 13.3 % active inputs. The goal is at most {100 * (RATIO - 1):.1f} % at no more than
{100 * ACTIVE:.0f} %.
`dendrix reproduce price-of-spikes` runs all trainings and writes this page. If it is stopped, the same command continues it.

## Plan

All networks read the same bytes of novels in the same order. Nothing is chosen on a test novel.

| stage | networks | trainings | tokens of each | hours of one core |
|---|---|---|---|---|
| screening | every arm below, 1.1 million parameters | two learning rates (baselines: three), one seed | 0.6 million | 1.1 |
| ladder | survivors, one more in each rung, and all to compare with | three seeds | 2.5 million | 4.5 |
| large | continuous, the same with a teacher, `inputs` and the last rung, 4.2 million parameters | three seeds | 9.8 million | 11 |

The hours are estimates: a step of 8 windows of 256 bytes takes about a quarter of a second of one core, in every arm: also with spikes of
both signs, spike counts, a decay for every step and local attention, which takes a fifth more. The screening takes one learning rate of all
arms after the other; the better one on validation bytes counts.

**Rule for dropping arms, written before the first training.** An arm is trained further if it needs at least {100 * GAIN:.1f} % fewer
bits per validation byte than the arm that it changes, at no more spikes (up to {100 * MORE:.0f} % more); or at least
{100 * (1 - SPARSER):.0f} % fewer spikes at no more bits (up to {100 * MARGIN:.1f} % more). The ladder adds the survivors one by one, the
one with the fewest bits first and the one that holds the rate last; the learning rate of a rung is that of the arm that it adds. Of
survivors that set the same field, such as two surrogates, only the better one is added.

Spike counts raise the rate, so the rule can judge them at the same rate only: `counts-held` and `counts-4-held` are compared with `held`.
These arms and the two with separate neurons were added when most of the others were known, which is to say that they were chosen by the
validation bytes, too.

`long` and `pieces` change how the text is read, and the continuous network gains from that as well, so each is compared with its own
control. They were trained last and are not in the ladder, whose networks all read the same tokens.

Each arm is a field of the configuration, so it can be trained alone, for example `dendrix train spikegpt-small:inputs
--model.neurons.decays` or `--loss.rate {HELD}`. The defaults are the published network. Some arms change nothing that the network can
express, only how it learns: a surrogate, and a threshold or amplitude before a product, which fold into the norm and the matrix around it.
Two arms add parameters, 1.4 % (a decay that depends on the data) and 5.8 % (local attention). What they win may have nothing to do
with spikes, so the continuous network gets them too, as controls, and so it gets the predictions of its twin; the twin in the ladder
remains the one without. The second product of
the decay has 16 inputs that are numbers, and local attention multiplies queries, keys and values where its gates fire: neither is a
spike, and both are counted in the energy. The rate of spikes is that of the inputs of products; gates are no such inputs, and their own
rate is in the record of a run.
`inputs` itself is the arm that moves the residual connection: its neurons read the stream, and the stream is a sum of numbers and not of
spikes.
"""
_SCREENING = """
## Screening

{trained} of {all} trainings are complete: {steps} steps each, one seed, bits per byte of the first 100,000 bytes of the validation novels.
These networks are far from converged, and one seed tells little of differences below about a percent; this table selects and proves
nothing.

| arm | change | validation | at the rate | spikes per neuron and token | over its reference | |
|---|---|---|---|---|---|---|
"""
_LADDER = """
## {title}

| network | test, mean ± deviation | over the twin | validation | spikes | nJ per token | without memory | tokens/s | seeds |
|---|---|---|---|---|---|---|---|---|
"""
_UNITS = """
Bits per byte are those of the first 50,000 bytes of each novel, in windows as in training that overlap by half. The twin is the
continuous network of the same seed. Energy is estimated for 45 nm on validation text; spike counts are as many
spikes. Tokens per second are those of one text on one core in int8, by processor time. Networks of other kinds are not metered.
A network whose int8 weights do not fit into 1 MB reads them from DRAM, for about twenty times the energy.

Learning rates were chosen in trainings of a quarter of these steps. For `spiking` the choice was not a good one: the same network needs
fewer bits after as many steps at the lower rate of [the text study](text-results.md), so the distance from it is overstated here.
"""


def page(found: Results) -> str:
    """Return the results as Markdown."""
    parts = [_INTRODUCTION, *_screening(found)]
    for stage, title in ((LADDER, "Ladder"), (LARGE, "Large networks")):
        if found[stage.name]:
            parts += [_LADDER.format(title=title), *(_rung(name, one) for name, one in found[stage.name].items())]
    if found[LADDER.name]:
        parts += [_UNITS, *_goals(found)]
    if found["best"]:
        parts.append("\n![Bits per byte against spikes](images/price-of-spikes.png)\n")
    return "".join([*parts, *_missing(found)])


def _screening(found: Results) -> Iterator[str]:
    every = sum(len(arm.rates) for arm in ARMS.values())
    best = found["best"]
    yield _SCREENING.format(trained=sum(map(len, found["screening"].values())), all=every, steps=SCREENING.steps)
    for name, arm in ARMS.items():
        one = best.get(name)
        if one is None:
            yield f"| {name} | {arm.says} | not yet trained | | | | |\n"
            continue
        tried = len(found["screening"][name])
        lr = f"{one['lr']:g}" + ("" if tried == len(arm.rates) else f", {tried} of {len(arm.rates)} tried")
        spikes = "" if one["rate"] is None else f"{one['rate']:.1%}"
        reference = best.get(arm.of)
        over = "" if reference is None else f"{one['valid'] / reference['valid'] - 1:+.1%}"
        verdict = "" if not arm.of or arm.reads or not found["complete"] else "kept" if name in found["survivors"] else "dropped"
        yield f"| {name} | {arm.says} | {one['valid']:.3f} | {lr} | {spikes} | {over} | {verdict} |\n"
    controls = {REFERENCE: TEACHER} | {name: f"{TEACHER}-{name}" for name, arm in ARMS.items() if arm.reads and arm.of == REFERENCE}
    if all({name, control} <= best.keys() for name, control in controls.items()):
        costs = [f"{100 * (best[name]['valid'] / best[control]['valid'] - 1):+.1f} % (`{name}`)" for name, control in controls.items()]
        yield f"\nSpikes before every product over the network without spikes that reads in the same way: {', '.join(costs)}.\n"


def _rung(name: str, one: Results) -> str:
    deviation = "" if one["test_sd"] is None else f" ± {one['test_sd']:.3f}"
    over = "" if one["ratio"] is None else f"{one['ratio']:.3f}"
    spikes = "" if one["rate"] is None else f"{one['rate']:.1%}"
    energy = [_number(one[key], ".1f") for key in ("energy_nj", "operations_nj")]
    cells = [name, f"{one['test']:.3f}{deviation}", over, f"{one['valid']:.3f}", spikes, *energy, _number(one["decoded"], ",.0f")]
    return f"| {' | '.join(cells)} | {len(one['cells'])} |\n"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _goals(found: Results) -> Iterator[str]:
    yield "\n## Goals\n\n| stage | network | bits over the continuous twin | spikes per neuron and token |\n|---|---|---|---|\n"
    for stage in (LADDER, LARGE):
        for name, one in found[stage.name].items():
            if name.startswith(REFERENCE) and one["ratio"] is not None:
                yield f"| {stage.name} | {name} | {_judged(one['ratio'], RATIO, '.4f')} | {_judged(one['rate'], ACTIVE, '.1%')} |\n"
    for stage in (LADDER, LARGE):
        networks = found[stage.name]
        rungs = [one["cells"] for name, one in networks.items() if name.startswith(REFERENCE)]
        if CONTROL in networks and rungs:
            taught = networks[CONTROL]["cells"]
            ratios = [outcome["test"] / taught[seed]["test"] for seed, outcome in rungs[-1].items() if seed in taught]
            yield (
                f"\nOver the continuous network that had a teacher as well, `{CONTROL}`, the last rung of the stage {stage.name} needs "
                f"{100 * (sum(ratios) / len(ratios) - 1):+.1f} % bits (seeds: {len(ratios)}).\n"
            )


def _judged(value: float, goal: float, form: str) -> str:
    return f"{value:{form}}, at most {goal:{form}}: {'reached' if value <= goal else 'missed'}"


def _missing(found: Results) -> Iterator[str]:
    stages = [stage.name for stage in (LADDER, LARGE) if not found[stage.name]]
    missing = []
    if not found["complete"]:
        missing.append("The screening is not complete, so no arm has been dropped and no ladder has been trained.")
    elif stages:
        missing.append(f"Not yet trained: {' and '.join(stages)}.")
    few = {stage.name: sum(len(one["cells"]) < len(SEEDS) for one in found[stage.name].values()) for stage in (LADDER, LARGE)}
    missing += [
        f"{count} networks of the stage {stage} have fewer than {len(SEEDS)} seeds, so small differences between them are not certain."
        for stage, count in few.items()
        if count
    ]
    if missing:
        yield "".join(["\n## Not done\n\n", *(f"- {what}\n" for what in missing)])


def draw(found: Results, out: Path) -> None:
    """Draw bits per byte against spikes and against the speed of decoding; the screening, without speeds, as long as there is no ladder.

    Of the screening, only arms that are trained further have names.
    """
    bits = "test" if found[LADDER.name] else "valid"
    networks = found[LADDER.name] or found["best"]
    named = found[LADDER.name] or [*found["survivors"], *(name for name, arm in ARMS.items() if not arm.of)]
    shown: tuple[tuple[str, str, dict[str, float | None]], ...] = (
        (
            "Bits against spikes",
            "spikes per neuron and token, %",
            {name: one["rate"] and 100 * one["rate"] for name, one in networks.items()},
        ),
        ("Bits against speed", "tokens decoded in a second, int8", {name: one.get("decoded") for name, one in networks.items()}),
    )
    panels = [panel for panel in shown if any(value is not None for value in panel[2].values())]
    if not panels:
        return
    figure = new_figure(6.4 * len(panels), 4.4)
    for axis, (title, label, values) in zip(figure.subplots(1, len(panels), squeeze=False, sharey=True)[0], panels, strict=True):
        dress(axis, title, label, f"bits per byte, {'test' if bits == 'test' else 'validation'}")
        _goal(axis, networks.get(TEACHER), bits)
        known = {name: value for name, value in values.items() if value is not None}
        for name, value in known.items():
            axis.plot(value, networks[name][bits], "o", color=COLOURS[1 if name == "spiking" else 2])
        middle = sum(axis.get_xlim()) / 2
        for name in (name for name in known if name in named):
            side, shift = ("left", 4) if known[name] < middle else ("right", -4)
            place = dict(fontsize=8, xytext=(shift, 4), textcoords="offset points", horizontalalignment=side)
            axis.annotate(name, (known[name], networks[name][bits]), **place)
        axis.legend(frameon=False)
    figure.axes[0].axvline(100 * ACTIVE, color=QUIET, linestyle="--")
    save_figure(figure, out / "images" / "price-of-spikes.png")


def _goal(axis: Any, twin: Results | None, bits: str) -> None:
    if twin is not None:
        axis.axhline(twin[bits], color=QUIET, label=TEACHER)
        axis.axhline(twin[bits] * RATIO, color=QUIET, linestyle="--", label=f"{RATIO - 1:.1%} more, the goal")
