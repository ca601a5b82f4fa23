"""Reference curves for rules: stopping all inputs at one step, and stopping each input at its best step in hindsight."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core import expect_one_of
from ..decisions import decide
from ..records import ExitRecord
from ..rules.base import ExitRule

CONVENTIONS = {
    "cap": "an input that is never answered correctly costs the cap",
    "one": "an input that is never answered correctly costs one step",
    "exclude": "an input that is never answered correctly is not counted in the steps",
}
"""Cost of an input that the oracle never answers correctly. Results differ by a factor, so state the convention with them."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy against cost when all inputs stop by step 1, 2, ..., T (the cap) at the latest."""

    name: str
    """Kind of stop before the cap, for captions."""
    steps: Tensor
    """Mean steps at each cap, float64 [T]."""
    accuracy: Tensor
    """Share of correct answers at each cap, float64 [T]."""

    @property
    def survival(self) -> Tensor:
        """Share of inputs still running at each step, float64 [T], for the curve of a policy: the cost of one more step of cap."""
        return self.steps.diff(prepend=self.steps.new_zeros(1))

    @property
    def histogram(self) -> Tensor:
        """Share of inputs that stop after each step, float64 [T], for the curve of a policy; the last step includes all that still run."""
        return -self.survival.diff(append=self.steps.new_zeros(1))


def static_curve(record: ExitRecord) -> Curve:
    """Curve of runs in which nothing stops before the cap. Needs labels.

    Args:
        record: N inputs, up to T steps; shorter inputs stop at their end.
    """
    return Curve("fixed steps", _capped(record.ends, record).mean(0), record.right().double().mean(0))


def policy_curve(rule: ExitRule, record: ExitRecord) -> Curve:
    """Curve of a rule, with all inputs that it has not stopped by the cap stopped there. Needs labels.

    Source: arXiv 2303.10276, the loop over caps of the released code.
    """
    steps = _capped(decide(rule, record).steps, record)
    right = record.right(rule).gather(1, steps.long() - 1)
    return Curve(type(rule).__name__, steps.mean(0), right.double().mean(0))


def oracle_curve(record: ExitRecord, convention: str = "cap") -> Curve:
    """Curve of an oracle that stops each input at the first step with a correct answer. Needs labels.

    No rule can reach it: it uses the labels, and it counts answers that are correct for a single step only. Where answers change at chance
    level it exceeds everything that is possible.

    Args:
        record: N inputs, up to T steps.
        convention: cost of an input without a correct answer at any step up to the cap: "cap", "one" step, or none, because the input is
            left out ("exclude"; the mean is then NaN where no input is correct).
    Source: the "potential" of arXiv 2303.10276; the cost of an input that is never correct is not stated there. "cap" follows its caps.
    """
    expect_one_of(convention, CONVENTIONS, "convention")
    right = record.right()
    ever = right.cummax(1).values
    first = _capped(torch.where(ever[:, -1], right.int().argmax(1) + 1, record.ends), record)
    if convention == "cap":
        steps = first.mean(0)
    elif convention == "one":
        steps = torch.where(ever, first, 1).mean(0)
    else:
        steps = torch.where(ever, first, 0).sum(0) / ever.sum(0)
    return Curve(f"oracle ({CONVENTIONS[convention]})", steps, ever.double().mean(0))


def optimal_cutoff(record: ExitRecord) -> Tensor:
    """OCT: first step from which each input stays correct until its end, int64 [N]; its end if it is wrong there. Needs labels.

    Unlike the oracle, a rule could reach it in principle.
    Source: Wu et al., arXiv 2301.09522.
    """
    stays = record.right().flip(1).cummin(1).values.flip(1)
    return torch.where(stays[:, -1], stays.int().argmax(1) + 1, record.ends)


def average_exit_time(record: ExitRecord) -> float:
    """AET in closed form: (c_1 + sum over t > 1 of t (c_t - c_{t-1}) + T (N - c_T)) / N, where c_t inputs are correct at step t.

    Equal to the mean of `oracle_curve` with "cap" if inputs that are correct stay so. An input that ends before T counts with its end in
    place of T. Needs labels.
    Source: Li et al., SEENN, NeurIPS 2023.
    """
    right = record.right().double()
    gained = right.diff(dim=1, prepend=torch.zeros_like(right[:, :1]))
    times = torch.arange(1, right.shape[1] + 1, dtype=torch.float64)
    return float((gained @ times + record.ends * (1 - right[:, -1])).mean())


def _capped(steps: Tensor, record: ExitRecord) -> Tensor:
    """Steps [N] under each cap, float64 [N, T]."""
    caps = torch.arange(1, record.outputs.shape[1] + 1)
    return steps.unsqueeze(1).minimum(caps).double()
