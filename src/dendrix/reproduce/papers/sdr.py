"""Ahmad & Hawkins (2016): every figure drawn again, every quoted number checked, and a page of errata."""

import math
from pathlib import Path

from ...sdr import false_negative, false_positive
from ..claim import Checked, check
from .sdr_claims import claims
from .sdr_figures import FIGURES, draw_all
from .sdr_published import DRAWS, FIGURE_4A, FIGURE_4B_NOISE, FIGURE_4B_SIMULATED

PAGE = "sdr-errata.md"
_INTRODUCTION = """# Sparse representations and active dendrites: figures and errata

S. Ahmad and J. Hawkins, *How do neurons operate on sparse distributed representations? A mathematical theory of sparsity, neurons and
active dendrites*, [arXiv 1601.00720v2](https://arxiv.org/abs/1601.00720), made again from exact formulas.
`dendrix reproduce sdr` writes this page.

The theory stands. What does not are some printed digits, most of them lost when symbolic sums were evaluated, and four sentences:

- *The error falls faster than exponentially with n.* The figure holds the number of active cells fixed, and then it falls as a power,
  n to the minus theta. At a fixed share of active cells it rises with n towards a floor that only the sparsity sets.
- *The dashed line of figure 5A is 50 % activity.* It is 25 %; at 50 % the error is 0.58.
- *A threshold of 9 gives less than one error in a billion.* That is the median over the settings of figure 6, and it needs 10; all of
  the 420 settings need 14.
- *A million patterns at threshold 15 give less than one error in a billion.* It is 1.049 in a billion; 953,114 patterns are the most.
"""
_NUMBERS = """
## The quoted numbers

"Computed" is exact to the digits shown; a printed number agrees if it is right in its last digit.

| where | what is claimed | printed | computed | verdict | note |
|---|---|---|---|---|---|
"""
_SIMULATIONS = """
## The paper's simulations

Beside the exact value, and how many standard errors of 1e8 comparisons lie between them. One point is far off: at a = 256, n = 300 the
released simulator adds its counts up in float32, which rounds; replaying 200,000 such additions gives its number. Three points of figure 4B
lie between four and five standard errors off, all below the exact value and by less than 1 % of it; the reason is not known.

| figure | setting | simulated | exact | standard errors |
|---|---|---|---|---|
"""
_CALLS = """
## How they are computed

Each line is a function of `dendrix.sdr`, or the median of figure 6, with its arguments.

"""


def reproduce(out: Path) -> list[Checked]:
    """Check every claim, draw every figure into `out`, and write the page there."""
    from ...core.files import write_atomic  # here, not above: core loads torch

    checked = [check(claim) for claim in claims()]
    out.mkdir(parents=True, exist_ok=True)
    drawn = draw_all(out / "images")
    parts = [_INTRODUCTION]
    for number, path in drawn.items():
        caption = (FIGURES[number].__doc__ or "").strip()
        parts.append(f"\n## Figure {number}\n\n{caption}\n\n![{caption}]({path.relative_to(out)})\n")
    parts.append(_NUMBERS + "".join(map(_row, checked)))
    parts.append(
        _SIMULATIONS
        + "".join(f"| {where} | {what} | {drawn:.6g} | {exact:.6g} | {z:+.1f} |\n" for where, what, drawn, exact, z in simulations())
    )
    parts.append(_CALLS + "".join(f"- {result.where}: `{result.call}`\n" for result in checked))
    write_atomic(out / PAGE, "".join(parts).encode())
    return checked


def simulations() -> list[tuple[str, str, float, float, float]]:
    """Figure, setting, simulated rate, exact rate and the difference in standard errors, for every point that the paper simulated."""
    points = [
        ("4A", f"a = {a}, n = {n}", simulated, false_positive(n, a, 24, 12))
        for a, curve in FIGURE_4A.items()
        for n, simulated in curve.items()
    ]
    points += [
        ("4B", f"{v} of 128 bits moved", simulated, false_negative(128, 30, v, 12))
        for v, simulated in zip(FIGURE_4B_NOISE, FIGURE_4B_SIMULATED, strict=True)
        if simulated
    ]
    return [(*point, (point[2] - point[3]) / math.sqrt(point[3] * (1 - point[3]) / DRAWS)) for point in points]


def _row(result: Checked) -> str:
    return f"| {result.where} | {result.says} | {result.published} | {result.computed:.12g} | {result.verdict} | {result.note} |\n"
