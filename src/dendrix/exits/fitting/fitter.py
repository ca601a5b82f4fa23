"""Fit of an exit rule to a record: the threshold for a goal and, on request, the rule, its scale and one threshold per step."""

from collections.abc import Sequence
from dataclasses import replace

from ...core import SEEDS, expect_count, expect_one_of
from ...errors import InputError, NoCertificateError
from ..decisions import scores
from ..policy import Policy, named_rule
from ..records import ExitRecord
from ..rules.base import ExitRule
from .dynamic import fit_dynamic_path
from .goals import Goal, Pareto, expect_rising
from .outcomes import trace
from .parts import Parts, digest, split
from .per_step import fit_path
from .scale import fit_scale
from .setting import Setting

PATHS = ("isotonic", "dynamic")
"""Kinds of thresholds per step."""

_AUTOMATIC = ("max-probability", "entropy", "margin", "patience")
"""Rules that are compared if none is given; without labels, the last two."""

_FOR_SETTINGS = 0.25
"""Share of a record that chooses rule and scale if none is given."""


def fit(
    record: ExitRecord | Parts,
    rule: str | ExitRule | Sequence[str | ExitRule] | None = None,
    goal: Goal = Pareto(),
    *,
    scale: str | None = None,
    per_step: bool | str = False,
    thresholds: Sequence[float] | None = None,
    fallback: bool = False,
    seed: int = 0,
) -> Policy:
    """Fit an exit rule to recorded outputs.

    Settings that are fitted use other inputs than the threshold does, because a guarantee would otherwise be void: the record is split at
    random into as many parts as the arguments require; by groups, if the goal is about new groups. A policy that stops no input of its
    certification part early has `stops_early` False, and its statement gives the reason.

    Args:
        record: the calibration inputs, which nothing was trained on; or its parts, to choose the split yourself.
        rule: a name, or a rule with its own scale and first step (its threshold is ignored). Of several, the best on the part "fit". None
            compares max-probability and entropy, with a fitted scale, margin and patience on a quarter of the record; if the rest would
            not be enough for the goal, it takes margin, which needs no settings.
        goal: `Pareto`, `MeanSteps`, `Guarantee`, `NewGroupGuarantee`, `KnownGroupsGuarantee` or `OverTimeGuarantee`.
        scale: fit the scale of the rule on the part "selection", by "ece" or "nll"; None keeps that of the rule.
        per_step: fit one threshold per step, from a path that is fitted on the part "fit": "isotonic" (or True) by isotonic regression,
            "dynamic" by dynamic programming.
        thresholds: the only candidates, in rising order; by default all distinct ones.
        fallback: where a guarantee is impossible, return a policy that never stops early instead of raising.
        seed: seed of the split.
    Raises:
        NoCertificateError: the guarantee is impossible on so few inputs, or none of `thresholds` passes.
        ValueError: labels are missing where they are needed, or settings contradict each other.
    """
    expect_count(seed, SEEDS, "seed")
    path = _path_kind(per_step)
    if thresholds is not None:
        expect_rising(thresholds)
        if path:
            raise InputError("thresholds: expected none with per_step, which has a path of its own. Give one or the other.")
    if isinstance(record, ExitRecord):
        record = goal.prepared(record)
    automatic = rule is None and scale is None and thresholds is None and (path is not None or goal.needs_fit or _can_choose(record, goal))
    if automatic:
        rules = _automatic(record)
    else:
        # Without inputs to choose on: margin, which has no scale.
        rules = _given(rule if rule is not None else "margin" if scale is None and thresholds is None else "max-probability")
    parts = _parts(record, scale is not None, automatic or path is not None or len(rules) > 1 or goal.needs_fit, automatic, goal, seed)
    _expect_early(rules, parts.certification)
    notes = []
    if automatic and parts.fit is not None and parts.fit.labels is not None:
        rules, note = fit_scale(rules, parts.fit, "ece")
        notes.append(note)
    if parts.selection is not None and scale is not None:
        rules, note = fit_scale(rules, parts.selection, scale)
        notes.append(note)
    setting = _best(rules, parts.fit, goal, path)
    full_steps = int(parts.certification.ends.sum())
    try:
        found = goal.find(setting, parts.certification, parts.fit, thresholds)
        chosen, steps = found.rule, found.steps
        notes.insert(0, found.statement)
        if steps == full_steps:
            notes.append(_why_never(setting.rule, parts.certification))
        elif thresholds is not None and found.lowest:
            notes.append("The threshold is the lowest of those given; a lower one may be faster.")
    except NoCertificateError as reason:
        if not fallback:
            raise
        chosen, steps = replace(setting.rule, threshold=setting.rule.span[1]), full_steps
        notes.insert(0, f"No input stops early, so no accuracy is lost. No faster threshold could be certified: {reason}")
    return _policy(chosen, goal, " ".join(filter(None, notes)), parts, steps, steps < full_steps, record, seed)


def _path_kind(per_step: bool | str) -> str | None:
    if isinstance(per_step, bool):
        return PATHS[0] if per_step else None
    return expect_one_of(per_step, PATHS, "per_step")


