"""Cost of spikes in a small language model, beside the same network without spikes and GPT-2; a study of this project.

All networks read the same bytes of novels in the same order for the same number of steps. A cell is a network and a seed.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, cast

from ...data.text.corpora import corpus
from ...data.text.tokens import Tokens
from ...models import SpikeGPT
from ...models.spikegpt.hf_files import load_network
from ...recipes import find_recipe
from ...run_folder.record import METRICS, read_lines, read_record
from ...runs.text_scores import score_text, tokens_in
from ...train.text.recipe import TextBudget, TextRecipe
from ..claim import Checked, compare
from ..study import Cell, Results, Study

SEEDS = (0, 1, 2)
STEPS, EVERY = 1200, 400
_CONTEXT = 256
BYTES = 50_000
"""Bytes of each novel, from its beginning, that are scored."""


@dataclass(frozen=True)
class Network:
    """A recipe of the comparison."""

    recipe: str
    lr: float
    """Peak learning rate: the better of 2e-3 and 5e-3 on validation bytes after 100 steps; "pytorch" has that of "spiking"."""


NETWORKS = {
    "spiking": Network("spikegpt-small", 5e-3),
    "continuous": Network("spikegpt-small:continuous", 5e-3),
    "inputs": Network("spikegpt-small:inputs", 5e-3),
    "gpt2": Network("spikegpt-small:gpt2", 2e-3),
    "pytorch": Network("spikegpt-small:pytorch", 5e-3),
}
COMPARED = (("spiking", "continuous"), ("inputs", "spiking"), ("inputs", "continuous"), ("pytorch", "spiking"), ("spiking", "gpt2"))
"""Ratios of bits per byte: the first over the second."""
_GOALS = {"spiking / continuous": 1.05, "inputs / spiking": 1.03}
_DOCUMENTED = {
    "spiking / continuous": 1.08,
    "inputs / spiking": 1.042,
    "inputs / continuous": 1.126,
    "pytorch / spiking": 1.007,
    "spiking / gpt2": 0.697,
}
"""Ratios in docs/text-results.md."""
_TOLERANCE = 0.02
"""The largest effect of rounding on the ratio of a few trainings, on another machine."""


class Outcome(TypedDict):
    """Scores of one training, in bits per byte, and its size."""

    valid: float
    """On the validation novels, in windows as long as those of the training."""
    test: float
    """On the test novels, in the same windows."""
    carried: float | None
    """On the test novels without windows; None for a network whose context is bounded."""
    rates: dict[str, float]
    """Spikes per neuron and token, by layer."""
    parameters: int
    tokens: int
    """Tokens that it was trained on."""
    seconds: float


def cells(_: Path) -> list[Cell]:
    """All trainings, those that are compared with each other side by side."""
    return [
        Cell(f"{name}-{seed}", (name, seed), _score, _recipe(network, seed), network.recipe)
        for seed in SEEDS
        for name, network in NETWORKS.items()
    ]


def _recipe(network: Network, seed: int) -> TextRecipe:
    recipe: Any = find_recipe(network.recipe)()
    budget = TextBudget(STEPS, EVERY, batch_size=8, context=_CONTEXT, sample_tokens=0)
    changed: TextRecipe = replace(recipe, optim=replace(recipe.optim, lr=network.lr, warm_up=100), budget=budget, seed=seed)
    return changed


def _score(cell: Cell, folder: Path) -> Outcome:
    """Scores of the best network of a run."""
    recipe, record = cast(TextRecipe, cell.recipe), read_record(folder)
    documents, (network, tokenizer) = corpus(recipe.data.text, recipe.data.root), load_network(folder)
    valid, test = ([tokens_in(text[:BYTES], tokenizer) for text in split] for split in (documents.valid, documents.test))
    lines = read_lines(folder / METRICS)
    health = lines[(record["progress"] or {})["best_epoch"]]["health"]
    return Outcome(
        valid=bits_per_byte(network, valid, _CONTEXT),
        test=bits_per_byte(network, test, _CONTEXT),
        carried=bits_per_byte(network, test, None) if isinstance(network, SpikeGPT) else None,
        rates={name: shares["rate"] for name, shares in health.items()},
        parameters=record["parameters"],
        tokens=lines[-1]["step"] * recipe.budget.batch_size * recipe.budget.context,
        seconds=record["seconds"],
    )


def bits_per_byte(network: Any, novels: Sequence[Tokens], context: int | None) -> float:
    """Return bits per byte over several novels, each read from the state of rest.

    Args:
        network: language model in evaluation mode.
        novels: the novels.
        context: length of windows that overlap by half; None for one pass without windows.
    """
    return sum(score_text(network, novel, context=context).nats for novel in novels) / math.log(2) / sum(novel.n_bytes for novel in novels)


def results(known: Mapping[tuple[str, int], Outcome]) -> Results:
    """Means of every network, and ratios of pairs that share a seed."""
    networks: dict[str, dict[int, Outcome]] = {}
    for (name, seed), outcome in known.items():
        networks.setdefault(name, {})[seed] = outcome
    return {
        "networks": {name: _described(cells) for name, cells in networks.items()},
        "ratios": [_ratio(networks, *pair) for pair in COMPARED if networks.get(pair[0], {}).keys() & networks.get(pair[1], {}).keys()],
    }


def _described(cells: Mapping[int, Outcome]) -> Results:
    one = next(iter(cells.values()))
    carried = [cell["carried"] for cell in cells.values() if cell["carried"] is not None]
    return {
        "valid": statistics.mean(cell["valid"] for cell in cells.values()),
        "test": statistics.mean(cell["test"] for cell in cells.values()),
        "test_sd": statistics.stdev(cell["test"] for cell in cells.values()) if len(cells) > 1 else None,
        "carried": statistics.mean(carried) if carried else None,
        "rates": {layer: statistics.mean(cell["rates"][layer] for cell in cells.values()) for layer in one["rates"]},
        "parameters": one["parameters"],
        "tokens": one["tokens"],
        "cells": {str(seed): cell for seed, cell in cells.items()},
    }


def _ratio(networks: Mapping[str, Mapping[int, Outcome]], one: str, other: str) -> Results:
    """Over the seeds that both networks have."""
    seeds = sorted(networks[one].keys() & networks[other].keys())
    test = [networks[one][seed]["test"] / networks[other][seed]["test"] for seed in seeds]
    valid = [networks[one][seed]["valid"] / networks[other][seed]["valid"] for seed in seeds]
    return {
        "compared": f"{one} / {other}",
        "test": statistics.mean(test),
        "test_by_seed": dict(zip(map(str, seeds), test, strict=True)),
        "valid": statistics.mean(valid),
    }


def check(found: Results) -> list[Checked]:
    """Compare every ratio with docs/text-results.md."""
    return [
        compare(
            "Bits per byte",
            one["compared"],
            f"{one['compared']}, {len(one['test_by_seed'])} seeds",
            one["test"],
            _DOCUMENTED.get(one["compared"]),
            _TOLERANCE,
        )
        for one in found["ratios"]
    ]


_INTRODUCTION = """# Cost of spikes in a small language model

