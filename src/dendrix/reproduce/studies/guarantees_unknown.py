"""Guarantee of the answer "none of these" with a network that was not trained on the unknown words, for the study of guarantees."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...data.speech.commands import command_clips
from ...exits import ExitRecord, KnownGroupsGuarantee, MaxProbability, best_scale, decide, fit
from ...exits.fitting.setting import Setting
from ...runs.evaluation import record_run
from ...runs.opened import Split, open_run, source_of
from ...train.sequence.data import CommandsData
from ..study import Cell
from .guarantees_pools import DELTA, any_group, broken, draws

EPS = (0.02, 0.05, 0.1)
_DRAWN, _REPEATS = 1200, 200

Results = dict[str, Any]


def unknown_words(_: Cell, folder: Path) -> Results:
    """Certified and measured rates of wrong answers for words that the network knows, and for those that it was not trained on."""
    known, unknown = ({split: _record(folder, split, new) for split in ("valid", "test")} for new in (False, True))
    valid, half = known["valid"], torch.arange(len(known["valid"])) % 2 == 0
    rule = MaxProbability(1.0, scale=best_scale(valid.subset(half)))
    calibration = valid.subset(~half)
    parts = {
        "the same ten words": [(unknown["valid"], unknown["test"])],
        "five other words": [
            (unknown["valid"].subset(unknown["valid"].truth % 2 == one), unknown["test"].subset(unknown["test"].truth % 2 != one))
            for one in (0, 1)
        ],
    }
    found: Results = {"words": len(set(unknown["test"].truth.tolist())), "known words": known["test"].outputs.shape[2], "rates": {}}
    for eps in EPS:
        goal = KnownGroupsGuarantee(eps, DELTA, "wrong-answer", by="known")
        for name, pairs in parts.items():
            rows = []
            for examples, others in pairs:
                policy = fit(calibration.with_unknown(examples), rule, goal, fallback=True)
                rows.append(_rates(policy.rule, known["test"], others))
            found["rates"][f"{eps:g}, {name}"] = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
    found["resplits"] = {f"{eps:g}": _resplits(_all(known, half), _all(unknown), rule, eps) for eps in EPS}
    policy = fit(calibration.with_unknown(unknown["valid"]), rule, KnownGroupsGuarantee(EPS[-1], DELTA, "wrong-answer", by="known"))
    found["by word"] = _by_word(policy.rule, unknown["test"], folder)
    return found


def _record(folder: Path, split: Split, unknown: bool) -> ExitRecord:
    """Record the clips of the words that the network knows, or of all others, which are numbered for themselves."""
    opened = open_run(folder, split)
    if unknown:
        source: CommandsData = source_of(folder)
        known = tuple(word for word in command_clips(source.root).words if word not in source.without)
        opened = replace(opened, data=getattr(replace(source, without=known).load(), split))
    return record_run(opened)


def _rates(rule: Any, known: ExitRecord, unknown: ExitRecord) -> Results:
    of_known, of_unknown = decide(rule, known), decide(rule, unknown)
    right = of_known.answers == known.truth
    return {
        "known wrong": _share(of_known.stopped & ~right),
        "unknown answered": _share(of_unknown.stopped),
        "known answered correctly": _share(of_known.stopped & right),
        "steps": torch.cat([of_known.steps, of_unknown.steps]).double().mean().item(),
    }


def _all(records: dict[str, ExitRecord], without: torch.Tensor | None = None) -> ExitRecord:
    """The validation and test clips as one record, without those that chose the scale."""
    first, second = records["valid"], records["test"]
    if without is not None:
        first = first.subset(~without)
    return replace(first, outputs=torch.cat([first.outputs, second.outputs]), labels=torch.cat([first.truth, second.truth]), groups=None)


def _resplits(known: ExitRecord, unknown: ExitRecord, rule: Any, eps: float) -> Results:
    """Fits on random draws from all clips, whose rates on all clips are known."""
    pool = known.with_unknown(unknown)
    goal = KnownGroupsGuarantee(eps, DELTA, "wrong-answer", by="known")
    chosen = draws(pool, _DRAWN, of_groups=False, repeats=_REPEATS)
    return broken(pool, Setting(rule), goal, chosen, any_group("wrong-answer", eps))


def _by_word(rule: Any, unknown: ExitRecord, folder: Path) -> Results:
    """Share of the clips of each unknown word that are answered."""
    stopped = decide(rule, unknown).stopped
    names = sorted(source_of(folder).without, key=command_clips(source_of(folder).root).words.index)
    return {name: _share(stopped[unknown.truth == number]) for number, name in enumerate(names)}


def _share(values: torch.Tensor) -> float:
    return values.double().mean().item()
