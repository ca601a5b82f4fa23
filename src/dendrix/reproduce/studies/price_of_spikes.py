"""Price of spikes in a language model, arm by arm, on the way to a network that is worth its spikes; a study of this project.

A cell is an arm at a learning rate (screening: one seed, validation only), or a rung of the ladder and a seed (survivors only).
"""

import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from ...core.files import read_json
from ...data.text.corpora import corpus
from ...energy import Metered, load_hardware, measure
from ...generate import Decoder
from ...models import SpikeGPT
from ...models.spikegpt.hf_files import load_network
from ...run_folder.record import METRICS, read_lines, read_record
from ...runs.text_scores import tokens_in
from ...train.text.health import GATE
from ..claim import Checked
from ..study import OUTCOME, RUNS, Cell, Results, Study
from . import price_page
from .price_arms import (
    ARMS,
    CONTEXT,
    CONTROL,
    HOLDING,
    LADDER,
    LARGE,
    REFERENCE,
    SCREENING,
    SEEDS,
    TEACHER,
    Arm,
    Stage,
    combined,
    recipe_of,
    survives,
)
from .spikegpt_small import BYTES, bits_per_byte

HARDWARE = "45nm"
_WINDOWS = 16
"""Windows of validation text in which energy is measured."""
_DECODED = 512
"""Tokens that are decoded to measure the speed."""


class Screened(TypedDict):
    """Outcome of a training of the screening."""

    valid: float
    """Bits per byte of the beginning of the validation text."""
    rate: float | None
    """Spikes per neuron and token, the mean over all groups of neurons but gates of attention, whose spikes enter no product; None without
    neurons."""
    parameters: int
    tokens: int
    """Tokens that it was trained on."""
    seconds: float


class Rung(Screened):
    """Outcome of a training of the ladder."""

    test: float
    """Bits per byte of the test novels, in windows as long as in training."""
    energy_nj: float | None
    """Estimate for a token in 45 nm, memory included, in nJ; None for networks that are not metered."""
    operations_nj: float | None
    """The same without memory."""
    decoded: float | None
    """Tokens of one text decoded in a second of processor time, in int8; None for networks of other kinds."""


def cells(out: Path) -> list[Cell]:
    """The screening; once it is complete, also the ladder of the arms that survived it, and the large networks."""
    found = [
        _cell(out, SCREENING, name, arm, lr, 0)
        for lr in sorted({lr for arm in ARMS.values() for lr in arm.rates})
        for name, arm in ARMS.items()
        if lr in arm.rates
    ]
    paths = {cell.key: out / RUNS / cell.name / OUTCOME for cell in found}
    if not all(path.exists() for path in paths.values()):
        return found
    ladder = rungs(best_of({key: read_json(path) for key, path in paths.items()}))
    last = [name for name in ladder if name.startswith(REFERENCE)][-1]
    large = {name: ladder[name] for name in (TEACHER, REFERENCE, last, CONTROL) if name in ladder}
    for stage, networks in ((LADDER, ladder), (LARGE, large)):
        found += [_cell(out, stage, name, arm, lr, seed) for seed in SEEDS for name, (arm, lr) in networks.items()]
    return found


def _cell(out: Path, stage: Stage, name: str, arm: Arm, lr: float, seed: int) -> Cell:
    """A training of a stage: in the screening told apart by its learning rate, after it by its seed. Its teacher is of the same stage."""
    variant: float = lr if stage is SCREENING else seed
    teacher = f"{stage.name}-{TEACHER}-{variant:g}"
    recipe = recipe_of(arm, stage, lr, seed, out / RUNS / teacher)
    score = _score_screening if stage is SCREENING else _score_rung
    needs = (teacher,) if arm.taught else ()
    return Cell(f"{stage.name}-{name}-{variant:g}", (stage.name, name, variant), score, recipe, arm.recipe, needs)


def best_of(known: Mapping[Any, Any]) -> Results:
    """Return the outcome of each arm at its best learning rate on validation bytes, with that rate as "lr".

    Args:
        known: outcomes by key of the cell.
    """
    best: Results = {}
    for (stage, name, lr), outcome in known.items():
        if stage == "screening" and (name not in best or outcome["valid"] < best[name]["valid"]):
            best[name] = {**outcome, "lr": lr}
    return best


def survivors(best: Results) -> list[str]:
    """Return the arms that are trained further, those with the fewest bits first, and those that hold the rate last.

    In the ladder all networks read the same tokens, so arms that read in another way are not in it.
    """
    judged = [name for name, arm in ARMS.items() if arm.of and not arm.reads and {name, arm.of} <= best.keys()]
    kept = [name for name in judged if survives(best[name], best[ARMS[name].of])]
    return sorted(kept, key=lambda name: (ARMS[name].rate is not None, best[name]["valid"]))


def rungs(best: Results) -> dict[str, tuple[Arm, float]]:
    """Return the arms of the ladder and their learning rates: those to compare with, and one more survivor in each further rung.

    Of survivors that change the same field, only the first one is added: of arms with spike counts, the one with the fewest bits.

    Args:
        best: outcome of each arm, see `best_of`.
    """
    kept = survivors(best)
    found = {
        name: (arm, best[name]["lr"]) for name, arm in ARMS.items() if not arm.of or (name in kept and arm.of not in (REFERENCE, HOLDING))
    }
    added: list[str] = []
    for name in kept:
        if ARMS[name].of in (REFERENCE, HOLDING) and not any(ARMS[name].changed.keys() & ARMS[other].changed.keys() for other in added):
            added.append(name)
    for count, name in enumerate(added, 1):
        found["+".join([REFERENCE, *added[:count]])] = (combined(added[:count]), best[name]["lr"])
    return found


