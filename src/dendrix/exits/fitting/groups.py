"""Guarantees for groups of inputs, such as speakers: for an input of a new group, for most new groups, and for each known group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core import expect_fields
from ...errors import InputError, NoCertificateError
from ..records import ExitRecord
from ..statistics import require_scipy
from .guarantee import Guarantee, binomial_tails, needed, smallest_eps
from .outcomes import Outcomes

_BETS = (1.0, 0.5, 0.25)
"""Bets as shares of the largest one, in equal parts of the wealth."""
_LOST = -1e8
"""Logarithm of a wealth that is lost, finite so that sums of it can be taken back."""
_WITHIN = 0.05
"""Level of the test within a group, for a bound on most groups."""


@dataclass(frozen=True)
class _Grouped(Guarantee):
    by: str = "group"
    """Kind of the groups: that of the record, "group" for any, or "class"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.by or not isinstance(self.by, str):
            raise InputError(f"by: expected the kind of the groups, such as 'speaker', got {self.by!r}.")

    def prepared(self, record: ExitRecord) -> ExitRecord:
        return record.grouped(self.by)

    def choose(self, outcomes: Outcomes) -> int:
        sizes_of(outcomes)  # refuses a record without groups
        return super().choose(outcomes)


@dataclass(frozen=True)
class NewGroupGuarantee(_Grouped):
    """The fastest threshold whose risk for an input of a new group is at most `eps`, except with a probability of at most `delta`.

    Theorem. Let the G calibration groups, and the future ones, be independent draws of groups, and the inputs of a group independent draws
    from that group. With the share of losses L(g) of group g under a fixed threshold, L(1) to L(G) are independent numbers in [0, 1] whose
    mean is the risk. If the risk is at least eps, then K = prod over g of (1 + bet (eps - L(g))) has a mean of at most 1 for every fixed
    bet in [0, 1 / (1 - eps)], and so has a fixed mixture of such K; by Markov's inequality 1 / K is a p-value. The thresholds are walked
    from the strictest down as in `Guarantee`. The first threshold of too large a risk passes with a probability of at most delta.

    The bet is the largest one, as long as a single group with losses only could not be tolerated; else a mixture of three. No
    number of inputs per group replaces groups: G groups certify no eps below 1 - delta^(1 / G), which is 0.226 for 9 groups and 0.082 for
    27 at delta 0.1. With `share`, it is guaranteed that at most a share of all groups have a risk above eps. For that, each group gets
    the binomial test of `Guarantee` at level 0.05; the groups that fail it are counted, and their number is tested as binomial with
    share * 0.95, because a group of larger risk passes its own test with a probability of at most 0.05.

    Groups that the network was trained on are not draws like future ones, so record groups that it was not trained on.

    Args:
        eps: largest acceptable risk for an input of a new group; groups count alike, whatever their size.
        delta: probability, over the draw of the groups and their inputs, that the guarantee does not hold.
        loss: as in `Guarantee`.
        by: kind of the groups.
        share: share of groups whose own risk may be larger than eps; None bounds the mean over groups.
    Source: the p-value is that of Waudby-Smith & Ramdas, arXiv 2010.09686 (betting), for independent groups as in Dunn, Wasserman & Ramdas,
        arXiv 1809.07441; the walk is that of Learn then Test, arXiv 2110.01052; the count of groups is ours.
    """

    share: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, share="(0, 1)")

    @property
    def whole_groups(self) -> bool:
        return True

    @property
    def needed(self) -> int:
        """Smallest number of groups with which a threshold can be certified."""
        return needed(self._between, self.delta)

    @property
    def _between(self) -> float:
        """Largest acceptable probability of the event that is counted over groups."""
        return self.eps if self.share is None else self.share * (1 - _WITHIN)

    def enough(self, record: ExitRecord, share: float) -> bool:
        return record.groups is not None and int((record.groups.bincount() > 0).sum()) * share >= 2 * self.needed

    def expect_enough(self, outcomes: Outcomes) -> None:
        sizes = sizes_of(outcomes)
        if len(sizes) < self.needed:
            least = smallest_eps(len(sizes), self.delta)
            instead = f"eps = {least:.3g}" if self.share is None else f"share = {least / (1 - _WITHIN):.3g}"
            wanted = f"a risk of {self.eps:g}" if self.share is None else f"a risk of {self.eps:g} in all but {self.share:g} of the groups"
            raise too_few_groups(len(sizes), self.needed, self.by, f"{wanted} at delta {self.delta:g}", instead)

        least = needed(self.eps, _WITHIN)
        small = int((sizes < least).sum())
        if self.share is not None and binomial_tails(len(sizes), self._between)[small] > self.delta:
            raise NoCertificateError(
                f"groups: expected at least {least} inputs of a {self.by} to find whether its risk is above {self.eps:g}, but {small} of "
                f"{len(sizes)} have fewer. Record more of each, raise eps, or leave share out.",
                least,
            )

    def log_wealth(self, outcomes: Outcomes) -> Tensor:
        """Logarithm of K for each threshold, float64 [M]: 1 / K is the p-value."""
        bets = bets_of(len(sizes_of(outcomes)), self.eps, self.delta)
        return mixed([self._one_bet(outcomes, bet) for bet in bets])

    def _one_bet(self, outcomes: Outcomes, bet: float) -> Tensor:
        return outcomes.group_sums(self.loss, lambda losses, sizes: log_gain(self.eps - losses.double() / sizes, bet))

    def failing(self, outcomes: Outcomes) -> Tensor:
        """Number of groups that fail their own test, for each threshold, int64 [M]."""
        return _failing(outcomes, self.loss, self.eps, _WITHIN)

    def group_p_values(self, outcomes: Outcomes) -> Tensor:
        """P-value of each threshold, float64 [M]."""
        if self.share is None:
            return (-self.log_wealth(outcomes) + 1e-9).clamp_max(0).exp()  # 1e-9: rounding of the sums
        return binomial_tails(len(sizes_of(outcomes)), self._between)[self.failing(outcomes)]

    def passed(self, outcomes: Outcomes) -> Tensor:
        return self.group_p_values(outcomes) <= self.delta

    def seems_safe(self, outcomes: Outcomes) -> Tensor:
        groups = len(sizes_of(outcomes))
        if self.share is not None:
            return _above(outcomes, self.loss, self.eps) <= self.share * groups
        return outcomes.group_sums(self.loss, lambda losses, sizes: losses.double() / sizes) <= self.eps * groups + 1e-9

    def statement(self, outcomes: Outcomes, index: int) -> str:
        sizes = sizes_of(outcomes)
        risks = outcomes.group_sums(self.loss, lambda losses, sizes: losses.double() / sizes)[index].item() / len(sizes)
        p = self.group_p_values(outcomes)[index].item()
        bound = (
            f"an input of a new {self.by} is, with a probability of at most {self.eps:.12g}, {self.loss_in_words}"
            if self.share is None
            else f"for at most {self.share:.12g} of all new groups ({self.by}) more than {self.eps:.12g} of the inputs are "
            f"{self.loss_in_words}"
        )
        return (
            f"With a probability of at least {1 - self.delta:.12g} over the draw of the {len(sizes)} calibration groups ({self.by}), "
            f"{bound}. The mean over these groups is {risks:.3g}, p = {p:.3g}. New groups must be drawn like these, on which the network "
            "was not trained."
        )


