"""Guarantees for speakers with cross-fitted networks: each speaker is recorded by a network that never heard them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...data.speech.commands import FOLDS
from ...exits import (
    ExitRecord,
    Guarantee,
    KnownGroupsGuarantee,
    MaxProbability,
    NewGroupGuarantee,
    NoCertificateError,
    OverTimeGuarantee,
    Policy,
    exit_losses,
    fit,
    smallest_eps,
)
from ...exits.fitting.outcomes import Outcomes, Traces, sweep
from ...exits.fitting.setting import Setting
from ...recipes import find_recipe
from ...runs.evaluation import evaluate_run, record_run
from ...runs.opened import open_run
from ...train.sequence.recipe import SequenceRecipe
from ..study import Cell
from .guarantees_data import joined
from .guarantees_pools import DELTA, mean_over_groups, overall, share_of_groups

_EPOCHS = 14
_RULE = MaxProbability(1.0)
_DRAWS = 60
_USUAL = 0.02
"""Risk of the guarantee that ignores speakers, and within a speaker."""
_WANTED = {9: (0.23, 0.25, 0.3), 27: (0.085, 0.1, 0.15, 0.2)}
"""Risks for a new speaker by the number of speakers."""
_SHARES = {9: 0.28, 27: 0.15}
"""Shares of new speakers that may exceed a risk of 2 %."""

Results = dict[str, Any]


def recipe(fold: int) -> SequenceRecipe:
    """Return the training of a network that is tested on a third of the speakers, with half of the loss on every step."""
    base: Any = find_recipe("commands-delays:axonal")()
    found: SequenceRecipe = replace(
        base, data=replace(base.data, fold=fold), early=0.5, budget=replace(base.budget, epochs=_EPOCHS), seed=fold
    )
    return found


def cells() -> list[Cell]:
    """One training for each third of the speakers, and what is computed from all."""
    trained = [Cell(f"crossfit-{fold}", ("fold", f"fold {fold}"), _record, recipe(fold), "commands-delays:axonal") for fold in range(FOLDS)]
    return [*trained, Cell("cross-fitted", ("data", "cross-fitted"), cross_fitted, needs=tuple(cell.name for cell in trained))]


def _record(_: Cell, folder: Path) -> Results:
    """Record the speakers that the network never heard."""
    record_run(open_run(folder, "test")).save(folder / "new-speakers.npz")
    return {split: evaluate_run(folder, split).accuracy for split in ("valid", "test")}


def cross_fitted(_: Cell, folder: Path) -> Results:
    """Return what the speakers of a third, and all together, certify, and how often draws of them break a promise about all."""
    folds = [ExitRecord.load(folder.parent / f"crossfit-{fold}" / "new-speakers.npz") for fold in range(FOLDS)]
    pooled = _joined(folds)
    others = [_joined([one for one in folds if one is not left]) for left in folds]
    found: Results = {"speakers": _count(pooled), "steps": float(pooled.ends.double().mean()), "certified": []}
    for count, records in ((_count(folds[0]), folds), (_count(pooled), [pooled])):
        for eps in _WANTED[count]:
            policies = [fit(one, _RULE, NewGroupGuarantee(eps, DELTA, by="speaker"), fallback=True) for one in records]
            outside = [_mean(_risks(policy, other)) for policy, other in zip(policies, others, strict=False)] if len(records) > 1 else []
            found["certified"].append([count, eps, _mean(policy.mean_steps for policy in policies), _mean(outside) if outside else None])
    found["smallest"] = {str(count): smallest_eps(count, DELTA) for count in (9, 27, 30)}
    found["known"] = [
        [eps, fit(pooled, _RULE, KnownGroupsGuarantee(eps, DELTA, by="speaker"), fallback=True).mean_steps] for eps in (0.01, 0.02, 0.05)
    ]
    usual = fit(pooled, _RULE, Guarantee(_USUAL, DELTA))
    found["usual"] = {"risk by speaker": sorted(_risks(usual, pooled)), "risk by fold": [_mean(_risks(usual, one)) for one in folds]}
    late = fit(pooled, _RULE, OverTimeGuarantee(0.2, DELTA, by="speaker"), fallback=True)
    found["over time"] = {"eps": 0.2, "steps": late.mean_steps, "statement": late.statement}
    found["draws"] = _broken(_half(pooled))
    return found


def _joined(records: list[ExitRecord]) -> ExitRecord:
    """One record of all these speakers."""
    return replace(joined(*records), model="").grouped("speaker")  # each network has its own fingerprint


def _half(record: ExitRecord) -> ExitRecord:
    """Every second input of each speaker, for speed."""
    assert record.groups is not None
    return record.subset(record.groups.argsort(stable=True)[::2])


def _broken(pooled: ExitRecord) -> Results:
    """Draws of speakers, with replacement, from the 27, for whom the risk of each threshold is known."""
    setting = Setting(_RULE)
    traces = setting.traces(pooled)
    whole, generator = sweep(traces), torch.Generator().manual_seed(0)
    loss, found = "accuracy-drop", Results()
    for count in (9, 27):
        eps, share = _WANTED[count][1], _SHARES[count]
        goals: dict[str, tuple[Guarantee, Callable[[Outcomes], Any]]] = {
            f"inputs taken as independent, eps {_USUAL:.0%}": (Guarantee(_USUAL, DELTA), overall(loss, _USUAL)),
            f"new speaker, eps {eps:.0%}": (NewGroupGuarantee(eps, DELTA, by="speaker"), mean_over_groups(loss, eps)),
            f"all but {share:.0%} of new speakers, eps {_USUAL:.0%}": (
                NewGroupGuarantee(_USUAL, DELTA, by="speaker", share=share),
                share_of_groups(loss, _USUAL, share),
            ),
        }
        excess = {name: risk(whole) for name, (_, risk) in goals.items()}
        counted = {name: {"violations": 0, "refused": 0, "steps": 0.0} for name in goals}
        for _draw in range(_DRAWS):
            part = sweep(_drawn(traces, torch.randint(_count(pooled), (count,), generator=generator)))
            for name, (goal, _) in goals.items():
                try:
                    threshold = part.thresholds[goal.choose(part)].item()
                except NoCertificateError:
                    index = 0
                    counted[name]["refused"] += 1 / _DRAWS
                else:
                    index = int((whole.thresholds > threshold).sum())
                counted[name]["violations"] += int(excess[name][index] > 1e-12) / _DRAWS if index else 0
                counted[name]["steps"] += int(whole.steps[index]) / whole.count / _DRAWS
        found |= {f"{count} speakers, {name}": {**one, "draws": _DRAWS} for name, one in counted.items()}
    return found


def _drawn(traces: Traces, speakers: torch.Tensor) -> Traces:
    """The inputs of drawn speakers; one that is drawn twice is two groups."""
    assert traces.groups is not None
    assert traces.right is not None
    rows = [(traces.groups == one).nonzero().squeeze(1) for one in speakers]
    chosen, groups = torch.cat(rows), torch.cat([torch.full_like(one, number) for number, one in enumerate(rows)])
    return Traces(traces.score[chosen], traces.ends[chosen], traces.differs[chosen], traces.right[chosen], groups)


def _count(record: ExitRecord) -> int:
    assert record.groups is not None
    return len(set(record.groups.tolist()))


def _risks(policy: Policy, record: ExitRecord) -> list[float]:
    """Share of the inputs of each speaker with a loss."""
    lost, groups = exit_losses(policy.rule, record, "accuracy-drop").double(), record.groups
    assert groups is not None
    return [float(lost[groups == one].mean()) for one in sorted(set(groups.tolist()))]


def _mean(values: Any) -> float:
    found = list(values)
    return float(sum(found) / len(found))
