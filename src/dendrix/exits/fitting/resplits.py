"""A guarantee put to the test: fit on many small draws from a pool, and look up the risk on the whole pool."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...core import expect_in
from ...errors import InputError, NoCertificateError
from ..policy import named_rule
from ..records import ExitRecord
from ..rules.base import ExitRule
from .goals import Goal, Pareto
from .guarantee import Guarantee
from .outcomes import Outcomes, events, trace

SIZES = (100, 230, 500, 1000, 2000)
"""The sizes of draws that are tried by default."""


@dataclass(frozen=True)
class Trial:
    """What fits of one kind on draws of one size came to; shares are of all draws."""

    violations: float
    """Share of draws whose threshold has a greater risk than eps on the whole pool."""
    worst_risk: float
    mean_steps: float
    """On the whole pool."""
    drops: float | None
    """Share of draws whose threshold is less accurate than the full run on the whole pool; None without labels, as the next two."""
    mean_drop: float | None
    """Of accuracy against the full run."""
    worst_drop: float | None


@dataclass(frozen=True)
class Resplits:
    """Fits with a guarantee beside the naive rule, "as fast as possible with no drop on the calibration inputs", at one size of draws."""

    size: int
    """Calibration inputs."""
    possible: bool
    """Whether so few inputs can certify anything; if not, the guaranteed fit runs everything to its end."""
    guaranteed: Trial
    naive: Trial | None
    """None without labels."""


def resplits(
    record: ExitRecord,
    rule: str | ExitRule = "max-probability",
    goal: Guarantee = Guarantee(),
    sizes: Sequence[int] = SIZES,
    repeats: int = 400,
    seed: int = 0,
) -> list[Resplits]:
    """Draw calibration inputs from a pool again and again, and count how often the fit breaks its promise.

    Args:
        record: the pool, which stands for all inputs there are: larger than the draws.
        rule: by name, or with its own settings.
        goal: what is promised.
        sizes: of the draws; those larger than the pool are left out.
        repeats: draws of each size.
        seed: of the draws.
    Source: ours, after the experiments of Angelopoulos et al., arXiv 2110.01052.
    """
    expect_in(repeats, "[1, inf)", "repeats")
    base = named_rule(rule) if isinstance(rule, str) else rule
    everything = events(trace(base, record))
    pool = everything.outcomes()
    if not (fitting := [size for size in sizes if 1 <= size <= len(record)]):
        raise InputError(f"record: expected at least {min(sizes)} inputs to draw from, got {len(record)}. Record more.")
    generator = torch.Generator().manual_seed(seed)
    found = []
    for size in fitting:
        guaranteed, naive = [], []
        for _ in range(repeats):
            chosen = torch.zeros(len(record), dtype=torch.bool)
            chosen[torch.randperm(len(record), generator=generator)[:size]] = True
            draw = everything.outcomes(chosen)
            guaranteed.append(_threshold(goal, draw, never=base.span[1]))
            if record.labels is not None:
                naive.append(_threshold(Pareto(), draw, never=base.span[1]))
        found.append(Resplits(size, size >= goal.needed, _trial(guaranteed, pool, goal), _trial(naive, pool, goal) if naive else None))
    return found


def _threshold(goal: Goal, draw: Outcomes, never: float) -> float:
    try:
        return draw.thresholds[goal.choose(draw)].item()
    except NoCertificateError:
        return never


def _trial(thresholds: list[float], pool: Outcomes, goal: Guarantee) -> Trial:
    there = pool.at(sorted(thresholds))
    risk = goal.losses(there).double() / pool.count
    drop = None if there.correct is None else ((there.correct_at_end or 0) - there.correct).double() / pool.count
    return Trial(
        violations=(risk > goal.eps).double().mean().item(),
        worst_risk=risk.max().item(),
        mean_steps=(there.steps.double() / pool.count).mean().item(),
        drops=None if drop is None else (drop > 0).double().mean().item(),
        mean_drop=None if drop is None else drop.mean().item(),
        worst_drop=None if drop is None else drop.max().item(),
    )