@dataclass(frozen=True)
class KnownGroupsGuarantee(_Grouped):
    """The fastest threshold whose risk is at most `eps` in every known group at once, except with a probability of at most `delta`.

    A threshold passes if every group passes the test of `Guarantee` at level delta. No correction for the number of groups is needed: if
    the risk of some group is larger than eps, then this group passes with a probability of at most delta, so all groups together do too
    (an intersection-union test). The walk over thresholds is that of `Guarantee`. Nothing is guaranteed for other groups.

    Args:
        eps: largest acceptable risk within each group.
        delta: probability, over the draw of the inputs of each group, that the risk of any group is larger.
        loss: as in `Guarantee`.
        by: kind of the groups.
    Source: Berger, Technometrics 24 (1982), with the walk of Learn then Test, arXiv 2110.01052.
    """

    def enough(self, record: ExitRecord, share: float) -> bool:
        return record.groups is not None and int(record.groups.bincount().min()) * share >= 2 * self.needed

    def expect_enough(self, outcomes: Outcomes) -> None:
        sizes = sizes_of(outcomes)
        if int(sizes.min()) < self.needed:
            raise NoCertificateError(
                f"groups: expected at least {self.needed} inputs of every {self.by} for a risk of {self.eps:g} at delta {self.delta:g}, "
                f"got {int(sizes.min())} of {self.by} {int(sizes.argmin())}. Record more, leave that group out, or raise eps or delta.",
                self.needed,
            )

    def passed(self, outcomes: Outcomes) -> Tensor:
        return _failing(outcomes, self.loss, self.eps, self.delta) == 0

    def seems_safe(self, outcomes: Outcomes) -> Tensor:
        return _above(outcomes, self.loss, self.eps) == 0

    def statement(self, outcomes: Outcomes, index: int) -> str:
        sizes = sizes_of(outcomes)
        return (
            f"With a probability of at least {1 - self.delta:.12g} over the draw of the {outcomes.count} calibration inputs, in each of "
            f"the {len(sizes)} groups ({self.by}) at once at most {self.eps:.12g} of all inputs like those of the group are "
            f"{self.loss_in_words}. Among the {outcomes.count} there were {int(self.losses(outcomes)[index])}."
        )


