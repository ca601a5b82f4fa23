"""Outcomes of all thresholds of a rule on a record, computed in one pass over its sorted scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import InputError
from ..decisions import at_step, scores
from ..records import ExitRecord
from ..rules.base import ExitRule
from ..rules.prediction_set import PredictionSet, mass_above

LOSSES = ("accuracy-drop", "disagreement", "wrong-answer", "missed-class")


@dataclass(frozen=True, eq=False)
class Traces:
    """Data of a record that a fit uses: the score after each step, and the answers."""

    score: Tensor
    """[N, T]; minus infinity where no threshold stops: at a score of 0, before `min_steps`, or behind the end of an input."""
    ends: Tensor
    """Last step of each input, counted from 1, int64 [N]."""
    differs: Tensor
    """Whether the answer after each step differs from that of the full run, bool [N, T]."""
    right: Tensor | None
    """Whether it is correct, bool [N, T]; None without labels."""
    groups: Tensor | None = None
    """Group of each input from 0, int64 [N]; None if unknown."""
    above: Tensor | None = None
    """For a rule with prediction sets: threshold from which on the true class is in the set after each step, [N, T]."""

    @property
    def drops(self) -> Tensor | None:
        """Whether it is wrong and that of the full run is correct, bool [N, T]; None without labels."""
        return None if self.right is None else self.differs & at_step(self.right, self.ends).unsqueeze(1)

    def lost(self, loss: str) -> Tensor:
        """Whether an exit after each step has this loss, bool [N, T], by a name of `LOSSES` other than "missed-class"."""
        if loss == "disagreement":
            return self.differs
        if self.right is None or self.drops is None:
            raise InputError("labels: expected the true classes in the record, got none. Record them, or choose a goal without labels.")
        return self.drops if loss == "accuracy-drop" else ~self.right


def trace(rule: ExitRule, record: ExitRecord) -> Traces:
    """Compute score and answer of every step of a record; the threshold of the rule does not matter."""
    score, answers = scores(rule, record), record.answers(rule)
    reached = record.valid & (torch.arange(1, score.shape[1] + 1) >= rule.min_steps) & (score > 0)
    return Traces(
        score=score.masked_fill(~reached, -torch.inf),
        ends=record.ends,
        differs=answers != at_step(answers, record.ends).unsqueeze(1),
        right=None if record.labels is None else answers == record.labels.unsqueeze(1),
        groups=record.groups,
        above=_above(rule, record) if isinstance(rule, PredictionSet) and record.labels is not None else None,
    )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes of M thresholds on N inputs, from the strictest down. Totals over the inputs are int64 [M]."""

    count: int
    """N."""
    thresholds: Tensor
    """Falling, [M]."""
    steps: Tensor
    """Number of steps until the exit."""
    differs: Tensor
    """Answers at the exit that differ from those of the full run."""
    correct: Tensor | None
    """Correct answers at the exit; None without labels, as the next two."""
    drops: Tensor | None
    """Wrong answers at the exit where the full run is correct."""
    correct_at_end: int | None
    """Correct answers of the full run."""
    wrong: Tensor | None = None
    """Wrong answers of inputs that the rule has stopped; None without labels."""
    missed: Tensor | None = None
    """Prediction sets at the exit without the true class; None without labels or for a rule without sets."""
    events: "Events | None" = None
    """Their origin, for sums by group."""
    reached: Tensor | None = None
    """Number of events above each threshold, int64 [M]."""

    def at(self, thresholds: Sequence[float]) -> "Outcomes":
        """Outcomes of the given thresholds, which must be in rising order."""
        wanted = torch.tensor(thresholds, dtype=torch.float64).flip(0)
        # In the precision of the scores, as a rule compares them.
        index = torch.searchsorted(-self.thresholds, -wanted.to(self.thresholds.dtype)).clamp_max(len(self.thresholds) - 1)
        names = ("steps", "differs", "correct", "drops", "wrong", "missed", "reached")
        chosen = {name: value[index] for name in names if (value := getattr(self, name)) is not None}
        return replace(self, thresholds=wanted, **chosen)

    def losses(self, loss: str) -> Tensor:
        """Number of inputs with this loss for each threshold, int64 [M], by a name of `LOSSES`.

        Raises:
            ValueError: the labels are unknown, or the rule has no prediction sets.
        """
        found = getattr(self, _COLUMNS[loss])
        if found is None:
            raise _missing(loss, self.correct is not None)
        return found  # type: ignore[no-any-return]

    def group_sums(self, loss: str, values: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Sum over the groups of a function of the number of losses and of inputs of each group, float64 [M].

        Args:
            loss: a name of `LOSSES`.
            values: function of losses and sizes, int64 [X] each, to float64 [X].
        """
        if self.events is None or self.reached is None or self.events.groups is None:
            raise InputError("groups: expected the group of every input in the record, got none. Record them, or give record.grouped(...).")
        return self.events.group_sums(loss, values)[self.reached]


@dataclass(frozen=True, eq=False)
class Events:
    """All changes of outcomes, from the highest threshold down, E of them.

    An input can exit only where its score exceeds all its earlier ones, so its exit changes only when the threshold falls below such a
    score; a true class leaves a prediction set when the threshold falls below the mass above it. Running sums over these events are the
    outcomes of all thresholds.
    """

    levels: Tensor
    """Thresholds below which the change takes effect, falling, [E]."""
    rows: Tensor
    """Inputs, int64 [E]."""
    change: Tensor
    """Change by each event of the quantities in `columns`, int64 [E, Q]."""
    start: Tensor
    """The same quantities of every input that never stops, int64 [N, Q]."""
    columns: tuple[str, ...]
    """Names of the quantities, fields of `Outcomes`."""
    groups: Tensor | None = None
    """Group of each input from 0, int64 [N]."""

    def outcomes(self, chosen: Tensor | None = None) -> Outcomes:
        """Sum up the outcomes of all thresholds, for all inputs or the chosen ones (bool [N]).

        Entry i holds for every threshold from `thresholds[i]` up to, but not including, `thresholds[i - 1]`. The first entry stops no
        input; the last, 0, stops every input as soon as its score is positive.
        """
        if chosen is not None:
            return self._only(chosen).outcomes()
        final = torch.ones(len(self.levels), dtype=torch.bool)
        final[:-1] = self.levels[1:] != self.levels[:-1]  # equal scores exceed a threshold together
        begin = self.start.sum(0, keepdim=True)
        sums = torch.cat([begin, begin + self.change.cumsum(0)[final]])
        totals = {"correct": None, "drops": None, **dict(zip(self.columns, sums.unbind(1), strict=True))}
        correct = totals["correct"]
        return Outcomes(
            count=len(self.start),
            thresholds=torch.cat([self.levels[final], self.levels.new_zeros(1)]),
            correct_at_end=None if correct is None else int(correct[0]),
            events=self,
            reached=torch.cat([torch.zeros(1, dtype=torch.int64), final.nonzero().squeeze(1) + 1]),
            **totals,  # type: ignore[arg-type]
        )

    def group_sums(self, loss: str, values: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """See `Outcomes.group_sums`: here after 0, 1, ..., E events, float64 [E + 1]."""
        if self.groups is None or _COLUMNS[loss] not in self.columns:
            raise _missing(loss, "correct" in self.columns)
        column = self.columns.index(_COLUMNS[loss])
        sizes = self.groups.bincount()
        begin = torch.zeros_like(sizes).index_add_(0, self.groups, self.start[:, column])
        by_group, order = self.groups[self.rows].sort(stable=True)
        change = self.change[order, column]
        running = change.cumsum(0)
        first = torch.searchsorted(by_group, torch.arange(len(sizes)))
        before_group = torch.cat([running.new_zeros(1), running])[first]
        after = running - before_group[by_group] + begin[by_group]
        moved = torch.empty(len(order), dtype=torch.float64)
        moved[order] = values(after, sizes[by_group]) - values(after - change, sizes[by_group])
        there = sizes > 0
        total = values(begin[there], sizes[there]).double().sum().unsqueeze(0)
        return torch.cat([total, total + moved.cumsum(0)])

    def _only(self, chosen: Tensor) -> "Events":
        among = chosen[self.rows].nonzero().squeeze(1)
        place = chosen.long().cumsum(0) - 1
        groups = None if self.groups is None else self.groups[chosen]
        return replace(
            self,
            levels=self.levels[among],
            rows=place[self.rows[among]],
            change=self.change[among],
            start=self.start[chosen],
            groups=groups,
        )


_COLUMNS = {"accuracy-drop": "drops", "disagreement": "differs", "wrong-answer": "wrong", "missed-class": "missed"}


def events(traces: Traces) -> Events:
    """Find all events of the inputs, in O(E log E), where E is at most 2 N T."""
    score, last = traces.score, traces.ends - 1
    before = torch.cat([torch.full_like(score[:, :1], -torch.inf), score.cummax(1).values[:, :-1]], 1)
    rows, columns = (score > before).nonzero(as_tuple=True)
    strictest = torch.ones(len(rows), dtype=torch.bool)
    strictest[:-1] = rows[1:] != rows[:-1]
    later = torch.where(strictest, last[rows], columns.roll(-1))  # the exit under a stricter threshold

    def moved(value: Tensor) -> Tensor:
        return value[rows, columns].long() - value[rows, later].long()

    quantities = {"steps": torch.arange(1, score.shape[1] + 1).expand_as(score), "differs": traces.differs}
    if traces.right is not None and traces.drops is not None:
        quantities |= {"correct": traces.right, "drops": traces.drops}
    change = {name: moved(value) for name, value in quantities.items()}
    start = {name: at_step(value, traces.ends).long() for name, value in quantities.items()}
    if traces.right is not None:
        # An input that is not stopped is not answered.
        change["wrong"] = (~traces.right)[rows, columns].long() - torch.where(strictest, 0, (~traces.right)[rows, later].long())
        start["wrong"] = torch.zeros_like(traces.ends)
    levels, moving = score[rows, columns], torch.stack(list(change.values()), 1)
    if traces.above is not None:
        levels, rows, moving = _with_sets(traces, levels, rows, columns, strictest, later, moving)
        change["missed"], start["missed"] = moving[:, -1], torch.zeros_like(traces.ends)
    levels, order = levels.sort(descending=True, stable=True)
    return Events(levels, rows[order], moving[order], torch.stack(list(start.values()), 1), tuple(change), traces.groups)


def sweep(traces: Traces) -> Outcomes:
    """Compute the outcomes of all thresholds, see `Events.outcomes`."""
    return events(traces).outcomes()


def _above(rule: PredictionSet, record: ExitRecord) -> Tensor | None:
    """Mass above the true class after each step, [N, T]; None if inputs are of none of the classes, because no set contains that."""
    label = record.truth.unsqueeze(1)
    if int(label.min()) < 0:
        return None
    return torch.stack([mass_above(rule.probabilities(evidence_t)).gather(1, label).squeeze(1) for evidence_t in record.follow(rule)], 1)


def _with_sets(
    traces: Traces, levels: Tensor, rows: Tensor, columns: Tensor, strictest: Tensor, later: Tensor, moving: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Events with a column of missed classes, and with events at which the true class leaves the set of an unchanged exit."""
    above = traces.above
    assert above is not None
    below = torch.zeros_like(levels)  # the level of the next event of the same input
    below[1:] = torch.where(strictest[:-1], 0, levels[:-1])
    # Missed just below the level of an event; and at this level, before the event.
    after, before = above[rows, columns] >= levels, above[rows, later] > levels
    moving = torch.cat([moving, (after.long() - before.long()).unsqueeze(1)], 1)
    inside = (above[rows, columns] > below) & ~after
    top = torch.zeros(len(traces.ends), dtype=levels.dtype).index_put_((rows[strictest],), levels[strictest])
    end = at_step(above, traces.ends)
    leaves = end > top
    flips = torch.cat([above[rows, columns][inside], end[leaves]]).to(levels.dtype)
    flipped = torch.cat([rows[inside], leaves.nonzero().squeeze(1)])
    extra = torch.zeros(len(flips), moving.shape[1], dtype=torch.int64)
    extra[:, -1] = 1
    return torch.cat([levels, flips]), torch.cat([rows, flipped]), torch.cat([moving, extra])


def _missing(loss: str, labelled: bool) -> InputError:
    if labelled:
        return InputError(
            f"loss: expected the rule prediction-set and inputs of its classes for {loss}, got others. Choose that rule, or another loss."
        )
    return InputError("labels: expected the true classes in the record, got none. Record them, or take loss='disagreement'.")
