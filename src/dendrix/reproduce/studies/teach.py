"""Words taught in three utterances to networks that never heard them: accuracy, true accepts and false alarms; a study of this project.

A cell is a kind of delays and a draw of ten words that the network is not trained on.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...data.speech.commands import TWENTY_WORDS
from ...recipes import find_recipe
from ...train.sequence.recipe import SequenceRecipe
from ..claim import Checked
from ..study import Cell, Results, Study
from .teach_scores import THINNED, score

KINDS = ("axonal", "learned", "random", "none")
CONTROL = "none"
"""Kind that need not reach the goals."""
DRAWS = (0, 1, 2)
NEW = 10
"""Number of words that are taught."""
_FIRST = ("cancel", "close", "digit", "direction", "forward", "ok", "receive", "record", "send", "undo")
_OTHERS = (
    *("backward", "disable", "enable", "enter", "move", "options", "previous", "next", "receive", "record", "rotate", "send", "undo"),
    *("cancel", "digit", "direction", "forward", "ok", "zoom in", "zoom out"),
)
"""The twenty words beside those of the usual keyword tasks."""
EPOCHS = 36


def new_words(draw: int) -> tuple[str, ...]:
    """Return the words of a draw, which the network is not trained on."""
    if draw == 0:
        return _FIRST
    words = sorted({*TWENTY_WORDS, *_OTHERS})
    return tuple(sorted(np.random.default_rng(draw).choice(words, NEW, replace=False).tolist()))


def recipe(kind: str, draw: int) -> SequenceRecipe:
    """Return the training of a cell: 30 words of the Arabic commands."""
    base: Any = find_recipe("commands-delays" if kind == "learned" else f"commands-delays:{kind}")()
    found: SequenceRecipe = replace(
        base,
        data=replace(base.data, without=new_words(draw)),
        model=replace(base.model, outputs=40 - NEW),
        budget=replace(base.budget, epochs=EPOCHS),
        seed=draw,
    )
    return found


def _cells(_out: Path) -> list[Cell]:
    return [Cell(f"{kind}-{draw}", (kind, draw), _score, recipe(kind, draw), "commands-delays") for draw in DRAWS for kind in KINDS]


def _score(cell: Cell, folder: Path) -> Mapping[str, Any]:
    return score(folder, new_words(cell.key[1]))


def _results(outcomes: Mapping[Any, Any]) -> Results:
    """Mean and deviation over the draws, by kind."""
    found: Results = {}
    for kind in KINDS:
        rows = [outcome for key, outcome in outcomes.items() if key[0] == kind]
        if rows:
            found[kind] = {"draws": len(rows), **_summary(rows, len(rows))}
    return {"kinds": found, "cells": {f"{kind}-{draw}": outcome for (kind, draw), outcome in outcomes.items()}}


def _summary(rows: Sequence[Any], draws: int) -> Any:
    """Means, and deviations where there are several, of nested JSON values, each over the draws that have it."""
    if isinstance(rows[0], dict):
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: _summary([row[name] for row in rows if name in row], draws) for name in names}
    if isinstance(rows[0], (list, str)) or rows[0] is None:
        return rows[0]
    deviation = {"deviation": statistics.stdev(rows)} if len(rows) > 1 else {}
    return {"mean": statistics.fmean(rows), **deviation, **({"draws": len(rows)} if len(rows) < draws else {})}


GOALS: tuple[tuple[str, tuple[str, ...], float, float], ...] = (
    ("10-way, same speaker, k = 3", ("tenway", "3 clips", "same"), 0.98, 1.0),
    ("true accepts at 1 %, same speaker", ("accepts", "0.01", "same"), 0.97, 1.0),
    ("10-way, another speaker", ("tenway", "3 clips", "another"), 0.85, 1.0),
    ("10-way, three enrolling speakers", ("tenway", "3 speakers", "another"), 0.89, 1.0),
    ("true accepts at 1 %, three enrolling speakers", ("accepts", "0.01", "three"), 0.60, 1.0),
    ("measured / asked at 10 %", ("accepts", "0.1", "ratio"), 0.5, 1.2),
    ("measured / asked at 1 %", ("accepts", "0.01", "ratio"), 0.5, 1.2),
    ("measured / asked at 0.3 %", ("accepts", "0.003", "ratio"), 0.5, 1.2),
    ("detectors above twice the asked 1 %", ("accepts", "0.01", "above twice"), 0.0, 0.12),
    ("stream, false alarms per hour, measured / asked 10", ("stream", "ratio"), 0.0, 1.2),
    ("stream with early decisions, measured / asked at 1 %", ("stream", "early", "ratio"), 0.0, 1.2),
    ("bytes of a word of three clips", ("cost", "bytes"), 0, 1000),
    ("longer codes: bytes of a word of three clips", ("richer", "cost", "bytes"), 0, 2000),
    ("teaching a word, in ms", ("cost", "teaching ms"), 0, 100),
)
"""What the study must show: where it stands in the outcome, and between which numbers it lies."""


_VETOED = ("same", "another", "ratio, new words", "ratio, known words")
_OF = ("theory", "measured")
_READ_OUTS = ("segments", "cosine prototypes", "read-out trained again", "read-out fine-tuned")
SHOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("epochs of training", ("epochs",)),
    ("active cells of a code", ("codes", "active")),
    ("10-way, same speaker, dense cosine", ("tenway", "dense cosine", "same")),
    ("10-way, same speaker, time warping of log-mel", ("tenway", "time warping", "same")),
    ("same speaker's other words, measured / asked at 1 %", ("accepts", "0.01", "ratio, own other words")),
    ("stream, words per hour", ("stream", "words per hour")),
    ("stream, lower end of the interval of 95 %", ("stream", "low")),
    ("stream, upper end of it", ("stream", "high")),
    ("stream, detector-hours", ("stream", "detector hours")),
    ("stream, words of the same speaker that are recognised", ("stream", "same")),
    ("stream at 1 %, the same, decided when they have ended", ("stream", "at the end", "same")),
    ("stream at 1 %, the same, decided early", ("stream", "early", "same")),
    ("stream at 1 %, measured / asked, decided when they have ended", ("stream", "at the end", "ratio")),
    ("stream with early decisions, ms before the usual decision", ("stream", "early", "ms earlier")),
    ("10-way, another speaker, clips not augmented", ("not augmented", "tenway", "3 clips", "another")),
    ("10-way, three enrolling speakers, clips not augmented", ("not augmented", "tenway", "3 speakers", "another")),
    ("longer codes: 10-way, same speaker", ("richer", "tenway", "3 clips", "same")),
    ("longer codes: 10-way, another speaker", ("richer", "tenway", "3 clips", "another")),
    ("longer codes: 10-way, three enrolling speakers", ("richer", "tenway", "3 speakers", "another")),
    ("longer codes: true accepts at 1 %, three enrolling speakers", ("richer", "accepts", "0.01", "three")),
    *((f"1 %, {name} veto, {row}", ("veto", name, row)) for name in ("without", "with") for row in _VETOED),
    *((f"{s} synapses, threshold {theta}: false alarms, {row}", ("thinning", f"{s}, {theta}", row)) for s, theta in THINNED for row in _OF),
    *((f"{count} words taught one at a time, {name}", ("growth", count, name)) for count in ("10", "40") for name in _READ_OUTS),
)
"""Further numbers of the page, without a goal."""


def _in(value: Any, path: Sequence[str]) -> dict[str, float] | None:
    """Mean and deviation of a number of the results; None where it was not measured."""
    for name in path:
        if name not in value:
            return None
        value = value[name]
    found: dict[str, float] = value
    return found


def _shown(found: Mapping[str, float] | None) -> str:
    if found is None:
        return ""
    mean, deviation = found["mean"], found.get("deviation", 0.0)
    shown = f"{mean:,.0f}" if mean >= 1000 else f"{mean:.3g}"
    if deviation > 1e-9:  # not only a rounding error of the mean
        shown += f" ± {deviation:.0f}" if deviation >= 10 else f" ± {deviation:.1g}"
    return shown + (f", in {found['draws']} of them" if "draws" in found else "")


def _check(results: Results) -> list[Checked]:
    checked = []
    for kind, found in results["kinds"].items():
        for says, path, low, high in GOALS:
            if (measured := _in(found, path)) is None:
                continue
            number = measured["mean"]
            goal, passed = f"{low:g} to {high:g}", low <= number <= high
            verdict = "holds" if passed else "fails"
            asked = passed if kind != CONTROL else None  # which shows what delays are worth
            checked.append(Checked(f"{kind} delays", says, goal, f"dendrix reproduce teach, {kind}", number, verdict, "", asked))
    return checked


def _page(results: Results) -> str:
    lines = ["# Words taught in three utterances", "", __doc__.partition("\n\n")[2].strip(), ""]
    kinds = results["kinds"]
    lines += ["| | goal | " + " | ".join(f"{kind} ({found['draws']} of {len(DRAWS)} draws)" for kind, found in kinds.items()) + " |"]
    lines += ["|---|---|" + "---|" * len(kinds)]
    rows = [*((says, path, f"{low:g} to {high:g}") for says, path, low, high in GOALS), *((says, path, "") for says, path in SHOWN)]
    for says, path, goal in rows:
        numbers = [_shown(_in(found, path)) for found in kinds.values()]
        if any(numbers):
            lines.append(f"| {says} | {goal} | " + " | ".join(numbers) + " |")
    return "\n".join(lines) + "\n"


STUDY = Study("teach.json", "teach.md", _cells, _results, _page, _check)
reproduce = STUDY.reproduce
