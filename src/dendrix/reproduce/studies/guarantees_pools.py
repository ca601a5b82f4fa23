"""Simulations for the study of guarantees: made-up pools of inputs with known risks, and streams of losses."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...exits import (
    ExitRecord,
    Goal,
    Guarantee,
    KnownGroupsGuarantee,
    Margin,
    MaxProbability,
    Monitor,
    NewGroupGuarantee,
    NoCertificateError,
    OverTimeGuarantee,
    PredictionSet,
)
from ...exits.fitting.outcomes import Outcomes, events
from ...exits.fitting.over_time import exits_from, group_shares, stopped_by
from ...exits.fitting.setting import Setting

DELTA, DRAWS = 0.1, 400
_FEWER = 100
"""Draws for guarantees over time, whose fits are slower."""
_STEPS, _CLASSES = 12, 5

Results = dict[str, Any]


def pool(groups: int, size: int, spread: float = 0.0, bad: float = 0.0, seed: int = 0) -> ExitRecord:
    """Inputs whose evidence drifts to the true class, in groups that differ.

    Args:
        groups: number of groups.
        size: inputs of each group.
        spread: standard deviation between groups of the mean drift, which is 0.9 per step beside noise of 1.
        bad: share of groups in which a wrong class leads clearly until the last step.
        seed: seed of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    count = groups * size
    group = torch.arange(groups).repeat_interleave(size)
    labels = torch.randint(_CLASSES, (count,), generator=generator)
    drift = 0.9 + spread * torch.randn(groups, generator=generator)[group] + 0.4 * torch.randn(count, generator=generator)
    outputs = torch.randn(count, _STEPS, _CLASSES, generator=generator)
    rows = torch.arange(count)
    outputs[rows, :, labels] += drift.unsqueeze(1)
    lost = (group < round(bad * groups)).nonzero().squeeze(1)
    if len(lost):
        # All inputs of a bad group stop at step 1 with a wrong answer, at a threshold at which ordinary inputs have no loss.
        outputs[lost] = 0
        wrong = (labels[lost] + 1) % _CLASSES
        outputs[lost, 0, wrong] = 8.0
        outputs[lost, -1, labels[lost]] = 20.0
    return ExitRecord(outputs, labels, groups=group, grouped_by="group")


