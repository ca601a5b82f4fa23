"""Effect of learned delays on spoken-digit recognition, with paired tests; a study of this project.

A cell is a protocol, a kind of delays, a seed and, for some protocols, the speaker that is left out of the training.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ...data import loader
from ...recipes import find_recipe
from ...run_folder.checkpoint import load_checkpoint
from ...run_folder.record import read_record
from ...train.sequence.recipe import SequenceRecipe
from ..claim import Checked, compare
from ..study import Cell, Results, Study
from .paired import cell_test, clip_test, holm

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
DELAYS = ("none", "random", "learned", "axonal")
COMPARED = (("learned", "random"), ("random", "none"), ("learned", "none"), ("axonal", "learned"))
"""The first is expected to be better, except in the last pair, where it is cheaper."""


@dataclass(frozen=True)
class Protocol:
    """A recipe and its splits, trained with every kind of delays."""

    recipe: str
    """Its delays are learned."""
    seeds: tuple[int, ...]
    title: str
    text: str
    documented: Mapping[str, float]
    """Test accuracy in % by kind of delays, as in docs/speech-results.md."""
    speakers: tuple[str | None, ...] = (None,)
    """Each in turn is left out of the training and used for testing; None is the official split."""


PROTOCOLS = {
    "official": Protocol(
        "fsdd-delays",
        (0, 1, 2),
        "Official split",
        "`fsdd-delays`: trained on takes 10-49, epoch chosen on takes 5-9, tested on takes 0-4 (250 clips), all by the same speakers.",
        {"none": 95.9, "random": 98.0, "learned": 99.3, "axonal": 99.2},
    ),
    "official-small": Protocol(
        "fsdd-delays:small",
        tuple(range(8)),
        "Official split, small networks",
        "`fsdd-delays:small`: the same split with 2 x 56 neurons, frames that are not centred, and half of the loss applied at every step.",
        {"none": 89.8, "random": 92.0, "learned": 95.2, "axonal": 92.5},
    ),
    "official-cochlea": Protocol(
        "fsdd-delays:cochlea",
        (0, 1, 2),
        "Official split, spikes of a cochlea model",
        "`fsdd-delays:cochlea`: the first protocol with spike counts in 140 channels of a cochlea model as input.",
        {"none": 97.1, "random": 97.2, "learned": 97.7, "axonal": 96.9},
    ),
    "unheard": Protocol(
        "fsdd-delays",
        (0,),
        "Unheard speaker",
        "`fsdd-delays`: each speaker in turn is left out of the training and used for testing (500 clips).",
        {"none": 58.2, "random": 75.2, "learned": 75.6, "axonal": 74.5},
        SPEAKERS,
    ),
    "unheard-small": Protocol(
        "fsdd-delays:small",
        (0, 1),
        "Unheard speaker, small networks",
        "`fsdd-delays:small`: the same with small networks.",
        {"none": 62.4, "random": 65.3, "learned": 66.8, "axonal": 63.5},
        SPEAKERS,
    ),
}
_TOLERANCE = 4.0
"""In percentage points: the largest effect of rounding on the mean of a few trainings, on another machine."""

Key = tuple[str, str, str | None, int]
"""Protocol, delays, held-out speaker and seed."""


class Outcome(TypedDict):
    """Scores of one training."""

    right: str
    """"1" or "0" for every test clip, in order."""
    valid_accuracy: float
    parameters: int
    seconds: float


def cells(_: Path) -> list[Cell]:
    """All trainings, those that are compared with each other side by side."""
    return [
        Cell(
            "-".join(filter(None, (name, delays, speaker, str(seed)))),
            (name, delays, speaker, seed),
            _score,
            _recipe(protocol.recipe, delays, speaker, seed),
            protocol.recipe,
        )
        for name, protocol in PROTOCOLS.items()
        for seed in protocol.seeds
        for speaker in protocol.speakers
        for delays in DELAYS
    ]


def _recipe(name: str, delays: str, speaker: str | None, seed: int) -> SequenceRecipe:
    recipe: Any = find_recipe(name)()
    kind = {"granularity": "axonal"} if delays == "axonal" else {"delays": delays}
    data = replace(recipe.data, held_out_speaker=speaker)
    changed: SequenceRecipe = replace(recipe, data=data, model=replace(recipe.model, **kind), seed=seed)
    return changed


@torch.no_grad()
def _score(cell: Cell, folder: Path) -> Outcome:
    """The decision of the best network, with integer delays, on every test clip."""
    record, checkpoint, test = read_record(folder), load_checkpoint(folder), cast(SequenceRecipe, cell.recipe).data.load().test
    decision, right = checkpoint.decision, ""
    for x, valid, y in loader(test, 64, tail_steps=decision.tail_steps(test.dt_ms)):
        guess = decision.evidence(checkpoint.model, x, valid)[:, -1].argmax(-1)
        right += "".join(str(int(hit)) for hit in guess == y)
    return Outcome(
        right=right, valid_accuracy=(record["progress"] or {})["best_accuracy"], parameters=record["parameters"], seconds=record["seconds"]
    )


def results(known: Mapping[Key, Outcome]) -> Results:
    """Means and comparisons of every protocol."""
    found: Results = {}
    for protocol in dict.fromkeys(key[0] for key in known):
        kinds: dict[str, dict[tuple[str | None, int], Outcome]] = {}
        for (name, delays, speaker, seed), outcome in known.items():
            if name == protocol:
                kinds.setdefault(delays, {})[speaker, seed] = outcome
        found[protocol] = {"delays": {name: _described(cells) for name, cells in kinds.items()}, "comparisons": _comparisons(kinds)}
    return found


def _hits(outcome: Outcome) -> NDArray[np.bool_]:
    """Whether each test clip was classified correctly, bool [N]."""
    return np.array([clip == "1" for clip in outcome["right"]])


def _accuracy(outcome: Outcome) -> float:
    return float(_hits(outcome).mean())


def _described(cells: Mapping[tuple[str | None, int], Outcome]) -> Results:
    accuracy = [_accuracy(outcome) for outcome in cells.values()]
    return {
        "accuracy": statistics.mean(accuracy),
        "sd": statistics.stdev(accuracy) if len(accuracy) > 1 else None,
        "valid_accuracy": statistics.mean(outcome["valid_accuracy"] for outcome in cells.values()),
        "parameters": next(iter(cells.values()))["parameters"],
        "cells": [
            {"speaker": speaker, "seed": seed, "clips": len(outcome["right"]), "accuracy": _accuracy(outcome)}
            for (speaker, seed), outcome in cells.items()
        ],
    }


def _comparisons(kinds: Mapping[str, Mapping[tuple[str | None, int], Outcome]]) -> list[Results]:
    """Every comparison over the cells that both kinds have, with p-values corrected for the number of comparisons."""
    compared: dict[str, Results] = {}
    for better, worse in COMPARED:
        pairs = [(kinds[better][cell], kinds[worse][cell]) for cell in kinds.get(better, {}) if cell in kinds.get(worse, {})]
        if pairs:
            differences = [_accuracy(one) - _accuracy(other) for one, other in pairs]
            only_one, only_other, by_clips = clip_test(*(np.concatenate([_hits(pair[i]) for pair in pairs]) for i in (0, 1)))
            compared[f"{better} - {worse}"] = {
                "difference": statistics.mean(differences),
                "cells": len(pairs),
                "cells_better": sum(difference > 0 for difference in differences),
                "clips_only": [only_one, only_other],
                "p_cells": cell_test(differences),
                "p_clips": by_clips,
            }
    for test in ("p_cells", "p_clips"):
        for name, p in holm({name: one[test] for name, one in compared.items()}).items():
            compared[name][f"{test}_holm"] = p
    return [{"compared": name, **one} for name, one in compared.items()]


def check(found: Results) -> list[Checked]:
    """Compare every accuracy with docs/speech-results.md."""
    return [
        compare(
            PROTOCOLS[name].title,
            f"accuracy in %, delays: {kind}",
            f"{name}, {kind}, {len(one['cells'])} trainings",
            100 * one["accuracy"],
            PROTOCOLS[name].documented.get(kind),
            _TOLERANCE,
            "points",
        )
        for name, protocol in found.items()
        for kind, one in protocol["delays"].items()
    ]


_INTRODUCTION = """# Effect of learned delays on spoken-digit recognition

