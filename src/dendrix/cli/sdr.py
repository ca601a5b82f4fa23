"""Error rates of sparse codes and dendritic segments: exact, inverted into designs, and simulated.

The options are the symbols of the paper: n potential connections, a active cells, s synapses of a segment, theta its threshold, v active
cells moved by noise, m patterns or segments.
"""

import math
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from ..errors import MisuseError
from .output import print_json
from .sdr_design import design
from .sdr_stats import stats


def fp(n: int, a: int, s: int, theta: int, m: int | None = None, json: bool = False) -> None:
    """Compute the probability that a random pattern fires a segment, or one of m segments (Eqs 4 and 8).

    Args:
        n: potential connections.
        a: active cells of a pattern.
        s: synapses of the segment.
        theta: overlap from which it fires.
        m: number of segments.
        json: print JSON.
    """
    from ..sdr import false_positive, set_false_positive

    inputs = dict(n=n, a=a, s=s, theta=theta, m=m)
    rate = partial(false_positive, n, a, s, theta) if m is None else partial(set_false_positive, n, a, s, theta, m)
    what = "A random pattern fires the segment" if m is None else f"A random pattern fires at least one of {m:,} segments"
    _answer("fp", inputs, rate, what, json, impossible(s, theta))


def fn(a: int, s: int, v: int, theta: int, json: bool = False) -> None:
    """Compute the probability that a segment misses its own pattern when v of the a active cells have moved (Eq 6).

    Args:
        a: active cells of a pattern.
        s: synapses of the segment.
        v: active cells moved by noise.
        theta: overlap from which it fires.
        json: print JSON.
    """
    from ..sdr import false_negative

    rate = partial(false_negative, a, s, v, theta)
    what = f"With {v} of {a} cells moved, the segment misses its pattern"
    _answer("fn", dict(a=a, s=s, v=v, theta=theta), rate, what, json, impossible(s, theta))


def union(
    n: int,
    a: int,
    s: int,
    theta: int,
    m: int,
    v: int | None = None,
    mode: Literal["exact", "plugin_round", "plugin_real", "bloom"] = "exact",
    json: bool = False,
) -> None:
    """Compute the false positive rate of a segment that stores m patterns, or with --v its false negative rate.

    Args:
        n: potential connections.
        a: active cells of a pattern.
        s: synapses for each pattern.
        theta: overlap from which it fires.
        m: patterns stored on the segment.
        v: active cells moved by noise; selects false negatives.
        mode: exact, or an approximation of the false positives as published.
        json: print JSON.
    """
    from ..sdr import union_false_negative, union_false_positive

    inputs = dict(n=n, a=a, s=s, theta=theta, m=m, v=v, mode=mode)
    if v is not None:
        if mode != "exact":
            raise MisuseError(
                f"--mode {mode}: expected exact with --v, because approximations are for false positives. Leave one of them out."
            )
        missed = partial(union_false_negative, n, a, s, v, theta, m)
        _answer("union_fn", inputs, missed, f"With {v} of {a} cells moved, a segment of {m} patterns misses one of its own", json)
        return
    rate = partial(union_false_positive, n, a, s, theta, m, mode)
    _answer("union_fp", inputs, rate, f"A random pattern fires a segment that stores {m} patterns", json)


def verify(
    n: int,
    a: int,
    s: int,
    theta: int,
    v: int | None = None,
    m: int = 1,
    union: bool = False,
    draws: int = 1_000_000,
    seed: int = 0,
    sampling: Literal["auto", "plain", "tilted"] = "auto",
    json: bool = False,
) -> None:
    """Check the theory by simulation: draw patterns, segments and noise, and compare.

    Args:
        n: potential connections.
        a: active cells of a pattern.
        s: synapses of the segment, or of each pattern in a union.
        theta: overlap from which it fires.
        v: active cells moved by noise; selects false negatives.
        m: number of segments, or of patterns in a union.
        union: whether the m patterns share one segment.
        draws: comparisons to draw.
        seed: seed of the random numbers.
        sampling: count hits (plain), use importance sampling for rare events (tilted), or choose automatically (auto).
        json: print JSON.
    """
    from ..sdr import verify as simulate

    result = simulate(n, a, s, theta, v=v, m=m, union=union, draws=draws, seed=seed, sampling=sampling)
    if json:
        print_json({**dict(n=n, a=a, s=s, theta=theta, v=v, m=m, union=union, seed=seed), **asdict(result)})
        return
    console = Console(highlight=False)
    console.print(
        f"drawn [bold]{result.estimate:.6g}[/bold] (95 % interval {result.low:.4g} to {result.high:.4g}), exact {result.exact:.6g}"
    )
    console.print(f"{result.hits:,} hits in {result.draws:,} draws, {result.sampling} sampling. {result.verdict}")


