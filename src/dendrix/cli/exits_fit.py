"""The command `dendrix exits fit`: options of rules and goals."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..errors import MisuseError
from .output import print_json

RuleName = Literal["max-probability", "margin", "entropy", "patience", "fixed-steps", "prediction-set"]
Loss = Literal["accuracy-drop", "disagreement", "wrong-answer", "missed-class"]
GoalName = Literal["pareto", "mean-steps", "guarantee", "guarantee-new-group", "guarantee-known-groups", "guarantee-over-time"]
RecordFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECORD.npz")]
_OPTIONS = {"at_most": "steps"}
"""Options whose names differ from the fields of their goal."""


def fit(
    record: RecordFile,
    out: Path,
    goal: GoalName = "pareto",
    rule: tuple[RuleName, ...] = (),
    scale: Literal["auto"] | float | None = None,
    per_step: bool = False,
    path: Literal["isotonic", "dynamic"] = "isotonic",
    min_steps: int = 1,
    set_size: int | None = None,
    eps: float | None = None,
    delta: float | None = None,
    loss: Loss | None = None,
    by: str | None = None,
    share: float | None = None,
    unknown: Path | None = None,
    steps: float | None = None,
    fallback: bool = False,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Fit an exit rule to recorded outputs and write it as a policy.

    Args:
        record: outputs from `dendrix exits record` on inputs that were not used for training.
        out: policy to write, a JSON file.
        goal: pareto: the fastest rule that loses at most EPS of accuracy on this record. mean-steps: the most accurate one within
            a mean of STEPS. guarantee: the fastest one whose risk is at most EPS with probability 1 - DELTA; with BY, for an input of a
            new group. guarantee-known-groups: the same in each group of the record at once. guarantee-over-time: the same among the
            inputs stopped by any step; with BY, among those of a new group.
        rule: exit rule; if several, the best on a part of the record. By default the best of max-probability, entropy, margin and patience,
            with a fitted scale; margin if the record is too small for that.
        scale: divisor of the evidence of max-probability and entropy; auto chooses the best calibrated one on a part of the record.
        per_step: fit a threshold for every step.
        path: fit of these thresholds, by isotonic regression or dynamic programming.
        min_steps: earliest step at which an input may exit.
        set_size: number of classes of a prediction set that is small enough to stop (prediction-set, default 1).
        eps: accuracy that may be lost (pareto, default 0), or the acceptable risk (guarantee, default 0.01).
        delta: probability with which a guarantee may fail (default 0.1).
        loss: risk of a guarantee: correct answers that become wrong (default); answers that differ from the final ones, without labels;
            wrong answers of inputs that stop, where others are answered "none of these"; or prediction sets without the true class.
        by: kind of the groups, such as speaker, as recorded; class takes the true classes.
        share: share of new groups whose risk may be larger than EPS; by default EPS bounds the mean over groups.
        unknown: outputs of the same network on inputs of none of its classes, as examples of "none of these" (wrong-answer).
        steps: largest mean number of steps (mean-steps).
        fallback: if no guarantee is possible, write a policy that never exits early.
        seed: seed of the split of the record into parts.
        json: print JSON.
    """
    from .. import exits
    from ..core.files import expect_writable
    from ..exits.rules.names import in_words

    expect_writable(out)
    if out.exists() and out.samefile(record):
        raise MisuseError(f"out: expected another file than the record, got {out} for both. Give a name such as policy.json.")
    if by == "":
        raise MisuseError("by: expected the kind of the groups, such as speaker, got an empty name. Name it, or leave --by out.")
    if goal == "guarantee" and by is not None:
        goal = "guarantee-new-group"
    chosen = _goal(goal, eps=eps, delta=delta, loss=loss, at_most=steps, by=by, share=share)
    rules = _rules(rule, scale, min_steps, set_size)
    recorded = exits.ExitRecord.load(record)
    if unknown is not None:
        if loss != "wrong-answer":
            raise MisuseError("unknown: expected it with --loss wrong-answer, got another loss. Add the loss, or leave --unknown out.")
        recorded = recorded.with_unknown(exits.ExitRecord.load(unknown))
    policy = exits.fit(
        recorded,
        rules,
        chosen,
        scale="ece" if scale == "auto" else None,
        per_step=path if per_step else False,
        fallback=fallback,
        seed=seed,
    )
    policy.save(out)
    if json:
        print_json({"file": str(out), **policy.to_dict()})
        return
    print(f"{in_words(policy.rule)}: {policy.mean_steps:.2f} of {policy.steps} steps on average.")
    print(policy.statement)
    print(f"Saved in {out}. Next: dendrix exits report {out} TEST.npz")


def _goal(name: GoalName, **given: Any) -> Any:
    """Return the goal of this name with the given options; refuse options of other goals."""
    from ..exits.policy import GOALS

    kind = GOALS[name]
    known = [field.name for field in fields(kind)]
    values = {option: value for option, value in given.items() if value is not None}
    if foreign := [_OPTIONS.get(option, option) for option in values if option not in known]:
        own = ", ".join(f"--{_OPTIONS.get(option, option)}" for option in known)
        raise MisuseError(f"goal: expected options of {name}, {own}, got --{foreign[0]}. Leave it out.")
    if name == "mean-steps" and not values:
        raise MisuseError("steps: expected the largest mean number of steps for --goal mean-steps, got none. Give --steps.")
    return kind(**values)


def _rules(names: Sequence[RuleName], scale: Literal["auto"] | float | None, min_steps: int, set_size: int | None) -> list[Any] | None:
    """Return the rules of these names, with thresholds at which they never stop and their options; None for the automatic choice."""
    from ..exits.rules.names import RULES

    if not names:
        if set_size is None and scale is None and min_steps == 1:
            return None
        names = ("max-probability",) if set_size is None else ("prediction-set",)
    kinds = [RULES[name] for name in names]
    known = [[field.name for field in fields(kind)] for kind in kinds]
    if scale is not None and not any("scale" in one for one in known):
        raise MisuseError(f"scale: expected a rule with a scale, max-probability or entropy, got {', '.join(names)}. Leave --scale out.")
    if set_size is not None and not any("size" in one for one in known):
        raise MisuseError(f"set_size: expected the rule prediction-set, got {', '.join(names)}. Leave --set-size out.")
    given: dict[str, Any] = {"scale": scale} if isinstance(scale, float) else {}
    given |= {} if set_size is None else {"size": set_size}
    return [
        kind(kind.span[1], min_steps, **{name: value for name, value in given.items() if name in has})
        for kind, has in zip(kinds, known, strict=True)
    ]
