"""Empirical test of a guarantee: fits on many small draws from a pool, with their risk on the whole pool."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...core import SEEDS, expect_count
from ...errors import InputError, NoCertificateError
from ..policy import named_rule
from ..records import ExitRecord
from ..rules.base import ExitRule
from .goals import Goal, Pareto
from .guarantee import Guarantee
from .outcomes import Outcomes, events, trace

SIZES = (100, 230, 500, 1000, 2000)
"""Default sizes of the draws."""


@dataclass(frozen=True)
class Trial:
    """Results of one kind of fit on draws of one size; shares are of all draws."""

    violations: float
    """Share of draws whose threshold has a larger risk than eps on the whole pool."""
    worst_risk: float
    mean_steps: float
    """On the whole pool."""
    drops: float | None
    """Share of draws whose threshold is less accurate than the full run on the pool; None without labels, as the next two."""
    mean_drop: float | None
    """Mean loss of accuracy relative to the full run."""
    worst_drop: float | None


@dataclass(frozen=True)
class Resplits:
    """Fits with a guarantee and naive fits, "as fast as possible without a drop on the calibration inputs", at one size of draws."""

    size: int
    """Number of calibration inputs."""
    possible: bool
    """Whether so few inputs can certify anything; if not, the guaranteed fit never stops early."""
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
    """Draw calibration inputs from a pool repeatedly, and count how often the fit violates its guarantee.

    Args:
        record: the pool, which represents all inputs; it must be larger than the draws.
        rule: by name, or with its own settings.
        goal: the guarantee.
        sizes: sizes of the draws; sizes larger than the pool are skipped.
        repeats: number of draws of each size.
        seed: seed of the draws.
    Source: ours, after the experiments of Angelopoulos et al., arXiv 2110.01052.
    """
    expect_count(repeats, "[1, inf)", "repeats")
    expect_count(seed, SEEDS, "seed")
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
