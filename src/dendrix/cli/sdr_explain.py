"""`dendrix sdr explain`: properties of a segment, as numbers and in words."""

from collections.abc import Callable
from typing import Any

from .. import sdr

RARE_FP, RARE_FN = 1e-9, 1e-6
"""Largest rates that count as rare: one false match in a billion, one miss in a million."""


def explanation(n: int, a: int, s: int, theta: int, v: int) -> dict[str, Any]:
    """Return error rates, margins and capacities of a segment; None for a threshold or noise that does not exist, or for no limit.

    Args:
        n, a, s, theta: symbols of the paper.
        v: active cells moved by noise.
    """
    best = sdr.best_theta(n, a, s, v)
    window = rare_window(n, a, s, v)
    return {
        **dict(n=n, a=a, s=s, theta=theta, v=v),
        "false_positive": sdr.false_positive(n, a, s, theta),
        "false_negative": sdr.false_negative(a, s, v, theta),
        "sparsity": a / n,
        "guaranteed_noise": min(s - theta, a, n - a) if theta <= s else None,
        "largest_noise": min(sdr.max_noise(a, s, theta, RARE_FN), n - a) if theta <= s else None,
        "best_theta": [best.min_theta, best.max_theta],
        "theta_window": window and list(window),
        "set_capacity": _capacity(sdr.max_set, n, a, s, theta),
        "union_capacity": _capacity(sdr.union_capacity, n, a, s, theta),
    }


def rare_window(n: int, a: int, s: int, v: int) -> tuple[int, int] | None:
    """Return the smallest and the largest threshold with which errors of both kinds are rare, or None if there is none."""
    window = _or_none(lambda: sdr.theta_window(n, a, s, v, RARE_FP, RARE_FN))
    return None if window is None else (window.min_theta, window.max_theta)


def sentences(found: dict[str, Any]) -> list[str]:
    """Return the properties in words, the verdict first."""
    n, a, s, theta, v = (found[name] for name in ("n", "a", "s", "theta", "v"))
    window, best = found["theta_window"], found["best_theta"]
    good = found["false_positive"] <= RARE_FP and found["false_negative"] <= RARE_FN
    verdict = "[bold green]Reliable.[/bold green]" if good else "[bold yellow]Not reliable.[/bold yellow]"
    if window:
        advice = f"Thresholds {window[0]} to {window[1]} keep false matches below {RARE_FP:g} and misses below {RARE_FN:g}."
    else:
        advice = f"No threshold keeps false matches below {RARE_FP:g} and misses below {RARE_FN:g}; more synapses or less noise would."
    if theta > s:
        advice = f"The threshold {theta} is above the number of synapses, {s}, so the segment can never fire. {advice}"
    return [
        f"{verdict} {s} synapses on {n:,} cells, of which {a} are active ({found['sparsity']:.2%}), with a threshold of {theta}.",
        f"A random pattern fires the segment with probability {found['false_positive']:.3g}.",
        f"With {v} of its {a} cells moved, it misses its own pattern with probability {found['false_negative']:.3g}; "
        + _noise(found["guaranteed_noise"], found["largest_noise"]),
        f"{advice} Fewest errors of both kinds: {best[0] if best[0] == best[1] else f'{best[0]} to {best[1]}'}.",
        _room(found["set_capacity"], "segments of this kind can be checked together", "Even one segment has too many false matches."),
        _room(found["union_capacity"], "patterns fit on one segment", "Not even one pattern fits on the segment."),
    ]


def _noise(guaranteed: int | None, largest: int | None) -> str:
    """Return the amount of noise that is tolerated, in words."""
    if guaranteed is None:
        return "it also misses a pattern without noise."
    return f"it never misses it with up to {guaranteed} moved cells, and rarely with up to {largest}."


def _room(most: int | None, what: str, none: str) -> str:
    """Return a capacity in words."""
    if most is None:
        return f"Any number of {what}: a false match stays below {RARE_FP:g}."
    return f"{most:,} {what} before the probability of a false match exceeds {RARE_FP:g}." if most else none


def _capacity(solve: Callable[[int, int, int, int, float], int], n: int, a: int, s: int, theta: int) -> int | None:
    """Return the largest number with rare false matches: 0 if even one has too many, None if there is no limit."""
    if sdr.false_positive(n, a, s, theta) > RARE_FP:
        return 0
    most: int | None = _or_none(lambda: solve(n, a, s, theta, RARE_FP))
    return most


def _or_none(solve: Callable[[], Any]) -> Any:
    """Return the solution of an inverse problem, or None if there is none."""
    try:
        return solve()
    except ValueError:
        return None
