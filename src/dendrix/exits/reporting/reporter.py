"""What a policy does with inputs it has not seen, beside what fixed lengths, other rules and an oracle would have done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.files import write_json
from ..decisions import decide
from ..fitting.parts import digest
from ..policy import Policy
from ..records import ExitRecord
from ..rules.base import ExitRule
from ..rules.names import in_words
from .bounds import average_exit_time, optimal_cutoff, oracle_curve, policy_curve, static_curve
from .calibration import Interval, bootstrap, calibration, failure_prediction
from .comparison import Points, RuleFigures, compare, points, scale_of


@dataclass(frozen=True)
class Truth:
    """What needs labels."""

    accuracy: float
    accuracy_interval: Interval
    """Of 95 %, by bootstrap, as all intervals here."""
    accuracy_of_full_run: float
    drops: float
    """Share of inputs that are wrong although the full run is right."""
    static: Points
    """Everybody stops at step 1, 2, ..., T."""
    policy: Points
    """The policy with a cap of 1, 2, ..., T steps."""
    oracle: Points
    """Stopping at the first right answer, with a cap of 1, 2, ..., T steps."""
    oracle_name: str
    """With the convention for inputs that are never right."""
    optimal_cutoff: float
    """OCT: the mean first step from which on an input stays right."""
    average_exit_time: float
    """AET."""
    ece: float
    """Expected calibration error of the probabilities, over all steps, at the rule's scale."""
    nll: float
    auroc: float | None
    """How well the score at the exit tells right from wrong; None if all are right, or all wrong."""
    rules: dict[str, RuleFigures]
    """The policy's rule and those it was compared with."""


@dataclass(frozen=True)
class Report:
    """Figures of one policy on one record."""

    rule: str
    statement: str
    """What was promised when the policy was fitted."""
    count: int
    """Inputs."""
    fitted_on_these: bool
    """Whether the policy was fitted on this very record: its figures are then too good."""
    mean_steps: float
    mean_steps_interval: Interval
    p95_steps: float
    full_steps: float
    """Mean steps of the full run."""
    dt_ms: float | None
    disagreement: float
    """Share of inputs that get another answer than from the full run."""
    histogram: tuple[float, ...]
    """Share of inputs that stop after step 1, 2, ..., T."""
    truth: Truth | None
    """None without labels."""

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, whole or not at all."""
        write_json(Path(path), self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON knows them; an interval is [low, high], a curve a list of [mean steps, accuracy]."""
        return asdict(self)


def report(policy: Policy, record: ExitRecord, rules: Sequence[str | ExitRule] = (), convention: str = "cap", seed: int = 0) -> Report:
    """Apply a policy to a record and count. Without labels only times and agreement are known.

    Args:
        policy: what `fit` returned or `Policy.load` read.
        record: of the same network; other inputs than the policy was fitted on.
        rules: to compare with, by name (with the policy's scale) or with settings of their own.
        convention: what the oracle pays for an input that is never right, see `oracle_curve`.
        seed: of the bootstrap.
    Raises:
        ValueError: the policy was not made for this record.
    """
    policy.check(record)
    decisions = decide(policy.rule, record)
    answers = record.answers(policy.rule)
    steps = decisions.steps.double()
    return Report(
        rule=in_words(policy.rule),
        statement=policy.statement,
        count=len(record),
        fitted_on_these=digest(record) in policy.data,
        mean_steps=steps.mean().item(),
        mean_steps_interval=bootstrap(steps, seed=seed),
        p95_steps=steps.quantile(0.95, interpolation="higher").item(),
        full_steps=record.ends.double().mean().item(),
        dt_ms=record.dt_ms,
        disagreement=(decisions.answers != answers[:, -1]).double().mean().item(),
        histogram=tuple((decisions.steps.bincount(minlength=answers.shape[1] + 1)[1:] / len(record)).tolist()),
        truth=None if record.labels is None else _truth(policy.rule, record, rules, convention, seed),
    )


def _truth(rule: ExitRule, record: ExitRecord, rules: Sequence[str | ExitRule], convention: str, seed: int) -> Truth:
    decisions = decide(rule, record)
    right, full = decisions.answers == record.truth, record.right(rule)[:, -1]
    oracle = oracle_curve(record, convention)
    probabilities = calibration(record, scale_of(rule))
    return Truth(
        accuracy=right.double().mean().item(),
        accuracy_interval=bootstrap(right, seed=seed),
        accuracy_of_full_run=full.double().mean().item(),
        drops=(full & ~right).double().mean().item(),
        static=points(static_curve(record)),
        policy=points(policy_curve(rule, record)),
        oracle=points(oracle),
        oracle_name=oracle.name,
        optimal_cutoff=optimal_cutoff(record).double().mean().item(),
        average_exit_time=average_exit_time(record),
        ece=probabilities.ece,
        nll=probabilities.nll,
        auroc=failure_prediction(rule, record),
        rules=compare(rule, rules, record, decisions.steps.double().mean().item()),
    )
