"""A rule with everything but its threshold, and the choice of a threshold for it."""

from dataclasses import dataclass, replace

from ..records import ExitRecord
from ..rules.base import ExitRule
from .outcomes import Outcomes, Traces, sweep, trace
from .per_step import Path


@dataclass(frozen=True)
class Setting:
    """A rule, and the path of its thresholds per step, if it has one."""

    rule: ExitRule
    path: Path | None = None

    def traces(self, record: ExitRecord) -> Traces:
        """Scores of a record, or their levels on the path, and answers."""
        traces = trace(self.rule, record)
        return traces if self.path is None else replace(traces, score=self.path.level(traces.score))

    def outcomes(self, record: ExitRecord) -> Outcomes:
        """Outcomes of all thresholds, or all levels of the path."""
        return sweep(self.traces(record))

    def at(self, threshold: float) -> ExitRule:
        """The rule with a threshold, or with those of a level of the path."""
        return replace(self.rule, threshold=threshold if self.path is None else self.path.thresholds(threshold))


@dataclass(frozen=True)
class Choice:
    """The rule that a goal has chosen."""

    rule: ExitRule
    steps: int
    """Steps on the part that chose it, summed over inputs."""
    statement: str
    lowest: bool
    """Whether no lower threshold was tried."""
