"""Fit of an exit rule to a record: the threshold for a goal and, on request, the rule, its scale and one threshold per step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import InputError, NoCertificateError
from ..decisions import scores
from ..policy import Policy, named_rule
from ..records import ExitRecord
from ..rules.base import ExitRule
from .goals import Goal, Pareto, expect_rising
from .outcomes import Outcomes, sweep, trace
from .parts import Parts, digest, split
from .per_step import Path, fit_path
from .scale import fit_scale


@dataclass(frozen=True)
class _Setting:
    """Everything but the threshold: a rule, and the path of its thresholds per step, if it has one."""

    rule: ExitRule
    path: Path | None

    def outcomes(self, record: ExitRecord) -> Outcomes:
        traces = trace(self.rule, record)
        return sweep(traces if self.path is None else replace(traces, score=self.path.level(traces.score)))

    def at(self, threshold: float) -> ExitRule:
        return replace(self.rule, threshold=threshold if self.path is None else self.path.thresholds(threshold))


def fit(
    record: ExitRecord | Parts,
    rule: str | ExitRule | Sequence[str | ExitRule] = "max-probability",
    goal: Goal = Pareto(),
    *,
    scale: str | None = None,
    per_step: bool = False,
    thresholds: Sequence[float] | None = None,
    fallback: bool = False,
    seed: int = 0,
) -> Policy:
    """Fit an exit rule to recorded outputs.

    Settings that are fitted use other inputs than the threshold does, because a guarantee would otherwise be void: the record is split at
    random into as many parts as the arguments require. A policy that stops no input of its certification part early has
    `stops_early` False, and its statement says why.

    Args:
        record: the calibration inputs, which nothing was trained on; or its parts, to choose the split yourself.
        rule: a name, or a rule with its own scale and first step (its threshold is ignored). Of several, the best on the part "fit".
        goal: `Pareto`, `MeanSteps` or `Guarantee`.
        scale: fit the scale of the rule on the part "selection", by "ece" or "nll"; None keeps that of the rule.
        per_step: fit one threshold per step, from a path that is fitted on the part "fit".
        thresholds: the only candidates, in rising order; by default all distinct ones.
        fallback: where a guarantee is impossible, return a policy that never stops early instead of raising.
        seed: seed of the split.
    Raises:
        NoCertificateError: the guarantee is impossible on so few inputs, or none of `thresholds` passes.
        ValueError: labels are missing where they are needed, or settings contradict each other.
    """
    rules = [named_rule(one) if isinstance(one, str) else one for one in ([rule] if isinstance(rule, (str, ExitRule)) else rule)]
    if not rules:
        raise InputError("rule: expected at least one, got none. Name one, such as 'max-probability'.")
    if thresholds is not None:
        expect_rising(thresholds)
        if per_step:
            raise InputError("thresholds: expected none with per_step, which has a path of its own. Give one or the other.")
    parts = _parts(record, scale is not None, per_step or len(rules) > 1, seed)
    notes = []
    if parts.selection is not None and scale is not None:
        rules, note = fit_scale(rules, parts.selection, scale)
        notes.append(note)
    setting = _best(rules, parts.fit, goal, per_step)
    outcomes = setting.outcomes(parts.certification)
    if thresholds is not None:
        outcomes = outcomes.at(thresholds)
    full_steps = int(parts.certification.ends.sum())
    try:
        index = goal.choose(outcomes)
        chosen, steps = setting.at(outcomes.thresholds[index].item()), int(outcomes.steps[index])
        notes.insert(0, goal.statement(outcomes, index))
        if steps == full_steps:
            notes.append(_why_never(setting.rule, parts.certification))
        elif thresholds is not None and index == len(thresholds) - 1:
            notes.append("The threshold is the lowest of those given; a lower one may be faster.")
    except NoCertificateError as reason:
        if not fallback:
            raise
        chosen, steps = replace(setting.rule, threshold=setting.rule.span[1]), full_steps
        notes.insert(0, f"No input stops early, so no accuracy is lost. No faster threshold could be certified: {reason}")
    return _policy(chosen, goal, " ".join(filter(None, notes)), parts, steps, steps < full_steps, record, seed)


def _parts(record: ExitRecord | Parts, selection: bool, fit: bool, seed: int) -> Parts:
    if isinstance(record, ExitRecord):
        return split(record, selection, fit, seed)
    wanted = {"selection": selection, "fit": fit}
    for name, needed in wanted.items():
        if needed and name not in record.records:
            raise InputError(f"{name}: expected a record to choose settings on, got none. Give Parts(..., {name}=...), or one record.")
    return Parts(record.certification, record.selection if selection else None, record.fit if fit else None)


def _best(rules: Sequence[ExitRule], record: ExitRecord | None, goal: Goal, per_step: bool) -> _Setting:
    """The rule that ranks best for the goal on these inputs."""
    if record is None:
        return _Setting(rules[0], None)
    settings = [_Setting(rule, fit_path(trace(rule, record), goal, rule.span[1]) if per_step else None) for rule in rules]
    return min(settings, key=lambda setting: goal.rank(setting.outcomes(record))) if len(settings) > 1 else settings[0]


def _why_never(rule: ExitRule, record: ExitRecord) -> str:
    """Return the reason why no input of a record stops early, and a remedy."""
    never = "No calibration input stops early with this policy."
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