def _given(rule: str | ExitRule | Sequence[str | ExitRule]) -> list[ExitRule]:
    rules = [named_rule(one) if isinstance(one, str) else one for one in ([rule] if isinstance(rule, (str, ExitRule)) else rule)]
    if not rules:
        raise InputError("rule: expected at least one, got none. Name one, such as 'max-probability'.")
    return rules


def _expect_early(rules: Sequence[ExitRule], record: ExitRecord) -> None:
    """Check that the first step at which a rule may stop is one of the record."""
    steps = record.outputs.shape[1]
    for rule in rules:
        if rule.min_steps > steps:
            raise InputError(f"min_steps: expected at most {steps}, the steps of the record, got {rule.min_steps}. Choose an earlier step.")


def _automatic(record: ExitRecord | Parts) -> list[ExitRule]:
    labelled = (record if isinstance(record, ExitRecord) else record.certification).labels is not None
    return _given(_AUTOMATIC if labelled else _AUTOMATIC[2:])


def _can_choose(record: ExitRecord | Parts, goal: Goal) -> bool:
    """Whether rule and scale can be chosen on inputs that the goal does not need."""
    return record.fit is not None if isinstance(record, Parts) else goal.enough(record, 1 - _FOR_SETTINGS)


def _parts(record: ExitRecord | Parts, selection: bool, fit: bool, automatic: bool, goal: Goal, seed: int) -> Parts:
    if isinstance(record, ExitRecord):
        units = record.groups if goal.whole_groups else None
        return split(record, selection, fit, seed, _FOR_SETTINGS if automatic else 0.5, units)
    wanted = {"selection": selection, "fit": fit}
    for name, needed in wanted.items():
        if needed and name not in record.records:
            raise InputError(f"{name}: expected a record to choose settings on, got none. Give Parts(..., {name}=...), or one record.")
    given = {
        "certification": record.certification,
        "selection": record.selection if selection else None,
        "fit": record.fit if fit else None,
    }
    if goal.whole_groups:
        _expect_other_groups(record)
    return Parts(**{name: None if one is None else goal.prepared(one) for name, one in given.items()})  # type: ignore[arg-type]


def _expect_other_groups(parts: Parts) -> None:
    """Check that no group that chose settings is in the certification; groups of different parts with one number are the same group."""
    numbers = {name: set() if one.groups is None else set(one.groups.tolist()) for name, one in parts.records.items()}
    certifying = numbers.pop("certification")
    for name, theirs in numbers.items():
        if both := certifying & theirs:
            raise InputError(
                f"{name}: expected other groups than in certification, but {len(both)} are in both, such as {min(both)}. A guarantee for a "
                "new group needs groups that chose nothing; divide the groups, and number them alike in all parts."
            )


def _best(rules: Sequence[ExitRule], record: ExitRecord | None, goal: Goal, path: str | None) -> Setting:
    """The rule that ranks best for the goal on these inputs."""
    if record is None:
        return Setting(rules[0])
    settings = [_setting(rule, record, goal, path) for rule in rules]
    return min(settings, key=lambda setting: goal.rank(setting.outcomes(record))) if len(settings) > 1 else settings[0]


def _setting(rule: ExitRule, record: ExitRecord, goal: Goal, path: str | None) -> Setting:
    if path is None:
        return Setting(rule)
    if goal.loss == "missed-class":
        raise InputError(
            "per_step: expected none for the loss missed-class, because a prediction set has one threshold. Leave per_step out."
        )
    traces = trace(rule, record)
    fitted = fit_path if path == "isotonic" else fit_dynamic_path
    return Setting(rule, fitted(traces, traces.lost(goal.loss), rule.span[1]))


def _why_never(rule: ExitRule, record: ExitRecord) -> str:
    """Return the reason why no input of a record stops early, and a remedy."""
    never = "No calibration input stops early with this policy."
    if rule.min_steps == record.outputs.shape[1]:
        return f"{never} Its min_steps, {rule.min_steps}, is the last step of the record. Choose an earlier one."
    certain = (scores(rule, record)[record.valid] == rule.span[1]).double().mean().item()
    if not certain:
        return f"{never} Try another rule, or a less strict goal."
    return (
        f"{never} {100 * certain:.3g} % of its scores are equal to the maximum, {rule.span[1]:g}, and no threshold separates them: the "
        "evidence is too large for the scale. Fit the scale (scale='ece', or --scale auto), or use the rule margin."
    )


def _policy(
    rule: ExitRule, goal: Goal, statement: str, parts: Parts, total: int, stops_early: bool, record: ExitRecord | Parts, seed: int
) -> Policy:
    last = parts.certification
    count, steps, classes = last.outputs.shape
    given = [record] if isinstance(record, ExitRecord) else parts.records.values()
    return Policy(
        rule=rule,
        goal=goal,
        statement=statement,
        accumulation=last.accumulation,
        steps=steps,
        classes=classes,
        varies=last.lengths is not None,
        dt_ms=last.dt_ms,
        model=last.model,
        parts=parts.sizes,
        mean_steps=total / count,
        stops_early=stops_early,
        data=tuple(digest(part) for part in given),
        seed=seed,
    )
