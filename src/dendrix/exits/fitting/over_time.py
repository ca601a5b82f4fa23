"""A guarantee for every stopping time: the risk of early exits is not averaged with that of late ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InputError, NoCertificateError
from ..records import ExitRecord
from ..statistics import require_scipy
from .groups import bets_of, log_gain, mixed, too_few_groups
from .guarantee import Guarantee, smallest_eps
from .outcomes import Traces
from .setting import Choice, Setting

_CANDIDATES = 100
"""Thresholds that are compared on the part "fit"."""

_Counts = NDArray[np.int64]
_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class OverTimeGuarantee(Guarantee):
    """The earliest first exit such that, of the inputs stopped by step t, at most a share `eps` has a loss, for all t at once, except with
    a probability of at most `delta`.

    `Guarantee` bounds the risk over all inputs, so a large risk of early exits may be averaged with a small one of late exits. Here the
    risk is bounded given that the input has stopped by step t, for every t by which any input has.

    Theorem. A threshold, or a path of thresholds per step, is chosen on other inputs. Then the first step at which an input may stop,
    `min_steps`, is tested from the last step backwards. For one of these, the inputs with an exit by step t are independent draws given
    that event, so given their number n(t), their losses are binomial and P(Bin(n(t), eps) <= losses) is a p-value. The largest of these
    over all t from `min_steps` on is a p-value for "some of the risks is larger than eps" (intersection-union test), and the walk stops at
    the first that is larger than delta, as in Learn then Test. Inputs that end before `min_steps` lose nothing and count with no loss.

    With `by`, the same is guaranteed for an input of a new group, which is drawn like the groups of the record, as in `NewGroupGuarantee`.
    The p-value of step t is then another one. Let S(g) be the share of the inputs of group g that have stopped by step t, and L(g) of those
    that have stopped with a loss. The risk given that an input of a new group has stopped is E[L] / E[S], groups counting alike. If it is
    at least eps, the numbers eps S(g) - L(g) of independent groups have a mean of at most 0 and lie in [eps - 1, eps]. So the product over
    groups of 1 + bet (eps S(g) - L(g)) has a mean of at most 1 for a fixed bet in [0, 1 / (1 - eps)], and its inverse is a p-value. The
    bets are those of `NewGroupGuarantee`, which is this test at the last step, where all inputs have stopped.

    Args:
        eps: largest acceptable risk of the inputs stopped by step t, for every t.
        delta: probability, over the draw of the calibration inputs, or groups, that any of these risks is larger.
        loss: as in `Guarantee`; "missed-class" is not available.
        by: kind of the groups, if the guarantee is for an input of a new group; empty if inputs are independent draws.
    Source: Ringel et al., ICML 2024, arXiv 2402.00857 (control given accumulated halt times); the choice of thresholds, `min_steps` as the
        parameter of the walk, and the test over groups are ours.
    """

    by: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.by, str):
            raise InputError(f"by: expected the kind of the groups, such as 'speaker', or none, got {self.by!r}.")
        if self.loss == "missed-class":
            raise InputError("loss: expected one of the answer for a guarantee over time, got 'missed-class'. Choose another loss.")

    @property
    def needs_fit(self) -> bool:
        return True

    @property
    def whole_groups(self) -> bool:
        return bool(self.by)

    def prepared(self, record: ExitRecord) -> ExitRecord:
        return record.grouped(self.by) if self.by else record

    def enough(self, record: ExitRecord, share: float) -> bool:
        return _units(record, self.by) * share >= 2 * self.needed

    def find(self, setting: Setting, record: ExitRecord, fit: ExitRecord | None, thresholds: Sequence[float] | None) -> Choice:
        assert fit is not None
        count = _units(record, self.by)
        if self.by and count < self.needed:
            wanted, least = f"a risk of {self.eps:g} at delta {self.delta:g}", smallest_eps(count, self.delta)
            raise too_few_groups(count, self.needed, self.by, wanted, f"eps = {least:.3g}")
        if count < self.needed:
            raise NoCertificateError(
                f"certification: expected at least {self.needed} inputs for a risk of {self.eps:g} at delta {self.delta:g}, "
                f"got {count}. Record more, or raise eps or delta.",
                self.needed,
            )
        chosen = self.best_threshold(setting, fit, thresholds)
        traces = setting.traces(record)
        walk = self._walk(traces, chosen)
        if walk.first > traces.score.shape[1]:
            raise NoCertificateError(
                f"thresholds: expected one that passes at the last step, but there {self.delta:g} is exceeded. Raise eps, or record more.",
                self.needed,
            )
        units = f"groups ({self.by})" if self.by else "inputs"
        drawn = f"inputs of a new {self.by}" if self.by else "inputs from the same distribution"
        statement = (
            f"With a probability of at least {1 - self.delta:.12g} over the draw of the {count} calibration {units}, for every step t "
            f"from {walk.first} on: of the {drawn} that have stopped by step t, at most {self.eps:.12g} are "
            f"{self.loss_in_words}. On the calibration {units} the largest of these shares was {walk.worst:.3g}. No input stops before "
            f"step {walk.first}."
        )
        if self.by:
            statement += " New groups must be drawn like these, on which the network was not trained."
        rule = setting.at(chosen)
        return Choice(replace(rule, min_steps=max(walk.first, rule.min_steps)), walk.steps, statement, lowest=False)

    def best_threshold(self, setting: Setting, fit: ExitRecord, thresholds: Sequence[float] | None) -> float:
        """The threshold with the fewest steps on inputs that do not certify it, by the same walk."""
        traces = setting.traces(fit)
        if thresholds is None:
            levels = np.unique(traces.score[traces.score > -np.inf].double().numpy())
            if not len(levels):
                return setting.rule.span[1]
            tried: list[float] = levels[np.linspace(0, len(levels) - 1, min(_CANDIDATES, len(levels))).round().astype(int)].tolist()
        else:
            tried = [float(threshold) for threshold in thresholds]
        return min(reversed(tried), key=lambda threshold: self._walk(traces, threshold).steps)

    def _walk(self, traces: Traces, threshold: float) -> "_Walk":
        """Test first exits from the last step backwards, up to the first that fails."""
        exits, stops = exits_from(traces, threshold), (traces.score > threshold).numpy()
        losses, rows = traces.lost(self.loss).numpy() & stops, np.arange(len(exits))
        count = exits.shape[1]
        found = _Walk(count + 1, int(traces.ends.sum()), 0.0)
        for t in reversed(range(count)):
            column = exits[:, t]
            # An input that ends before it may stop has no loss.
            p_values, risks = self._tested(traces, column, losses[rows, column - 1] & (column > t), t)
            if (p_values > self.delta).any():
                break
            found = _Walk(t + 1, int(column.sum()), float(risks.max()))
        return found

    def _tested(self, traces: Traces, exits: _Counts, lost: NDArray[np.bool_], first: int) -> tuple[_Numbers, _Numbers]:
        """P-values of the risks of the inputs stopped by each step from `first` on, counted from 0, and these risks."""
        count = traces.score.shape[1]
        if not self.by:
            by, losses = (one[first:] for one in stopped_by(exits, lost, count))
            return require_scipy().stats.binom.cdf(losses, by, self.eps), losses / by.clip(1)
        assert traces.groups is not None
        stopped, failed = (torch.from_numpy(one[:, first:]) for one in group_shares(exits, lost, count, traces.groups.numpy()))
        gains = [log_gain(self.eps * stopped - failed, bet).sum(0) for bet in bets_of(len(stopped), self.eps, self.delta)]
        return (-mixed(gains) + 1e-9).clamp_max(0).exp().numpy(), (failed.sum(0) / stopped.sum(0).clamp_min(1e-12)).numpy()


class _Walk(NamedTuple):
    """The earliest first exit that passes; one more than the number of steps if none does."""

    first: int
    steps: int
    """Sum over inputs."""
    worst: float
    """Largest share of losses of the inputs stopped by any step."""


def exits_from(traces: Traces, threshold: float) -> _Counts:
    """Exit step of every input, counted from 1, if it may stop from step t + 1 on, int64 [N, T] for t = 0 to T - 1."""
    stops = (traces.score > threshold).numpy()
    found = np.empty(stops.shape, dtype=np.int64)
    following = traces.ends.numpy()
    for t in reversed(range(stops.shape[1])):
        following = np.where(stops[:, t], t + 1, following)
        found[:, t] = following
    return found


def stopped_by(exits: _Counts, lost: NDArray[np.bool_], steps: int) -> tuple[_Counts, _Counts]:
    """Number of inputs that have stopped by each step, and of those with a loss, int64 [T]."""
    by = np.bincount(exits, minlength=steps + 1)[1:].cumsum()
    return by, np.bincount(exits[lost], minlength=steps + 1)[1:].cumsum()


def group_shares(exits: _Counts, lost: NDArray[np.bool_], steps: int, groups: _Counts) -> tuple[_Numbers, _Numbers]:
    """Share of the inputs of each group that have stopped by each step, and that have stopped with a loss, float64 [G, T]."""
    numbers, sizes = np.unique(groups, return_counts=True)
    count, place = len(numbers), np.searchsorted(numbers, groups) * (steps + 1) + exits

    def shares(chosen: _Counts) -> _Numbers:
        return np.bincount(chosen, minlength=count * (steps + 1)).reshape(count, -1)[:, 1:].cumsum(1) / sizes[:, None]

    return shares(place), shares(place[lost])


def _units(record: ExitRecord, by: str) -> int:
    """Number of independent draws: of inputs, or of groups."""
    if not by:
        return len(record)
    assert record.groups is not None
    return len(set(record.groups.tolist()))
