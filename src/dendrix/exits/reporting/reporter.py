"""Report on a policy applied to new inputs, beside fixed lengths, other rules and an oracle."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.files import write_json
from ..decisions import decide
from ..fitting.parts import digest
from ..losses import prediction_sets
from ..policy import Policy
from ..records import ExitRecord
from ..rules.base import ExitRule
from ..rules.names import in_words
from ..rules.prediction_set import PredictionSet
from .bounds import average_exit_time, optimal_cutoff, oracle_curve, policy_curve, static_curve
from .breakdown import PartFigures, by_group, by_stopping_time
from .calibration import Interval, bootstrap, calibration, exact_interval, failure_prediction
from .comparison import Points, RuleFigures, compare, points, scale_of


@dataclass(frozen=True)
class Truth:
    """Figures that need labels."""

    accuracy: float
    accuracy_interval: Interval
    """Exact 95 % interval (Clopper-Pearson)."""
    accuracy_of_full_run: float
    drops: float
    """Share of inputs that are wrong where the full run is correct."""
    static: Points
    """All inputs stop at step 1, 2, ..., T."""
    policy: Points
    """The policy with a cap of 1, 2, ..., T steps."""
    oracle: Points
    """Stopping at the first correct answer, with a cap of 1, 2, ..., T steps."""
    oracle_name: str
    """Includes the convention for inputs that are never correct."""
    optimal_cutoff: float
    """OCT: mean of the first step from which an input stays correct."""
    average_exit_time: float
    """AET."""
    ece: float
    """Expected calibration error of the probabilities over all steps, at the scale of the rule."""
    nll: float
    auroc: float | None
    """AUROC of the score at the exit; None if all answers are correct, or all are wrong."""
    rules: dict[str, RuleFigures]
    """The rule of the policy and those it was compared with."""
    loss: str
    """Loss of the goal of the policy; "accuracy-drop" if the goal has none."""
    groups: tuple[PartFigures, ...]
    """Figures by group; empty if the groups are unknown."""
    stopping_times: tuple[PartFigures, ...]
    """Figures by stopping time."""
    not_stopped: float
    """Share of inputs that the rule does not stop; they are answered "none of these" if the policy abstains."""
    set_size: float | None
    """Mean size of the prediction sets; None for a rule without sets."""


@dataclass(frozen=True)
class Report:
    """Figures of one policy on one record."""

    rule: str
    statement: str
    """Statement of the policy."""
    count: int
    """Number of inputs."""
    fitted_on_these: bool
    """Whether the policy was fitted on this record, which makes the figures too good."""
    mean_steps: float
    mean_steps_interval: Interval
    """95 % interval by bootstrap."""
    p95_steps: float
    full_steps: float
    """Mean steps of the full run."""
    dt_ms: float | None
    disagreement: float
    """Share of inputs whose answer differs from that of the full run."""
    histogram: tuple[float, ...]
    """Share of inputs that stop after step 1, 2, ..., T."""
    truth: Truth | None
    """None without labels."""

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, atomically."""
        write_json(Path(path), self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON; an interval is [low, high], a curve a list of [mean steps, accuracy]."""
        return asdict(self)


def report(policy: Policy, record: ExitRecord, rules: Sequence[str | ExitRule] = (), convention: str = "cap", seed: int = 0) -> Report:
    """Apply a policy to a record. Without labels only steps and agreement are reported.

    Args:
        policy: from `fit` or `Policy.load`.
        record: record of the same network, on other inputs than the policy was fitted on.
        rules: rules to compare with: names, which get the scale of the policy, or rules with settings of their own.
        convention: cost of an input that is never correct, see `oracle_curve`.
        seed: seed of the bootstrap.
    Raises:
        ValueError: the policy was not fitted for this kind of record.
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
        truth=None if record.labels is None else _truth(policy, record, rules, convention),
    )


def _truth(policy: Policy, record: ExitRecord, rules: Sequence[str | ExitRule], convention: str) -> Truth:
    rule, loss = policy.rule, policy.goal.loss
    decisions = decide(rule, record)
    right, full = decisions.answers == record.truth, record.right(rule)[:, -1]
    oracle = oracle_curve(record, convention)
    probabilities = calibration(record, scale_of(rule))
    return Truth(
        accuracy=right.double().mean().item(),
        accuracy_interval=exact_interval(int(right.sum()), len(right)),
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
        loss=loss,
        groups=by_group(rule, record, loss),
        stopping_times=by_stopping_time(rule, record, loss),
        not_stopped=(~decisions.stopped).double().mean().item(),
        set_size=prediction_sets(rule, record).sum(1).double().mean().item() if isinstance(rule, PredictionSet) else None,
    )
