"""Choice of the threshold theta as a trade-off of false positives and false negatives."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .arguments import probability, whole
from .bisection import TIE, log_target
from .probability import false_negative, false_positive


@dataclass(frozen=True)
class ThetaWindow:
    """Range of thresholds that meet both targets."""

    min_theta: int
    """Smallest theta whose false-positive rate meets its target."""
    max_theta: int
    """Largest theta whose false-negative rate meets its target."""


@dataclass(frozen=True)
class BestTheta:
    """Thresholds with the lowest error rate: all from `min_theta` to `max_theta`; of several such intervals the lowest one."""

    min_theta: int
    max_theta: int
    error: float
    """(1 - prior) * false positive + prior * false negative, for all of these thresholds."""
    false_positive: float
    """False-positive rate at `min_theta`."""
    false_negative: float
    """False-negative rate at `min_theta`."""


def min_theta(n: int, a: int, s: int, target_fp: float) -> int:
    """Find the smallest threshold at which a random pattern matches with probability <= `target_fp`.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses of a segment.
        target_fp: largest false-positive rate.
    Raises:
        InputError: even the largest possible overlap, min(a, s), has a larger false-positive rate.
    """
    n, a, s = whole(n=n, a=a, s=s)
    target = log_target("target_fp", target_fp)
    top = min(a, s)
    errors = false_positive(n, a, s, np.arange(1, top + 1), log=True)
    if not errors[-1] <= target:
        raise InputError(
            f"False positives are {math.exp(errors[-1]):.3g} even at theta={top}, the largest overlap, above {target_fp:g}; raise n or s."
        )
    return 1 + int(np.argmax(errors <= target))


def max_theta(a: int, s: int, v: int, target_fn: float) -> int:
    """Find the largest threshold at which a pattern with v moved active cells is missed with probability <= `target_fn`.

    Args:
        a: active cells of a pattern.
        s: synapses of a segment.
        v: number of active cells of the stored pattern that are moved.
        target_fn: largest false-negative rate.
    Raises:
        InputError: even theta=1 has a larger false-negative rate.
    """
    a, s, v = whole(a=a, s=s, v=v)
    target = log_target("target_fn", target_fn)
    errors = false_negative(a, s, v, np.arange(1, s + 1), log=True)
    if not errors[0] <= target:
        raise InputError(f"False negatives are {math.exp(errors[0]):.3g} even at theta=1, above {target_fn:g}; lower v={v} or raise s.")
    return int(np.flatnonzero(errors <= target)[-1]) + 1


def theta_window(n: int, a: int, s: int, v: int, target_fp: float, target_fn: float) -> ThetaWindow:
    """Find the range of thresholds that meet both targets.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses of a segment.
        v: number of active cells of the stored pattern that are moved.
        target_fp: largest false-positive rate, which gives the lower bound of theta.
        target_fn: largest false-negative rate, which gives the upper bound of theta.
    Raises:
        InputError: the range is empty; the message gives both bounds.
    Source: ours, from Ahmad & Hawkins, arXiv 1601.00720, equations 4 and 6.
    """
    window = ThetaWindow(min_theta(n, a, s, target_fp), max_theta(a, s, v, target_fn))
    if window.min_theta > window.max_theta:
        raise InputError(
            f"No theta meets both targets: false positives <= {target_fp:g} need theta >= {window.min_theta}, false negatives <= "
            f"{target_fn:g} need theta <= {window.max_theta}; raise s or n, lower v or allow more errors."
        )
    return window


def best_theta(n: int, a: int, s: int, v: int, prior: float = 0.5) -> BestTheta:
    """Find the thresholds with the lowest error rate: argmin (1 - prior) * FP + prior * FN over theta in 1..s.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses of a segment.
        v: number of active cells of the stored pattern that are moved.
        prior: fraction of the comparisons in which the stored pattern is present, in (0, 1); one half weighs both errors equally.
    Raises:
        InputError: `prior` is not in (0, 1), or as in `false_positive` and `false_negative`.
    Source: ours.
    """
    n, a, s, v = whole(n=n, a=a, s=s, v=v)
    if not 0 < probability("prior", prior) < 1:
        raise InputError(f"prior: expected a number in (0, 1), got {prior}. Choose one inside.")
    thetas = np.arange(1, s + 1)
    positives = false_positive(n, a, s, thetas, log=True)
    negatives = false_negative(a, s, v, thetas, log=True)
    errors = np.logaddexp(math.log1p(-prior) + positives, math.log(prior) + negatives)
    ties = errors <= errors.min() + TIE
    first = int(ties.argmax())
    last = first + int(np.append(ties[first:], False).argmin()) - 1  # equal errors further up are another interval
    rates = (float(np.exp(errors[first])), float(np.exp(positives[first])), float(np.exp(negatives[first])))
    return BestTheta(int(thetas[first]), int(thetas[last]), *rates)
