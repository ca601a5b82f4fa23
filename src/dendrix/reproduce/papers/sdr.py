"""Figures and quoted numbers of Ahmad & Hawkins (2016), as published and corrected, with a page of errata."""

import math
from pathlib import Path

from ...errors import InputError
from ...sdr import false_negative, false_positive
from ..claim import Checked, check
from .sdr_claims import claims
from .sdr_figures import FIGURES, draw_all
from .sdr_published import DRAWS, FIGURE_4A, FIGURE_4B_NOISE, FIGURE_4B_SIMULATED

PAGE = "sdr-errata.md"
_INTRODUCTION = """# Sparse representations and active dendrites: figures and errata

S. Ahmad and J. Hawkins, *How do neurons operate on sparse distributed representations? A mathematical theory of sparsity, neurons and
active dendrites*, [arXiv 1601.00720v2](https://arxiv.org/abs/1601.00720), reproduced with exact formulas. `dendrix reproduce sdr` writes
this page.

The theory is correct. Errors are in some printed digits, most of which were lost in the evaluation of symbolic sums, and in four
statements:

- *The error falls faster than exponentially with n.* In the figure the number of active cells is fixed, and then the error falls as a
  power, n to the minus theta. At a fixed share of active cells it rises with n to a limit that depends on the sparsity only.
- *The dashed line of figure 5A is 50 % activity.* It is 25 %; at 50 % the error is 0.58.
- *A threshold of 9 gives less than one error in a billion.* This is the median over the settings of figure 6, and it needs a threshold of
  10; all 420 settings need 14.
- *A million patterns at threshold 15 give less than one error in a billion.* The error is 1.049 in a billion; at most 953,114 patterns
  stay below one.
"""
_NUMBERS = """
## Quoted numbers

"Computed" is exact to the digits shown. A printed number agrees if it is correct within one unit of its last digit.

| where | claim | printed | computed | verdict | note |
|---|---|---|---|---|---|
"""
_SIMULATIONS = """
## Simulations of the paper

Each simulated value beside the exact one, and their difference in standard errors of 1e8 comparisons. One point is far off: for a = 256,
n = 300, the released simulator adds its counts in float32, with rounding errors; 200,000 such additions give its number. Three points of
figure 4B are between four and five standard errors off, all below the exact value by less than 1 %; the reason is unknown.

| figure | setting | simulated | exact | standard errors |
|---|---|---|---|---|
"""
_CALLS = """
## Computations

Each line is a function of `dendrix.sdr`, or the median of figure 6, with its arguments.

"""


def reproduce(out: Path, epochs: int | None = None, jobs: int = 1) -> list[Checked]:
    """Check every claim, draw every figure, and write the page.

    Args:
        out: folder of the page and the figures.
        epochs, jobs: options of reproductions that train; refused here.
    Raises:
        InputError: an option was given.
    """
    from ...core.files import write_atomic  # late, because core loads torch

    if epochs is not None or jobs != 1:
        raise InputError(f"epochs, jobs: expected none, as sdr trains nothing, got {epochs} and {jobs}. Leave them out.")
    checked = [check(claim) for claim in claims()]
    out.mkdir(parents=True, exist_ok=True)
    drawn = draw_all(out / "images")
    parts = [_INTRODUCTION]
    for number, path in drawn.items():
        caption = (FIGURES[number].__doc__ or "").strip()
        parts.append(f"\n## Figure {number}\n\n{caption}\n\n![{caption}]({path.relative_to(out)})\n")
    parts += [_NUMBERS, *map(_row, checked), _SIMULATIONS]
    parts += [f"| {where} | {what} | {drawn:.6g} | {exact:.6g} | {z:+.1f} |\n" for where, what, drawn, exact, z in simulations()]
    parts += [_CALLS, *(f"- {result.where}: `{result.call}`\n" for result in checked)]
    write_atomic(out / PAGE, "".join(parts).encode())
    return checked


def simulations() -> list[tuple[str, str, float, float, float]]:
    """Figure, setting, simulated rate, exact rate and difference in standard errors of every point that the paper simulated."""
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