Free Spoken Digit Dataset (FSDD): five speakers, 2,500 clips. The networks have two layers of spiking neurons; all processing is causal,
and delays are rounded to integers for testing. `dendrix reproduce fsdd-delays` runs all trainings and writes this page. If it is stopped,
the same command continues it.

Four kinds of delays are compared, with all other settings and the seeds equal: **none**; **random**, one delay per synapse, fixed at its
random initial value; **learned**, one trained delay per synapse; **axonal**, one trained delay per neuron. Trained delays count as trained
parameters, fixed delays do not. Settings were chosen on validation takes; no test clip of the official split was used for a choice. For
unheard speakers the settings are the same for all five; clips of these speakers, except takes 0-4, had a small influence on the choice.
"""
_TABLE = """
| delays | accuracy, mean ± standard deviation | validation | trained parameters | trainings |
|---|---|---|---|---|
"""
_COMPARISONS = """
| compared | difference | better in | p, trainings | only first / only second correct | p, clips |
|---|---|---|---|---|---|
"""
_TESTS = """
Statistical tests. *Trainings*: paired permutation test of the accuracies, where each pair has the same seed and speaker. It includes the
variation between trainings; with n pairs its p-value cannot be below 2 / 2^n. *Clips*: exact McNemar test over all test clips of all pairs.
It has more power, but is valid for these trained networks only. Both tests are two-sided and corrected for the number of comparisons in
the table (Holm). A difference is called significant on this page if the p-value over trainings is below 5 %.
"""


def page(found: Results) -> str:
    """The results as Markdown."""
    parts = [_INTRODUCTION]
    for name, protocol in PROTOCOLS.items():
        if name in found:
            parts.append(f"\n## {protocol.title}\n\n{protocol.text}\n{_TABLE}")
            parts += [_row(kind, one) for kind, one in found[name]["delays"].items()]
            parts.append(_speakers(found[name]["delays"]))
            parts.append(_COMPARISONS)
            parts += [_comparison(one) for one in found[name]["comparisons"]]
    return "".join([*parts, _TESTS])


def _row(kind: str, one: Results) -> str:
    over = "" if one["sd"] is None else f" ± {100 * one['sd']:.1f}"
    return (
        f"| {kind} | {100 * one['accuracy']:.1f}{over} % | {100 * one['valid_accuracy']:.1f} % "
        f"| {one['parameters']:,} | {len(one['cells'])} |\n"
    )


def _speakers(kinds: Mapping[str, Results]) -> str:
    """Mean accuracy for each speaker that was left out; empty for a protocol without such speakers."""
    names = list(dict.fromkeys(cell["speaker"] for one in kinds.values() for cell in one["cells"] if cell["speaker"]))
    if not names:
        return ""
    lines = [f"\n| delays | {' | '.join(names)} |\n|---{'|---' * len(names)}|\n"]
    for kind, one in kinds.items():
        scores = [[cell["accuracy"] for cell in one["cells"] if cell["speaker"] == name] for name in names]
        shown = (f"{100 * sum(score) / len(score):.1f} %" if score else "-" for score in scores)
        lines.append(f"| {kind} | {' | '.join(shown)} |\n")
    return "".join(lines)


def _comparison(one: Results) -> str:
    first, second = one["clips_only"]
    return (
        f"| {one['compared']} | {100 * one['difference']:+.1f} points | {one['cells_better']} of {one['cells']} "
        f"| {_p(one['p_cells_holm'])} | {first} / {second} | {_p(one['p_clips_holm'])} |\n"
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


STUDY = Study("speech-results.json", "speech-results.md", cells, results, page, check)
reproduce = STUDY.reproduce
