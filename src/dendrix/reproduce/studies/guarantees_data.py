"""Guarantees on spoken commands and on sentences, for the study of guarantees."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...exits import (
    ExitRecord,
    Guarantee,
    KnownGroupsGuarantee,
    MaxProbability,
    Monitor,
    NewGroupGuarantee,
    OverTimeGuarantee,
    Policy,
    by_stopping_time,
    decide,
    exit_losses,
    fit,
    prediction_sets,
    smallest_eps,
)
from ...exits.fitting.setting import Setting
from ...runs.evaluation import record_run
from ...runs.opened import Split, open_run
from ..study import Cell
from .guarantees_pools import DELTA, any_group, broken, draws

RECORDS = "records"
_SPLITS: tuple[Split, ...] = ("train", "valid", "test")
_RULE = MaxProbability(1.0)
_EPS = 0.02
_HELD_OUT = 10
"""Words of the commands that count as unknown."""

Results = dict[str, Any]


def record(_: Cell, folder: Path) -> Results:
    """Record the shipped networks on all splits."""
    counts = {}
    for network, splits in (("commands", _SPLITS), ("fsdd", _SPLITS[1:])):
        for split in splits:
            found = record_run(open_run(network, split))
            found.save(folder / f"{network}-{split}.npz")
            counts[f"{network} {split}"] = len(found)
    return counts


def _load(folder: Path, name: str) -> ExitRecord:
    return ExitRecord.load(folder.parent / RECORDS / f"{name}.npz")


def joined(*records: ExitRecord) -> ExitRecord:
    """One record of several of one network; speakers have the same numbers in all."""
    first = records[0]
    parts: dict[str, Any] = {
        name: torch.cat([getattr(one, name) for one in records]) for name in ("outputs", "labels", "groups") if first.groups is not None
    }
    return replace(first, **parts)


def speakers(_: Cell, folder: Path) -> Results:
    """Promises for speakers on the nine of the commands that the network was not trained on, each left out once."""
    new = joined(_load(folder, "commands-valid"), _load(folder, "commands-test")).grouped("speaker")
    trained = _load(folder, "commands-train").grouped("speaker")
    assert new.groups is not None
    left_out = []
    for speaker in sorted(set(new.groups.tolist())):
        inside, outside = new.subset(new.groups != speaker), new.subset(new.groups == speaker)
        policies = {
            "inputs taken as independent": fit(inside, _RULE, Guarantee(_EPS, DELTA)),
            "new speaker": fit(inside, _RULE, NewGroupGuarantee(0.26, DELTA, by="speaker")),
            "most new speakers": fit(inside, _RULE, NewGroupGuarantee(_EPS, DELTA, by="speaker", share=0.28)),
        }
        left_out.append({kind: _figures(policy, outside) for kind, policy in policies.items()})
    by_training = fit(trained, _RULE, Guarantee(_EPS, DELTA))
    chosen = draws(new, 2700, of_groups=False, repeats=200)
    known = {
        "all inputs": broken(new, Setting(_RULE), Guarantee(_EPS, DELTA), chosen, any_group("accuracy-drop", _EPS)),
        "each speaker": broken(
            new, Setting(_RULE), KnownGroupsGuarantee(_EPS, DELTA, by="speaker"), chosen, any_group("accuracy-drop", _EPS)
        ),
    }
    return {
        "left out": left_out,
        "known": known,
        "smallest": {str(count): smallest_eps(count, DELTA) for count in (5, 9, 18, 27, 100)},
        "fitted on training speakers": {"on them": _figures(by_training, trained), "on new speakers": _figures(by_training, new)},
        "speakers": len(left_out),
    }


def policies(_: Cell, folder: Path) -> Results:
    """Ways to fit on the validation clips of the commands, on the test clips."""
    valid, test = _load(folder, "commands-valid"), _load(folder, "commands-test")
    goal, found = Guarantee(_EPS, DELTA), Results()
    for name, options in {
        "max-probability, scale 1": {"rule": _RULE},
        "no options": {},
        "per step, isotonic": {"per_step": "isotonic"},
        "per step, dynamic programming": {"per_step": "dynamic"},
    }.items():
        found[name] = _figures(fit(valid, goal=goal, **options), test)  # type: ignore[arg-type]
    over_time = {
        "all inputs": fit(valid, _RULE, Guarantee(0.05, DELTA)),
        "over time": fit(valid, _RULE, OverTimeGuarantee(0.05, DELTA)),
    }
    return {
        "fits": found,
        "over time": {
            name: {
                **_figures(policy, test),
                "times": [
                    [part.name, part.count, part.accuracy, part.risk] for part in by_stopping_time(policy.rule, test, "accuracy-drop")
                ],
            }
            for name, policy in over_time.items()
        },
        "full_steps": float(test.ends.double().mean()),
    }


def sets(_: Cell, folder: Path) -> Results:
    """Prediction sets on the commands, and "none of these" for words whose outputs are left out."""
    from ...exits import PredictionSet, best_scale

    valid, test = _load(folder, "commands-valid"), _load(folder, "commands-test")
    half = torch.arange(len(valid)) % 2 == 0
    scale = best_scale(valid.subset(half))
    found: Results = {"sets": {}, "none of these": {}}
    for size in (1, 2, 3, 5):
        policy = fit(valid.subset(~half), PredictionSet(1.0, size=size, scale=scale), Guarantee(0.05, DELTA, "missed-class"))
        members = prediction_sets(policy.rule, test).sum(1).double()
        found["sets"][str(size)] = {**_figures(policy, test), "mean_size": members.mean().item(), "largest": int(members.max())}
    kept = test.outputs.shape[2] - _HELD_OUT

    def opened(one: ExitRecord) -> ExitRecord:
        cut = replace(one, outputs=one.outputs[..., :kept], labels=torch.where(one.truth < kept, one.truth, -1))
        inside = cut.truth >= 0
        return cut.subset(inside).with_unknown(cut.subset(~inside))

    for eps in (0.05, 0.1):
        policy = fit(opened(valid), MaxProbability(1.0, scale=scale), KnownGroupsGuarantee(eps, DELTA, "wrong-answer", by="known"))
        decisions, after = decide(policy.rule, opened(test)), opened(test)
        unknown, right = after.truth < 0, decisions.answers == after.truth
        found["none of these"][str(eps)] = {
            "known wrong": _share((decisions.stopped & ~right)[~unknown]),
            "unknown answered": _share(decisions.stopped[unknown]),
            "known answered correctly": _share((decisions.stopped & right)[~unknown]),
            "steps": decisions.steps.double().mean().item(),
        }
    return found


def watched(_: Cell, folder: Path) -> Results:
    """A monitor of the agreement with full runs, on clips of the commands before and after their sound is disturbed."""
    valid, test = _load(folder, "commands-valid"), _load(folder, "commands-test")
    policy = fit(valid, _RULE, Guarantee(_EPS, DELTA, "disagreement"))
    generator = torch.Generator().manual_seed(0)
    steady = exit_losses(policy.rule, test, "disagreement")
    disturbed = replace(test, outputs=test.outputs + 0.4 * test.outputs.std() * torch.randn(test.outputs.shape, generator=generator))
    drifted = exit_losses(policy.rule, disturbed, "disagreement")
    delays, alarms = [], 0
    for _repeat in range(50):
        before = Monitor(_EPS, 0.01).observe(steady[torch.randint(len(test), (1000,), generator=generator)].tolist())
        alarms += before.alarm
        after = before.observe(drifted[torch.randint(len(test), (2000,), generator=generator)].tolist())
        delays.append(float("inf") if after.alarm_at is None else after.alarm_at - 1000)
    median = sorted(delays)[len(delays) // 2]
    return {
        "steady": _share(steady),
        "drifted": _share(drifted),
        "alarms before": alarms / 50,
        "median delay": None if median == float("inf") else median,
    }


def _figures(policy: Policy, record: ExitRecord) -> Results:
    goal: Any = policy.goal
    decisions = decide(policy.rule, record)
    return {
        "risk": _share(exit_losses(policy.rule, record, goal.loss)),
        "eps": goal.eps,
        "accuracy": _share(decisions.answers == record.truth),
        "steps": decisions.steps.double().mean().item(),
        "full_steps": record.ends.double().mean().item(),
    }


def _share(values: torch.Tensor) -> float:
    return values.double().mean().item()


CELLS: dict[str, Callable[[Cell, Path], Results]] = {"speakers": speakers, "policies": policies, "sets": sets, "watched": watched}
"""Cells that read the records."""