English novels as bytes; the training, validation and test novels are different books. `dendrix reproduce spikegpt-small` runs all
trainings and writes this page. If it is stopped, the same command continues it.

Five networks of 1.1 million parameters are trained on the same windows of 256 bytes in the same order for the same number of steps.
**spiking** is SpikeGPT as published, with neurons after each half of a block. **inputs** has neurons before every matrix product of a block
instead, so that the inputs of these products are zeros and ones. **continuous** has no neurons. **pytorch** is the first network with the
initial weights of the released training; all others have the initialisation that the released code intended. **gpt2** is GPT-2 of
transformers. Learning rates were chosen on validation bytes, with equal effort for each network; no test novel was used for a choice. The
trainings are short, {megabytes:.1f} million bytes each, and the networks are far from converged. GPT-2 learns most slowly in so few steps,
at a rate of 2e-3 and of 5e-3 (3.52 and 3.50 bits on validation bytes after 400 of 1,200 steps), so its row does not predict longer
trainings.

## Bits per byte
"""
_TABLE = """
| network | test, mean ± standard deviation | validation | test, unlimited context | spikes per neuron and token | parameters | trainings |
|---|---|---|---|---|---|---|
"""
_RATIOS = """
| bits per byte of | ratio, test | of each seed | ratio, validation | goal |
|---|---|---|---|---|
"""
_SCORES = """
The first 50,000 bytes of every validation and test novel are scored, in windows of 256 bytes (as in training) that overlap by half. With
unlimited context, a recurrent network reads the text once, and all previous bytes are its context. A ratio compares two trainings of the
same seed, thus with the same data in the same order. Three seeds are few: a ratio with seeds on both sides of 1 does not count as a
difference. Networks that are not in the tables have not been trained.
"""


def page(found: Results) -> str:
    """The results as Markdown."""
    megabytes = max((one["tokens"] for one in found["networks"].values()), default=0) / 1e6
    parts = [_INTRODUCTION.format(megabytes=megabytes), _TABLE, *(_row(name, one) for name, one in found["networks"].items())]
    if found["ratios"]:
        parts += [_RATIOS, *map(_ratio_row, found["ratios"])]
    return "".join([*parts, _SCORES, *_rates(found["networks"])])


def _row(name: str, one: Results) -> str:
    over = "" if one["test_sd"] is None else f" ± {one['test_sd']:.3f}"
    carried = "" if one["carried"] is None else f"{one['carried']:.3f}"
    rate = f"{sum(one['rates'].values()) / len(one['rates']):.1%}" if one["rates"] else ""
    return f"| {name} | {one['test']:.3f}{over} | {one['valid']:.3f} | {carried} | {rate} | {one['parameters']:,} | {len(one['cells'])} |\n"


def _ratio_row(one: Results) -> str:
    goal = _GOALS.get(one["compared"])
    aim = "" if goal is None else f"at most {goal}: {'reached' if one['test'] <= goal else 'missed'}"
    seeds = ", ".join(f"{ratio:.3f}" for ratio in one["test_by_seed"].values())
    return f"| {one['compared']} | {one['test']:.3f} | {seeds} | {one['valid']:.3f} | {aim} |\n"


def _rates(networks: Mapping[str, Results]) -> list[str]:
    """Firing rates by layer of the networks that spike."""
    spiking = {name: one["rates"] for name, one in networks.items() if one["rates"]}
    lines = [f"\n**{name}**: {', '.join(f'{layer} {rate:.1%}' for layer, rate in rates.items())}.\n" for name, rates in spiking.items()]
    return ["\n## Spikes per neuron and token, by layer\n", *lines] if lines else []


STUDY = Study("text-results.json", "text-results.md", cells, results, page, check)
reproduce = STUDY.reproduce
