"""`dendrix sdr design`: sizes of segments for a target error."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from .output import print_json

TargetFP = Annotated[float | None, tyro.conf.arg(aliases=("--fp",))]
TargetFN = Annotated[float | None, tyro.conf.arg(aliases=("--fn",))]
Noise = Annotated[float | None, tyro.conf.arg(aliases=("--noise",))]


def design(
    target_fp: TargetFP = None,
    target_noise: Noise = None,
    target_fn: TargetFN = None,
    solve: Literal["n", "theta", "s", "v", "m"] | None = None,
    n: int | None = None,
    a: int | None = None,
    s: int | None = None,
    theta: int | None = None,
    v: int | None = None,
    fraction: float | None = None,
    multiple_of: int = 1,
    union: bool = False,
    json: bool = False,
) -> None:
    """Find sizes for a target error: all good (n, a, s, theta), or with --solve one unknown.

    Args:
        target_fp: highest probability that a random pattern fires the segment.
        target_noise: share of the active cells that noise moves; finds all good sizes.
        target_fn: highest probability that the segment misses its own pattern under this noise; by default 1e-6 when finding all sizes.
        solve: unknown to find: smallest n or s, threshold theta, largest noise v, or largest number of patterns m.
        n: potential connections.
        a: active cells of a pattern.
        s: synapses of a segment.
        theta: overlap from which it fires.
        v: active cells moved by noise.
        fraction: with --solve s, the threshold as a share of the synapses instead of theta.
        multiple_of: with --solve s, consider multiples of this number only; 2 keeps a threshold of half the synapses whole.
        union: with --solve m, patterns that share one segment instead of segments of their own.
        json: print JSON.
    """
    sizes: dict[str, Any] = dict(n=n, a=a, s=s, theta=theta, v=v, fraction=fraction, multiple_of=multiple_of)
    given = {"target_fp": target_fp, "target_fn": target_fn, **sizes, "union": union or None}
    if solve is None:
        _all_sizes(given, target_noise, json)
        return
    if target_noise is not None:
        raise MisuseError(
            "design: expected --v for the noise with --solve, got --target-noise, which finds all sizes. Leave one of them out."
        )
    answer = _SOLVERS[solve](given)
    if json:
        print_json({"solve": solve, "answer": answer[solve], **{name: x for name, x in given.items() if x is not None}, **answer})
        return
    Console(highlight=False).print("   ".join(f"{name} = [bold]{value}[/bold]" for name, value in answer.items()))


def _all_sizes(given: dict[str, Any], noise: float | None, json: bool) -> None:
    from .. import sdr

    if noise is None or given["target_fp"] is None:
        raise MisuseError("design: expected --target-fp and --target-noise for all good sizes, or --solve with one of n, theta, s, v, m.")
    if given["v"] is not None or given["fraction"] is not None or given["multiple_of"] != 1 or given["union"]:
        raise MisuseError("design: expected --solve with --v, --fraction, --multiple-of and --union. Leave them out, or name what to find.")
    sizes = {name: given[name] for name in ("n", "a", "s", "theta") if given[name] is not None}
    found = sdr.design(given["target_fp"], noise, 1e-6 if given["target_fn"] is None else given["target_fn"], **sizes)
    if json:
        print_json([asdict(choice) for choice in found])
        return
    table = Table(
        "cells (n)",
        "active (a)",
        "synapses (s)",
        "threshold",
        "cells moved by noise",
        "false matches",
        "misses",
        title="Smallest segments that keep both errors: fewer of anything would exceed one of them",
        title_justify="left",
    )
    for choice in found:
        rates = f"{choice.false_positive:.1e}", f"{choice.false_negative:.1e}"
        table.add_row(f"{choice.n:,}", str(choice.a), str(choice.s), str(choice.theta), str(choice.v), *rates)
    Console().print(table)
    if found:
        print("\n".join(_in_words(found[0])))


def _in_words(choice: Any) -> list[str]:
    """Describe the first design as a neuron, and name the command that draws its errors."""
    sizes = f"--n {choice.n} --a {choice.a} --s {choice.s}"
    return [
        f"In words, the first row: a dendritic segment samples {choice.s} of the {choice.a} active cells of a pattern, among {choice.n:,}",
        f"cells, and fires when {choice.theta} of its synapses are active together. An unrelated pattern fires it",
        f"{_rarely(choice.false_positive)}; if noise moves {choice.v} of the active cells, it misses its own pattern",
        f"{_rarely(choice.false_negative)}. Next: dendrix sdr plot {sizes} --v {choice.v}",
    ]


def _rarely(rate: float) -> str:
    return f"once in {1 / rate:,.2g} times" if rate > 1e-6 else f"once in 10^{-math.log10(rate):.0f} times" if rate > 0 else "never"


def _needed(given: dict[str, Any], solve: str, *names: str) -> list[Any]:
    """Return the values of these options, all of which are required."""
    missing = [f"--{name.replace('_', '-')}" for name in names if given[name] is None]
    if missing:
        raise MisuseError(f"--solve {solve}: expected {', '.join(missing)} as well, got none. Add the missing options.")
    return [given[name] for name in names]


def _solve_n(given: dict[str, Any]) -> dict[str, Any]:
    from ..sdr import min_n

    return {"n": min_n(*_needed(given, "n", "a", "s", "theta", "target_fp"))}


def _solve_theta(given: dict[str, Any]) -> dict[str, Any]:
    from ..sdr import max_theta, min_theta, theta_window

    if given["target_fn"] is None:
        least = min_theta(*_needed(given, "theta", "n", "a", "s", "target_fp"))
        return {"theta": least, "min_theta": least}
    if given["target_fp"] is None:
        most = max_theta(*_needed(given, "theta", "a", "s", "v", "target_fn"))
        return {"theta": most, "max_theta": most}
    window = theta_window(*_needed(given, "theta", "n", "a", "s", "v", "target_fp", "target_fn"))
    return {"theta": window.min_theta, "min_theta": window.min_theta, "max_theta": window.max_theta}


def _solve_s(given: dict[str, Any]) -> dict[str, Any]:
    from ..sdr import min_s

    n, a, target = _needed(given, "s", "n", "a", "target_fp")
    v, target_fn = given["v"] or 0, 1.0 if given["target_fn"] is None else given["target_fn"]
    threshold = {name: given[name] for name in ("theta", "fraction")}
    return {"s": min_s(n, a, target, **threshold, v=v, target_fn=target_fn, multiple_of=given["multiple_of"])}


def _solve_v(given: dict[str, Any]) -> dict[str, Any]:
    from ..sdr import max_noise

    return {"v": max_noise(*_needed(given, "v", "a", "s", "theta", "target_fn"))}


def _solve_m(given: dict[str, Any]) -> dict[str, Any]:
    from ..sdr import max_set, union_capacity

    return {"m": (union_capacity if given["union"] else max_set)(*_needed(given, "m", "n", "a", "s", "theta", "target_fp"))}


_SOLVERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "n": _solve_n,
    "theta": _solve_theta,
    "s": _solve_s,
    "v": _solve_v,
    "m": _solve_m,
}
