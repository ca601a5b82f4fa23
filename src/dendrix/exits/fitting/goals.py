"""Goals of a fit: each chooses one threshold from the outcomes of many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ...core import expect_fields
from ...errors import InputError
from ..records import ExitRecord
from .outcomes import Outcomes
from .setting import Choice, Setting


@dataclass(frozen=True)
class Goal:
    """Base class of goals: subclasses choose a threshold, rank settings, and state what holds for the chosen threshold."""

    @property
    def needs_labels(self) -> bool:
        """Whether the goal needs the true classes."""
        return True

    @property
    def needs_fit(self) -> bool:
        """Whether the goal chooses a setting of its own on the part "fit"."""
        return False

    @property
    def whole_groups(self) -> bool:
        """Whether a split of a record keeps the inputs of a group together."""
        return False

    @property
    def loss(self) -> str:
        """Loss that settings are fitted for, a name of `LOSSES`."""
        return "accuracy-drop" if self.needs_labels else "disagreement"

    def prepared(self, record: ExitRecord) -> ExitRecord:
        """Return the record with what the goal requires, such as the groups of the inputs; unchanged by default."""
        return record

    def enough(self, record: ExitRecord, share: float) -> bool:
        """Whether a share of a record is certainly enough for the goal, so that the rest may choose settings."""
        return len(record) * share >= 4

    def find(self, setting: Setting, record: ExitRecord, fit: ExitRecord | None, thresholds: Sequence[float] | None) -> Choice:
        """Choose the threshold of a setting on a record.

        Args:
            setting: the rule, fitted on other inputs.
            record: the inputs that choose the threshold.
            fit: other inputs, for goals that need them.
            thresholds: the only candidates, in rising order; None takes all.
        """
        outcomes = setting.outcomes(record)
        if thresholds is not None:
            outcomes = outcomes.at(thresholds)
        index = self.choose(outcomes)
        found, last = setting.at(outcomes.thresholds[index].item()), index == len(outcomes.thresholds) - 1
        return Choice(found, int(outcomes.steps[index]), self.statement(outcomes, index), last)

    def choose(self, outcomes: Outcomes) -> int:
        """Choose a threshold; returns its index."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it choose(outcomes).")

    def rank(self, outcomes: Outcomes) -> int:
        """Rank of a setting by its best threshold, in sums over the inputs; less is better. Only for comparisons, without a guarantee."""
        return int(outcomes.steps[self.choose(outcomes)])

    def statement(self, outcomes: Outcomes, index: int) -> str:
        """State what holds for the chosen threshold."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it statement(outcomes, index).")


@dataclass(frozen=True)
class Pareto(Goal):
    """The fastest threshold that loses at most `eps` of accuracy on the calibration inputs; no guarantee beyond them.

    Ties are broken by accuracy, then by the higher threshold.

    Args:
        eps: accuracy that may be lost relative to the full run, 0 to 1.
    Source: after the threshold search of Dynamic Confidence, arXiv 2303.10276, whose code does not contain it; in this form ours.
    """

    eps: float = 0.0

    def __post_init__(self) -> None:
        expect_fields(self, eps="[0, 1)")

    def choose(self, outcomes: Outcomes) -> int:
        correct, at_end = labelled(outcomes)
        enough = correct >= at_end - self.eps * outcomes.count - 1e-9  # integer sums against a rounded product
        if not enough.any():
            raise InputError(
                f"thresholds: expected one with {at_end} of {outcomes.count} correct answers, less {self.eps:g}, "
                f"but the best has {int(correct.max())}. Add higher thresholds."
            )
        return _first(~enough, outcomes.steps, -correct, -outcomes.thresholds)

    def statement(self, outcomes: Outcomes, index: int) -> str:
        return (
            f"Nothing is guaranteed: this is the fastest threshold that lost at most {self.eps:.4g} of accuracy "
            f"on the {outcomes.count} inputs that it was chosen on."
        )


@dataclass(frozen=True)
class MeanSteps(Goal):
    """The most accurate threshold within a mean number of steps; without labels, the one that agrees most with the full run.

    Args:
        at_most: largest mean number of steps, 1 or more.
    Source: ours.
    """

    at_most: float

    def __post_init__(self) -> None:
        expect_fields(self, at_most="[1, inf)")

    @property
    def needs_labels(self) -> bool:
        return False

    def prepared(self, record: ExitRecord) -> ExitRecord:
        if self.at_most > (steps := record.outputs.shape[1]):
            raise InputError(f"at_most: expected at most {steps}, the steps of the record, got {self.at_most:g}. Choose fewer steps.")
        return record

    def choose(self, outcomes: Outcomes) -> int:
        within = outcomes.steps <= self.at_most * outcomes.count + 1e-9
        if not within.any():
            raise InputError(
                f"at_most: expected at least {int(outcomes.steps.min()) / outcomes.count:.4g} mean steps, the fewest that these thresholds "
                f"reach, got {self.at_most:g}. Allow more steps, or lower thresholds."
            )
        return _first(~within, _misses(outcomes), outcomes.steps, -outcomes.thresholds)

    def rank(self, outcomes: Outcomes) -> int:
        return int(_misses(outcomes)[self.choose(outcomes)])

    def statement(self, outcomes: Outcomes, index: int) -> str:
        return (
            f"Nothing is guaranteed: this is the best threshold that took at most {self.at_most:g} steps in the mean "
            f"of the {outcomes.count} inputs that it was chosen on."
        )


def pareto_front(cost: ArrayLike, accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Find the points that no other point dominates: none is as cheap and as accurate, and better in one of the two.

    Args:
        cost: cost of each point, such as mean steps, [M].
        accuracy: its accuracy, [M].
    Returns:
        bool [M]; of identical points only the first is on the front.
    """
    costs, gains = np.asarray(cost), np.asarray(accuracy)
    order = np.lexsort((np.arange(len(costs)), -gains, costs))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(gains[order])[:-1]])
    front = np.zeros(len(costs), dtype=np.bool_)
    front[order] = gains[order] > best_before
    return front


def expect_rising(thresholds: Sequence[float]) -> None:
    """Check that candidate thresholds are at least 0, finite and in rising order."""
    values = np.asarray(thresholds, dtype=np.float64)
    if values.ndim == 1 and values.size and np.isfinite(values).all() and values[0] >= 0 and (np.diff(values) > 0).all():
        return
    raise InputError(f"thresholds: expected numbers from 0 up in rising order, got {list(thresholds)!r}. Sort them and drop repeats.")


def labelled(outcomes: Outcomes) -> tuple[Tensor, int]:
    """Number of correct answers for each threshold, int64 [M], and for the full run.

    Raises:
        ValueError: the labels are unknown.
    """
    if outcomes.correct is None or outcomes.correct_at_end is None:
        raise InputError("labels: expected the true classes in the record, got none. Record them, or choose a goal without labels.")
    return outcomes.correct, outcomes.correct_at_end


def _misses(outcomes: Outcomes) -> Tensor:
    return outcomes.differs if outcomes.correct is None else outcomes.count - outcomes.correct


def _first(*keys: Tensor) -> int:
    """Index of the smallest entry by the first key, then by the second, and so on."""
    index = torch.arange(len(keys[0]))
    for key in keys:
        index = index[key[index] == key[index].min()]
    return int(index[0])