def too_few_groups(count: int, needed: int, by: str, wanted: str, instead: str) -> NoCertificateError:
    """The error that so few groups do not certify what is wanted, but something else at best."""
    return NoCertificateError(
        f"groups: expected at least {needed} ({by}) for {wanted}, got {count}, which certify {instead} at best. Record more groups, or "
        "raise it.",
        needed,
    )


def bets_of(groups: int, eps: float, delta: float) -> tuple[float, ...]:
    """The largest bet, as long as a single group with losses only could not be tolerated; else that and two smaller ones."""
    bets = _BETS if binomial_tails(groups, eps)[1] <= delta else _BETS[:1]
    return tuple(bet / (1 - eps) for bet in bets)


def log_gain(margin: Tensor, bet: float) -> Tensor:
    """Logarithm of the factor of each group, float64: 1 + bet * margin, where a margin of mean 0 or less is what is tested."""
    wealth = 1 + bet * margin
    return torch.where(wealth > 1e-12, wealth.clamp_min(1e-12).log(), _LOST)


def mixed(logs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the mean of the wealths of several bets."""
    return torch.stack(list(logs)).logsumexp(0) - math.log(len(logs))


def sizes_of(outcomes: Outcomes) -> Tensor:
    """Number of inputs of each group that has any, int64 [G].

    Raises:
        ValueError: the groups are unknown.
    """
    if outcomes.events is None or outcomes.events.groups is None:
        raise InputError("groups: expected the group of every input in the record, got none. Record them, or add groups to the file.")
    sizes = outcomes.events.groups.bincount()
    return sizes[sizes > 0]


def _failing(outcomes: Outcomes, loss: str, eps: float, level: float) -> Tensor:
    """Number of groups whose binomial test at this level does not pass, int64 [M]."""

    def failed(losses: Tensor, sizes: Tensor) -> Tensor:
        tails = require_scipy().stats.binom.cdf(losses.numpy(), sizes.numpy(), eps)
        return torch.from_numpy(np.asarray(tails > level, dtype=np.float64))

    return outcomes.group_sums(loss, failed).round().long()


def _above(outcomes: Outcomes, loss: str, eps: float) -> Tensor:
    """Number of groups with a larger share of losses than eps on these inputs, int64 [M]."""
    return outcomes.group_sums(loss, lambda losses, sizes: (losses > eps * sizes).double()).round().long()
