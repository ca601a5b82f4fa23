"""Guarantees of early exits for groups, over time, with sets and in use: violations, costs and delays; a study of this project.

Simulated pools have known risks; recorded outputs are those of the shipped speech networks and of networks that are trained here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...recipes import find_recipe
from ..claim import Checked
from ..study import Cell, Results, Study
from . import guarantees_data, guarantees_pools, guarantees_speakers, guarantees_text, guarantees_unknown, teach
from .guarantees_data import CELLS, RECORDS
from .guarantees_page import page

_POOLS: dict[str, Callable[[], Results]] = {
    "new groups": guarantees_pools.new_groups,
    "known groups": guarantees_pools.known_groups,
    "sets and abstention": guarantees_pools.sets_and_abstention,
    "over time": guarantees_pools.over_time,
    "groups over time": guarantees_pools.groups_over_time,
    "alarms": guarantees_pools.alarms,
}
_UNKNOWN = "unknown-words"
_TEXTS = {"text": "spikegpt-classifier:subj", "reviews": "spikegpt-classifier:mr"}
_UNGUARDED = ("inputs taken as independent", "all inputs")
"""Goals that do not bound the risk that is counted."""
_CERTAIN = 1e-4
"""Probability with which a guarantee that holds fails its check."""


def cells(out: Path) -> list[Cell]:
    """Simulations, records, what is computed from them, and networks that are trained here."""
    del out
    return [
        *(Cell(name.replace(" ", "-"), ("pool", name), _simulate) for name in _POOLS),
        Cell(RECORDS, ("records",), guarantees_data.record),
        *(Cell(name, ("data", name), _read, needs=(RECORDS,)) for name in CELLS),
        Cell(_UNKNOWN, ("data", "unknown words"), guarantees_unknown.unknown_words, teach.recipe("axonal", 0), "commands-delays:axonal"),
        *guarantees_speakers.cells(),
        *(Cell(name, ("data", name), guarantees_text.classifier, _read_by(variant), variant) for name, variant in _TEXTS.items()),
        Cell("generation", ("data", "generation"), guarantees_text.generation),
    ]


def _read_by(variant: str) -> Any:
    """The recipe of a classifier of sentences, trained briefly."""
    recipe: Any = find_recipe(variant)()
    return replace(recipe, budget=replace(recipe.budget, epochs=2))


def _simulate(cell: Cell, _: Path) -> Results:
    return _POOLS[cell.key[1]]()


def _read(cell: Cell, folder: Path) -> Results:
    return CELLS[cell.key[1]](cell, folder)


def results(known: Mapping[tuple[str, ...], Results]) -> Results:
    """All outcomes by name; those of the cross-fitted networks with what they give together."""
    found = {key[-1]: known[key] for key in sorted(known) if key[0] != "fold"}
    folds = {key[-1]: known[key] for key in sorted(known) if key[0] == "fold"}
    return found | ({"cross-fitted": {**found["cross-fitted"], "folds": folds}} if "cross-fitted" in found else {})


def check(found: Results) -> list[Checked]:
    """Check that no guarantee is violated more often than delta permits, and that those that ignore groups or time are."""
    checked = []
    for name in (name for name in _POOLS if name != "alarms"):
        for case, one in found.get(name, {}).items():
            if not case.endswith(_UNGUARDED):
                checked.append(_kept(name, case, one["violations"], guarantees_pools.DELTA, one["draws"]))
    for eps, one in found.get("unknown words", {}).get("resplits", {}).items():
        checked.append(_kept("unknown words", f"eps {eps}", one["violations"], guarantees_pools.DELTA, one["draws"]))
    for case, one in found.get("cross-fitted", {}).get("draws", {}).items():
        if "independent" not in case:
            checked.append(_kept("cross-fitted", case, one["violations"], guarantees_pools.DELTA, one["draws"]))
    for case, one in found.get("alarms", {}).get("false", {}).items():
        checked.append(_kept("alarms", case, one["alarms"], guarantees_pools.ALPHA, one["runs"]))
    for name, case in _BROKEN:
        if name in found:
            share = found[name][case]["violations"]
            verdict = "broken, as expected" if share > guarantees_pools.DELTA else "not broken"
            checked.append(Checked(name, case, "> 10 %", "", share, verdict, "", share > guarantees_pools.DELTA))
    for case, one in found.get("alarms", {}).get("delay", {}).items():
        if not case.startswith("2 "):
            checked.append(Checked("alarms", f"drift found: {case}", "> 99 %", "", one["found"], "", "", one["found"] > 0.99))
    return checked


_BROKEN = (
    ("new groups", "groups that differ, 24 groups, inputs taken as independent"),
    ("new groups", "one in ten groups is lost, 24 groups, inputs taken as independent"),
    ("known groups", "6 groups, 2400 inputs, all inputs"),
    ("over time", "1500 inputs, all inputs"),
    ("groups over time", "60 groups, inputs taken as independent"),
)
"""Pools on which the usual guarantee does not bound the risk in groups or over time."""


def _kept(name: str, case: str, share: float, bound: float, count: int) -> Checked:
    from ...exits.fitting.guarantee import binomial_tails

    most = int((1 - binomial_tails(count, bound) > _CERTAIN).sum())
    passed = round(share * count) <= most
    verdict = "kept" if passed else "broken"
    return Checked(name, case, f"<= {bound:.0%}", f"{count} draws", share, verdict, f"up to {most / count:.1%} by chance", passed)


STUDY = Study("guarantees.json", "guarantees-results.md", cells, results, page, check)
reproduce = STUDY.reproduce