def _score_screening(cell: Cell, folder: Path) -> Screened:
    record, lines = read_record(folder), read_lines(folder / METRICS)
    line, recipe = lines[(record["progress"] or {})["best_epoch"]], cell.recipe
    rates = [shares["rate"] for name, shares in line["health"].items() if not name.endswith(GATE)]
    budget: Any = recipe and recipe.budget
    return Screened(
        valid=line["valid_bits_per_byte"],
        rate=statistics.mean(rates) if rates else None,
        parameters=record["parameters"],
        tokens=lines[-1]["step"] * budget.batch_size * budget.context,
        seconds=record["seconds"],
    )


def _score_rung(cell: Cell, folder: Path) -> Rung:
    recipe: Any = cell.recipe
    documents, (network, tokenizer) = corpus(recipe.data.text, recipe.data.root), load_network(folder)
    valid, test = ([tokens_in(text[:BYTES], tokenizer) for text in split] for split in (documents.valid, documents.test))
    windows = valid[0].windows(torch.arange(_WINDOWS) * CONTEXT, CONTEXT)
    own, costs = _score_screening(cell, folder), energy(network, windows)
    return Rung(
        valid=bits_per_byte(network, valid, CONTEXT),
        rate=own["rate"],
        parameters=own["parameters"],
        tokens=own["tokens"],
        seconds=own["seconds"],
        test=bits_per_byte(network, test, CONTEXT),
        energy_nj=costs["energy_nj"],
        operations_nj=costs["operations_nj"],
        decoded=speed(network, windows.flatten()),
    )


def energy(network: Any, windows: Tensor) -> dict[str, float | None]:
    """Return the energy of a token with and without memory, in nJ.

    Args:
        network: trained network.
        windows: tokens, int64 [B, T].
    """
    if not isinstance(network, SpikeGPT):
        return {"energy_nj": None, "operations_nj": None}
    found = Metered(network, measure(network, [windows]), "token").compare(load_hardware(HARDWARE)).spiking
    own = found.terms["operations"].middle + (found.terms["neurons"].middle if "neurons" in found.terms else 0.0)
    return {"energy_nj": found.total.middle / 1e3, "operations_nj": own / 1e3}


def speed(network: Any, tokens: Tensor) -> float | None:
    """Return the number of tokens that are decoded in a second of processor time, the best of three runs after one to warm up.

    Args:
        network: trained network.
        tokens: text, int64 [T].
    """
    if not isinstance(network, SpikeGPT):
        return None
    decoder, taken = Decoder(network, "int8"), []
    for _ in range(4):
        state, began = decoder.rest(), time.process_time()
        for token in torch.split(tokens[:_DECODED], 1):
            _, state = decoder.step(token, state)
        taken.append(time.process_time() - began)
    return min(_DECODED, len(tokens)) / min(taken[1:])


def results(known: Mapping[Any, Any]) -> Results:
    """Return the screening by arm and learning rate, who survives, and the ladder with means and deviations over seeds."""
    best = best_of(known)
    return {
        "screening": {
            name: {f"{lr:g}": known["screening", name, lr] for lr in arm.rates if ("screening", name, lr) in known}
            for name, arm in ARMS.items()
            if name in best
        },
        "best": best,
        "complete": all(("screening", name, lr) in known for name, arm in ARMS.items() for lr in arm.rates),
        "survivors": survivors(best),
        **{stage.name: _means({key[1:]: one for key, one in known.items() if key[0] == stage.name}) for stage in (LADDER, LARGE)},
    }


def _means(known: Mapping[tuple[str, int], Any]) -> Results:
    found: Results = {}
    for name in dict.fromkeys(name for name, _ in known):
        runs = {seed: outcome for (own, seed), outcome in known.items() if own == name}
        tests = [one["test"] for one in runs.values()]
        keys = ("valid", "test", "rate", "energy_nj", "operations_nj", "decoded")
        means = {key: _mean([one[key] for one in runs.values()]) for key in keys}
        found[name] = {
            **means,
            "test_sd": statistics.stdev(tests) if len(tests) > 1 else None,
            "cells": {str(s): one for s, one in runs.items()},
        }
        twins = [known[name, seed]["test"] / known[TEACHER, seed]["test"] for seed in runs if (TEACHER, seed) in known]
        found[name]["ratio"] = _mean(twins)
    return found


def _mean(values: list[Any]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return statistics.mean(known) if known else None


def check(found: Results) -> list[Checked]:
    """Return the ratios to the continuous twin; nothing is checked before the study is complete."""
    return [
        Checked("Ladder", f"{name} / {TEACHER}", "", f"{len(one['cells'])} seeds", one["ratio"], "no documented number", "", None)
        for name, one in found["ladder"].items()
        if one["ratio"] is not None
    ]


STUDY = Study("price.json", "price-of-spikes.md", cells, results, price_page.page, check, price_page.draw)


def reproduce(out: Path, epochs: int | None = None, jobs: int = 1) -> list[Checked]:
    """Run the screening, then the ladder of its survivors; see `Study.reproduce`."""
    STUDY.reproduce(out, epochs, jobs)
    return STUDY.reproduce(out, epochs, jobs)