def explain(n: int, a: int, s: int, theta: int, v: int | None = None, json: bool = False) -> None:
    """Describe a segment of these sizes in words: errors, noise, thresholds, capacity.

    Args:
        n: potential connections.
        a: active cells of a pattern.
        s: synapses of the segment.
        theta: overlap from which it fires.
        v: active cells moved by noise; a fifth of them by default.
        json: print JSON.
    """
    from .sdr_explain import explanation, sentences

    found = explanation(n, a, s, theta, min(a // 5, max(n - a, 0)) if v is None else v)
    if json:
        print_json(found)
        return
    console = Console(highlight=False)
    for line in sentences(found):
        console.print(line, soft_wrap=True)


def figures(out: Path = Path("figures"), json: bool = False) -> None:
    """Draw the figures of Ahmad & Hawkins (2016), as published and corrected.

    Args:
        out: folder for the figures.
        json: print their paths as JSON.
    """
    from ..core.files import expect_folder
    from ..reproduce.papers.sdr_figures import draw_all

    expect_folder(out)
    drawn = draw_all(out)
    if json:
        print_json({number: str(path) for number, path in drawn.items()})
        return
    print(f"Figures {', '.join(drawn)} are in {out}.")


def plot(n: int, a: int, s: int, v: int = 0, out: Path = Path("sdr.png"), json: bool = False) -> None:
    """Draw both error rates of a segment against its threshold, for sizes of your own.

    Args:
        n: potential connections.
        a: active cells of a pattern.
        s: synapses of the segment.
        v: active cells moved by noise.
        out: figure to write, .png or .svg.
        json: print the rates as JSON.
    """
    from ..core.files import expect_writable
    from ..plot import save_figure, sdr_curves
    from ..sdr import false_negative, false_positive
    from .sdr_explain import rare_window

    expect_writable(out)
    theta = range(1, s + 1)
    matches, misses = ([float(rate(t)) for t in theta] for rate in (partial(false_positive, n, a, s), partial(false_negative, a, s, v)))
    window = rare_window(n, a, s, v)
    title = f"{s} synapses on {n:,} cells, {a} active, {v} moved by noise"
    save_figure(sdr_curves(theta, matches, misses, window=window, title=title).figure, out)
    if json:
        print_json({"file": str(out), "theta": list(theta), "false_positive": matches, "false_negative": misses, "window": window})
        return
    print(f"The figure is in {out}.")


COMMANDS: dict[str, Callable[..., Any]] = {
    "fp": fp,
    "fn": fn,
    "union": union,
    "design": design,
    "verify": verify,
    "explain": explain,
    "stats": stats,
    "plot": plot,
    "figures": figures,
}


def impossible(s: int, theta: int) -> str:
    """Return a sentence if the threshold is above the number of synapses, else nothing."""
    return f"The threshold {theta} is above the number of synapses, {s}, so the segment can never fire. Lower --theta." if theta > s else ""


def _answer(quantity: str, inputs: dict[str, Any], rate: Callable[..., Any], what: str, json: bool, note: str = "") -> None:
    """Print a probability and its logarithm, which also represents probabilities below the smallest float; then a note, if there is one."""
    given = {name: value for name, value in inputs.items() if value is not None}
    log10 = float(rate(log=True)) / math.log(10)
    if json:
        print_json({"quantity": quantity, **given, "probability": float(rate()), "log10": log10})
        return
    console = Console(highlight=False)
    console.print(f"[bold]{_scientific(log10)}[/bold]   log10 = {log10:.12g}")
    console.print(note or f"{what}: {_in_words(log10)}.", soft_wrap=True)


def _scientific(log10: float) -> str:
    if log10 == -math.inf:
        return "0"
    exponent = math.floor(log10)
    return f"{10**log10:.12g}" if exponent >= -4 else f"{10 ** (log10 - exponent):.12g}e{exponent}"


def _in_words(log10: float) -> str:
    """Return a probability as a frequency, in words."""
    if log10 == -math.inf:
        return "never"
    if log10 > math.log10(0.5):
        return f"in {10**log10:.4%} of the cases"
    odds = 10 ** (-log10 % 1) * 10 ** min(math.floor(-log10), 15)
    return f"once in {odds:,.3g}" if -log10 < 6 else f"once in 10^{-log10:.2f}"