def draws(record: ExitRecord, count: int, of_groups: bool, repeats: int = DRAWS, seed: int = 1) -> list[torch.Tensor]:
    """Random subsets of a pool, bool [N]: `count` inputs, or all inputs of `count` groups."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(repeats):
        if of_groups:
            assert record.groups is not None
            chosen = torch.randperm(int(record.groups.max()) + 1, generator=generator)[:count]
            found.append(torch.isin(record.groups, chosen))
        else:
            chosen = torch.zeros(len(record), dtype=torch.bool)
            chosen[torch.randperm(len(record), generator=generator)[:count]] = True
            found.append(chosen)
    return found


def broken(record: ExitRecord, setting: Setting, goal: Goal, chosen: list[torch.Tensor], risk: Callable[[Outcomes], Any]) -> Results:
    """Fit on every draw, and count how often the risk on the whole pool is larger than its bound.

    Args:
        record: the pool.
        setting: the rule.
        goal: the guarantee.
        chosen: the draws, bool [N].
        risk: from the outcomes of the pool to the excess of every threshold over its bound, [M].
    """
    everything = events(setting.traces(record))
    whole = everything.outcomes()
    excess, steps = np.asarray(risk(whole)), whole.steps.double().numpy() / whole.count
    thresholds = -whole.thresholds.numpy()
    violated, taken, refused = 0, 0.0, 0
    for among in chosen:
        part = everything.outcomes(among)
        try:
            found = part.thresholds[goal.choose(part)].item()
        except NoCertificateError:
            refused += 1
            taken += steps[0]
            continue
        index = min(int(np.searchsorted(thresholds, -found)), len(thresholds) - 1)
        violated += int(excess[index] > 1e-12)
        taken += steps[index]
    return {
        "violations": violated / len(chosen),
        "refused": refused / len(chosen),
        "draws": len(chosen),
        "steps": taken / len(chosen),
        "full_steps": float(steps[0]),
    }


def mean_over_groups(loss: str, eps: float) -> Callable[[Outcomes], Any]:
    """Excess of the mean risk over groups."""
    return lambda found: found.group_sums(loss, lambda lost, sizes: lost.double() / sizes) / _groups(found) - eps


def share_of_groups(loss: str, eps: float, share: float) -> Callable[[Outcomes], Any]:
    """Excess of the share of groups whose risk is larger than eps."""
    return lambda found: found.group_sums(loss, lambda lost, sizes: (lost > eps * sizes).double()) / _groups(found) - share


def any_group(loss: str, eps: float) -> Callable[[Outcomes], Any]:
    """Number of groups whose risk is larger than eps."""
    return lambda found: found.group_sums(loss, lambda lost, sizes: (lost > eps * sizes).double())


def overall(loss: str, eps: float) -> Callable[[Outcomes], Any]:
    """Excess of the risk over all inputs."""
    return lambda found: found.losses(loss).double() / found.count - eps


def _groups(found: Outcomes) -> int:
    assert found.events is not None
    assert found.events.groups is not None
    return int((found.events.groups.bincount() > 0).sum())


def new_groups() -> Results:
    """Promises for new groups on pools of 1,000 groups, beside the guarantee that ignores groups."""
    found: Results = {}
    eps, loss = 0.1, "disagreement"
    pools = {
        "equal groups": pool(1000, 20),
        "groups that differ": pool(1000, 20, spread=1.0),
        "one in ten groups is lost": pool(1000, 20, spread=0.2, bad=0.101),
    }
    for name, record in pools.items():
        for count in (24, 60, 200):
            chosen, setting = draws(record, count, of_groups=True), Setting(Margin(0.0))
            goals: dict[str, tuple[Goal, Any]] = {
                "inputs taken as independent": (Guarantee(eps, DELTA, loss), mean_over_groups(loss, eps)),
                "new group": (NewGroupGuarantee(eps, DELTA, loss), mean_over_groups(loss, eps)),
                "most new groups": (NewGroupGuarantee(0.3, DELTA, loss, share=0.1), share_of_groups(loss, 0.3, 0.1)),
            }
            for kind, (goal, risk) in goals.items():
                found[f"{name}, {count} groups, {kind}"] = broken(record, setting, goal, chosen, risk)
    return found


def known_groups() -> Results:
    """The guarantee for every known group of a pool at once, beside the guarantee for all inputs."""
    record, eps, loss = pool(6, 4000, spread=0.3), 0.05, "disagreement"
    found: Results = {}
    for count in (600, 2400):
        chosen, setting = draws(record, count, of_groups=False), Setting(Margin(0.0))
        for kind, goal in {"all inputs": Guarantee(eps, DELTA, loss), "each group": KnownGroupsGuarantee(eps, DELTA, loss)}.items():
            found[f"6 groups, {count} inputs, {kind}"] = broken(record, setting, goal, chosen, any_group(loss, eps))
    return found


def sets_and_abstention() -> Results:
    """Coverage of prediction sets, and wrong answers on inputs of none of the classes."""
    found: Results = {}
    record = pool(1, 10_000)
    for count in (100, 500):
        chosen = draws(record, count, of_groups=False)
        for size in (1, 2):
            setting = Setting(PredictionSet(1.0, size=size, scale=3.0))
            found[f"sets of at most {size}, {count} inputs"] = broken(
                record, setting, Guarantee(0.05, DELTA, "missed-class"), chosen, overall("missed-class", 0.05)
            )
    noise = pool(1, 5000, seed=5)
    noise = replace(noise, outputs=torch.randn(noise.outputs.shape, generator=torch.Generator().manual_seed(3)))
    opened = record.subset(torch.arange(5000)).with_unknown(noise)
    for count in (200, 1000):
        chosen, goal = draws(opened, count, of_groups=False), KnownGroupsGuarantee(0.05, DELTA, "wrong-answer", by="known")
        setting = Setting(MaxProbability(1.0, scale=3.0))
        found[f"none of these, {count} inputs"] = broken(opened, setting, goal, chosen, any_group("wrong-answer", 0.05))
    return found


def over_time() -> Results:
    """The guarantee for every stopping time, beside the one for all inputs, where early exits are the worse ones."""
    eps, loss, rule = 0.05, "disagreement", Setting(Margin(0.0))
    record = pool(1, 8000)
    # One input in 40 has a wrong answer with a high score at the first step.
    early = torch.arange(len(record)) % 40 == 0
    outputs = record.outputs.clone()
    outputs[early, 0] = 0
    outputs[early, 0, (record.truth[early] + 1) % _CLASSES] = 8.0
    record = replace(record, outputs=outputs)
    traces = rule.traces(record)
    found: Results = {}
    for count in (400, 1500):
        fit = record.subset(draws(record, count, of_groups=False, repeats=1, seed=7)[0])
        for kind, goal in {"all inputs": Guarantee(eps, DELTA, loss), "over time": OverTimeGuarantee(eps, DELTA, loss)}.items():
            violated, refused, steps, worst = 0, 0, 0.0, 0.0
            chosen = draws(record, count, of_groups=False, repeats=_FEWER)
            best = goal.best_threshold(rule, fit, None) if isinstance(goal, OverTimeGuarantee) else None
            for among in chosen:
                try:
                    choice = goal.find(rule, record.subset(among), fit, None if best is None else [best])
                except NoCertificateError:
                    refused, steps = refused + 1, steps + _STEPS
                    continue
                threshold = choice.rule.thresholds[0]
                exits = exits_from(traces, threshold)[:, choice.rule.min_steps - 1]
                lost = traces.differs.numpy()[np.arange(len(exits)), exits - 1]
                by, lost_by = stopped_by(exits, lost, _STEPS)
                risk = float(np.max(lost_by[by > 0] / by[by > 0]))
                violated, steps, worst = violated + int(risk > eps), steps + float(exits.mean()), max(worst, risk)
            found[f"{count} inputs, {kind}"] = {
                "violations": violated / len(chosen),
                "refused": refused / len(chosen),
                "draws": len(chosen),
                "steps": steps / len(chosen),
                "full_steps": float(_STEPS),
                "worst": worst,
            }
    return found


def groups_over_time() -> Results:
    """The guarantee for new groups and every stopping time, beside the one over time that takes inputs as independent."""
    eps, loss, setting = 0.1, "disagreement", Setting(Margin(0.0))
    record = _hasty_groups()
    traces = setting.traces(record)
    assert record.groups is not None
    groups = record.groups.numpy()
    fitted = record.subset(draws(record, 60, of_groups=True, repeats=1, seed=7)[0])
    goals = {
        "inputs taken as independent": OverTimeGuarantee(eps, DELTA, loss),
        "new group": OverTimeGuarantee(eps, DELTA, loss, by="group"),
    }
    found: Results = {}
    for count in (60, 200):
        chosen = draws(record, count, of_groups=True, repeats=_FEWER)
        for kind, goal in goals.items():
            best, violated, refused, steps = goal.best_threshold(setting, fitted, None), 0, 0, 0.0
            for among in chosen:
                try:
                    choice = goal.find(setting, record.subset(among), fitted, [best])
                except NoCertificateError:
                    refused, steps = refused + 1, steps + _STEPS
                    continue
                exits = exits_from(traces, choice.rule.thresholds[0])[:, choice.rule.min_steps - 1]
                lost = traces.differs.numpy()[np.arange(len(exits)), exits - 1]
                by, lost_by = (shares.sum(0) for shares in group_shares(exits, lost, _STEPS, groups))
                violated += int(bool((lost_by[by > 0] > eps * by[by > 0]).any()))
                steps += float(exits.mean())
            found[f"{count} groups, {kind}"] = {
                "violations": violated / len(chosen),
                "refused": refused / len(chosen),
                "draws": len(chosen),
                "steps": steps / len(chosen),
                "full_steps": float(_STEPS),
            }
    return found


def _hasty_groups() -> ExitRecord:
    """A thousand groups; in one of 18, nine inputs in ten have a wrong answer with a high score at the third step."""
    record = pool(1000, 20, spread=0.2, seed=3)
    assert record.groups is not None
    early = (record.groups % 18 == 0) & (torch.arange(len(record)) % 10 > 0)
    outputs = record.outputs.clone()
    outputs[early, :3] = 0
    outputs[early, 2, (record.truth[early] + 1) % _CLASSES] = 8.0
    return replace(record, outputs=outputs)


ALPHA, RISK = 0.05, 0.02
_RUNS, _LENGTH = 200, 10_000


def alarms() -> Results:
    """False alarms of a monitor over long runs, and delays after a drift."""
    rng = np.random.default_rng(0)
    in_control = {
        "risk 0.02, as promised": np.full(_LENGTH, RISK),
        "risk 0.01": np.full(_LENGTH, RISK / 2),
        "risk 0.02 in every second block of 500, else 0": np.where(np.arange(_LENGTH) // 500 % 2, RISK, 0.0),
    }
    found: Results = {"false": {}, "delay": {}}
    for name, risks in in_control.items():
        rung = sum(Monitor(RISK, ALPHA).observe((rng.random(_LENGTH) < risks).tolist()).alarm for _ in range(_RUNS))
        found["false"][name] = {"alarms": rung / _RUNS, "runs": _RUNS, "losses": _LENGTH}
    for start in (0, 1000, 10_000):
        for ratio in (2, 4, 8):
            delays = []
            for _ in range(50):
                before = Monitor(RISK, 0.01).observe((rng.random(start) < RISK / 2).tolist())
                after = before.observe((rng.random(4000) < ratio * RISK).tolist())
                delays.append(np.inf if after.alarm_at is None else after.alarm_at - start)
            found["delay"][f"{ratio} times the risk from loss {start} on"] = {
                "median": _finite(np.median(delays)),
                "90 %": _finite(np.quantile(delays, 0.9, method="higher")),
                "found": float(np.isfinite(delays).mean()),
            }
    return found


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
