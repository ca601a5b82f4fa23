"""The page of the text study, and what of it a repetition must find again."""

from typing import Any

from ..claim import Checked

_INTRODUCTION = """# What spikes cost a small language model

English novels, byte by byte; the books for training, validation and testing differ. `dendrix reproduce spikegpt-small` trains everything
again and writes this page; stopped, it goes on where it was.

Five networks of 1.1 million parameters read the same windows of 256 bytes in the same order for the same number of steps. **spiking** is
SpikeGPT as published, with neurons after each half of a block. **inputs** has neurons before every matrix product of a block instead, so
that all those products see zeros and ones. **continuous** has no neurons. **pytorch** is the first with the weights' start of the released
training; all others begin as its code meant to. **gpt2** is GPT-2 of transformers. Learning rates were chosen on validation bytes, with the
same effort for each, and no choice has seen a test novel. The trainings are short, {megabytes:.1f} million bytes each: the networks are far
from what they would become. GPT-2 learns slowest in so few steps, with a rate of 2e-3 as with 5e-3 (3.52 and 3.50 bits on validation bytes
after 400 of 1,200), so its row says nothing of longer trainings.

## Bits per byte
"""
_TABLE = """
| network | test, mean ± standard deviation | validation | test, read in one go | spikes per neuron and token | parameters | trainings |
|---|---|---|---|---|---|---|
"""
_RATIOS = """
| bits per byte of | ratio, test | of each seed | ratio, validation | goal |
|---|---|---|---|---|
"""
_READING = """
Scores are of the first 50,000 bytes of every validation and test novel, in windows of 256 bytes that overlap by half, as long as those of
the training; read in one go, a recurrent network has all of the text before a byte as its context. A ratio compares two trainings that
share the seed, so the data and their order. Three seeds are few, and one is none to judge luck by: a ratio whose seeds disagree about the
side of 1 is no difference. What is not in the tables has not been trained.
"""
_GOALS = {"spiking / continuous": 1.05, "inputs / spiking": 1.03}
_DOCUMENTED: dict[str, float] = {
    "spiking / continuous": 1.08,
    "inputs / spiking": 1.042,
    "inputs / continuous": 1.126,
    "pytorch / spiking": 1.007,
    "spiking / gpt2": 0.697,
}
"""Ratios as docs/text-results.md has them."""
_TOLERANCE = 0.02
"""What another machine's rounding makes of a few trainings."""


def page(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    megabytes = max((one["tokens"] for one in found["networks"].values()), default=0) / 1e6
    parts = [_INTRODUCTION.format(megabytes=megabytes), _TABLE, *(_row(name, one) for name, one in found["networks"].items())]
    if found["ratios"]:
        parts += [_RATIOS, *map(_ratio, found["ratios"])]
    return "".join([*parts, _READING, *_rates(found["networks"])])


def check(found: dict[str, Any]) -> list[Checked]:
    """Every ratio beside the one of docs/text-results.md, which a repetition must come near."""
    return [_checked(one) for one in found["ratios"]]


def _checked(one: dict[str, Any]) -> Checked:
    documented = _DOCUMENTED.get(one["compared"])
    off = 0.0 if documented is None else one["test"] - documented
    near = abs(off) <= _TOLERANCE
    return Checked(
        where="Bits per byte",
        says=one["compared"],
        published="" if documented is None else f"{documented}",
        call=f"{one['compared']}, {len(one['test_by_seed'])} seeds",
        computed=one["test"],
        verdict="new" if documented is None else f"{'agrees' if near else 'differs'}: {off:+.3f}",
        note=f"tolerance {_TOLERANCE}",
        passed=near,
    )


def _row(name: str, one: dict[str, Any]) -> str:
    over = "" if one["test_sd"] is None else f" ± {one['test_sd']:.3f}"
    carried = "" if one["carried"] is None else f"{one['carried']:.3f}"
    rate = f"{sum(one['rates'].values()) / len(one['rates']):.1%}" if one["rates"] else ""
    return f"| {name} | {one['test']:.3f}{over} | {one['valid']:.3f} | {carried} | {rate} | {one['parameters']:,} | {len(one['cells'])} |\n"


def _ratio(one: dict[str, Any]) -> str:
    goal = _GOALS.get(one["compared"])
    aim = "" if goal is None else f"at most {goal}: {'reached' if one['test'] <= goal else 'missed'}"
    seeds = ", ".join(f"{ratio:.3f}" for ratio in one["test_by_seed"].values())
    return f"| {one['compared']} | {one['test']:.3f} | {seeds} | {one['valid']:.3f} | {aim} |\n"


def _rates(networks: dict[str, Any]) -> list[str]:
    """How often the neurons of each layer fire, for the networks that have some."""
    spiking = {name: one["rates"] for name, one in networks.items() if one["rates"]}
    if not spiking:
        return []
    lines = [f"\n**{name}**: {', '.join(f'{layer} {rate:.1%}' for layer, rate in rates.items())}.\n" for name, rates in spiking.items()]
    return ["\n## Spikes per neuron and token, by layer\n", *lines]
