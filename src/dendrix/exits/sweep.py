"""What every possible threshold of a rule would have done with a record, found in one pass over its sorted scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .decide import at_step, scores
from .record import Record
from .rule import Rule


@dataclass(frozen=True, eq=False)
class Traces:
    """What a fit reads of a record: how sure the rule was after each step, and what it would have answered."""

    score: Tensor
    """[N, T]; minus infinity where no threshold stops: at a score of 0, before the rule's first step, or behind an input's end."""
    ends: Tensor
    """The last step of each input, counted from 1, int64 [N]."""
    differs: Tensor
    """Whether the answer after each step is another than the full run's, bool [N, T]."""
    right: Tensor | None
    """Whether it is right, bool [N, T]; None without labels."""

    @property
    def drops(self) -> Tensor | None:
        """Whether it is wrong although the full run's is right, bool [N, T]; None without labels."""
        return None if self.right is None else self.differs & at_step(self.right, self.ends).unsqueeze(1)

    def rows(self, index: Tensor) -> "Traces":
        """The inputs `index`, int64 or bool [N]."""
        return Traces(self.score[index], self.ends[index], self.differs[index], None if self.right is None else self.right[index])


def trace(rule: Rule, record: Record) -> Traces:
    """Score and answer of every step of a record; the threshold of the rule does not matter."""
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
    """What each of M thresholds does to N inputs, from the strictest down. All but `thresholds` are totals over the inputs, int64 [M]."""

    count: int
    """N."""
    thresholds: Tensor
    """Falling, [M]."""
    steps: Tensor
    """Steps until the exit."""
    differs: Tensor
    """Answers at the exit that are not those of the full run."""
    correct: Tensor | None
    """Right answers at the exit; None without labels, as the next two."""
    drops: Tensor | None
    """Wrong answers at the exit where the full run is right."""
    correct_at_end: int | None
    """Right answers of the full run."""

    def at(self, thresholds: Sequence[float]) -> "Outcomes":
        """The outcomes of these thresholds instead, which must rise."""
        wanted = torch.tensor(thresholds, dtype=torch.float64).flip(0)
        # Compared as a rule compares, in the precision of the scores.
        index = torch.searchsorted(-self.thresholds, -wanted.to(self.thresholds.dtype)).clamp_max(len(self.thresholds) - 1)
        correct = None if self.correct is None else self.correct[index]
        drops = None if self.drops is None else self.drops[index]
        return Outcomes(self.count, wanted, self.steps[index], self.differs[index], correct, drops, self.correct_at_end)


def sweep(traces: Traces) -> Outcomes:
    """The outcomes of all thresholds there are.

    An input can leave only where its score is higher than ever before, so its exit changes only when the threshold falls below such a
    score. All these events, sorted, with running sums of what each changes, are the outcomes of the whole continuum of thresholds:
    entry i holds for every threshold from `thresholds[i]` up to, but without, `thresholds[i - 1]`. The first entry stops nobody,
    the last, 0, everybody as soon as
    the score is positive.

    Cost: O(E log E) for E such events, at most N T.
    """
    score, last = traces.score, traces.ends - 1
    best = score.cummax(1).values
    before = torch.cat([torch.full_like(best[:, :1], -torch.inf), best[:, :-1]], 1)
    rows, columns = (score > before).nonzero(as_tuple=True)
    later = torch.cat([columns[1:], columns[:1]])
    final = torch.cat([rows[1:] != rows[:-1], torch.ones(min(1, len(rows)), dtype=torch.bool)])
    later = torch.where(final, last[rows], later)  # where it would have left under a stricter threshold
    levels, order = score[rows, columns].sort(descending=True, stable=True)
    rows, columns, later = rows[order], columns[order], later[order]
    change_here = torch.ones(len(levels), dtype=torch.bool)
    change_here[:-1] = levels[1:] != levels[:-1]
    everyone = torch.arange(len(score))

    def totals(value: Tensor) -> Tensor:
        start = value[everyone, last].sum().long().unsqueeze(0)
        change = value[rows, columns].long() - value[rows, later].long()
        return torch.cat([start, start + change.cumsum(0)[change_here]])

    right, drops = traces.right, traces.drops
    return Outcomes(
        count=len(score),
        thresholds=torch.cat([levels[change_here], levels.new_zeros(1)]),
        steps=totals(torch.arange(1, score.shape[1] + 1).expand_as(score)),
        differs=totals(traces.differs),
        correct=None if right is None else totals(right),
        drops=None if drops is None else totals(drops),
        correct_at_end=None if right is None else int(at_step(right, traces.ends).sum()),
    )
