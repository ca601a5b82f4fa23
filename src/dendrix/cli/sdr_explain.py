"""`dendrix sdr explain`: what a segment can do, as numbers and in plain words."""

from collections.abc import Callable
from typing import Any

from .. import sdr

RARE_FP, RARE_FN = 1e-9, 1e-6
"""What counts as rare: one false match in a billion, one miss in a million."""


def explanation(n: int, a: int, s: int, theta: int, v: int) -> dict[str, Any]:
    """Error rates, margins and capacities of a segment; None where nothing meets what counts as rare.

    Args:
        n, a, s, theta: the paper's symbols.
        v: active cells moved by noise.
    """
    best = sdr.best_theta(n, a, s, v)
    window = _or_none(lambda: sdr.theta_window(n, a, s, v, RARE_FP, RARE_FN))
    return {
        **dict(n=n, a=a, s=s, theta=theta, v=v),
        "false_positive": sdr.false_positive(n, a, s, theta),
        "false_negative": sdr.false_negative(a, s, v, theta),
        "sparsity": a / n,
        "guaranteed_noise": max(s - theta, 0),
        "largest_noise": _or_none(lambda: sdr.max_noise(a, s, theta, RARE_FN)),
        "best_theta": [best.min_theta, best.max_theta],
        "theta_window": window and [window.min_theta, window.max_theta],
        "set_capacity": _or_none(lambda: sdr.max_set(n, a, s, theta, RARE_FP)),
        "union_capacity": _or_none(lambda: sdr.union_capacity(n, a, s, theta, RARE_FP)),
    }


def sentences(found: dict[str, Any]) -> list[str]:
    """The same in plain words, the verdict first."""
    n, a, s, theta, v = (found[name] for name in ("n", "a", "s", "theta", "v"))
    window, best = found["theta_window"], found["best_theta"]
    good = found["false_positive"] <= RARE_FP and found["false_negative"] <= RARE_FN
    verdict = "[bold green]Reliable.[/bold green]" if good else "[bold yellow]Not reliable.[/bold yellow]"
    if window:
        advice = f"Thresholds {window[0]} to {window[1]} keep false matches below {RARE_FP:g} and misses below {RARE_FN:g}."
    else:
        advice = f"No threshold keeps false matches below {RARE_FP:g} and misses below {RARE_FN:g}; more synapses or less noise would."
    return [
        f"{verdict} {s} synapses of {n:,} cells, {a} of them active ({found['sparsity']:.2%}), fire at {theta} together.",
        f"A random pattern fires it with probability {found['false_positive']:.3g}.",
        f"With {v} of its {a} cells moved, it misses its own pattern with probability {found['false_negative']:.3g}; "
        f"up to {found['guaranteed_noise']} moved cells it never does, up to {found['largest_noise']} rarely.",
        f"{advice} Fewest errors of both kinds: {best[0] if best[0] == best[1] else f'{best[0]} to {best[1]}'}.",
        _capacity(found["set_capacity"], "segments of this kind can be asked together", "Even one segment has too many false matches."),
        _capacity(found["union_capacity"], "patterns fit on one segment", "Not even one pattern fits on the segment."),
    ]


def _capacity(most: int | None, what: str, none: str) -> str:
    return none if most is None else f"{most:,} {what} before a false match is likelier than {RARE_FP:g}."


def _or_none(solve: Callable[[], Any]) -> Any:
    """The answer of an inverse problem, or None where it says that there is none."""
    try:
        return solve()
    except ValueError:
        return None
