"""Outcomes of all thresholds of a rule on a record, computed in one pass over its sorted scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..decisions import at_step, scores
from ..records import ExitRecord
from ..rules.base import ExitRule


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

    @property
    def drops(self) -> Tensor | None:
        """Whether it is wrong and that of the full run is correct, bool [N, T]; None without labels."""
        return None if self.right is None else self.differs & at_step(self.right, self.ends).unsqueeze(1)


def trace(rule: ExitRule, record: ExitRecord) -> Traces:
    """Compute score and answer of every step of a record; the threshold of the rule does not matter."""
    score, answers = scores(rule, record), record.answers(rule)
    reached = record.valid & (torch.arange(1, score.shape[1] + 1) >= rule.min_steps) & (score > 0)
    return Traces(
        score=score.masked_fill(~reached, -torch.inf),
        ends=record.ends,
        differs=answers != at_step(answers, record.ends).unsqueeze(1),
        right=None if record.labels is None else answers == record.labels.unsqueeze(1),
    )


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes of M thresholds on N inputs, from the strictest down. All but `thresholds` are totals over the inputs, int64 [M]."""

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

    def at(self, thresholds: Sequence[float]) -> "Outcomes":
        """Outcomes of the given thresholds, which must be in rising order."""
        wanted = torch.tensor(thresholds, dtype=torch.float64).flip(0)
        # In the precision of the scores, as a rule compares them.
        index = torch.searchsorted(-self.thresholds, -wanted.to(self.thresholds.dtype)).clamp_max(len(self.thresholds) - 1)
        correct = None if self.correct is None else self.correct[index]
        drops = None if self.drops is None else self.drops[index]
        return Outcomes(self.count, wanted, self.steps[index], self.differs[index], correct, drops, self.correct_at_end)


@dataclass(frozen=True, eq=False)
class Events:
    """All possible exits, from the highest score down, E of them.

    An input can exit only where its score exceeds all its earlier ones, so its exit changes only when the threshold falls below such a
    score. Running sums over these events are the outcomes of all thresholds.
    """

    levels: Tensor
    """Scores in falling order, [E]."""
    rows: Tensor
    """Inputs, int64 [E]."""
    change: Tensor
    """Change of steps, differing, correct and dropped answers by each event, int64 [E, 4]; [E, 2] without labels."""
    start: Tensor
    """The same quantities of every input at its end, int64 [N, 4] or [N, 2]."""

    def outcomes(self, chosen: Tensor | None = None) -> Outcomes:
        """Sum up the outcomes of all thresholds, for all inputs or the chosen ones (bool [N]).

        Entry i holds for every threshold from `thresholds[i]` up to, but not including, `thresholds[i - 1]`. The first entry stops no
        input; the last, 0, stops every input as soon as its score is positive.
        """
        levels, change, start = self.levels, self.change, self.start
        if chosen is not None:
            among = chosen[self.rows].nonzero().squeeze(1)
            levels, change, start = levels[among], change[among], start[chosen]
        final = torch.ones(len(levels), dtype=torch.bool)
        final[:-1] = levels[1:] != levels[:-1]  # equal scores exceed a threshold together
        begin = start.sum(0, keepdim=True)
        steps, differs, *truth = torch.cat([begin, begin + change.cumsum(0)[final]]).unbind(1)
        thresholds = torch.cat([levels[final], levels.new_zeros(1)])
        correct, drops = truth or (None, None)
        return Outcomes(len(start), thresholds, steps, differs, correct, drops, None if correct is None else int(correct[0]))


def events(traces: Traces) -> Events:
    """Find all events of the inputs, in O(E log E), where E is at most N T."""
    score, last = traces.score, traces.ends - 1
    before = torch.cat([torch.full_like(score[:, :1], -torch.inf), score.cummax(1).values[:, :-1]], 1)
    rows, columns = (score > before).nonzero(as_tuple=True)
    strictest = torch.ones(len(rows), dtype=torch.bool)
    strictest[:-1] = rows[1:] != rows[:-1]
    later = torch.where(strictest, last[rows], columns.roll(-1))  # the exit under a stricter threshold
    steps = torch.arange(1, score.shape[1] + 1).expand_as(score)
    labelled = [] if traces.right is None or traces.drops is None else [traces.right, traces.drops]
    values = [steps, traces.differs, *labelled]
    levels, order = score[rows, columns].sort(descending=True)
    change = torch.stack([value[rows, columns].long() - value[rows, later].long() for value in values], 1)
    return Events(levels, rows[order], change[order], torch.stack([at_step(value, traces.ends).long() for value in values], 1))


def sweep(traces: Traces) -> Outcomes:
    """Compute the outcomes of all thresholds, see `Events.outcomes`."""
    return events(traces).outcomes()
