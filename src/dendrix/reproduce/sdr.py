"""Ahmad & Hawkins (2016): every figure drawn again, every quoted number checked, and a page of errata."""

from pathlib import Path

from .claim import Checked, check
from .sdr_claims import claims
from .sdr_figures import FIGURES, draw_all

PAGE = "sdr-errata.md"
_INTRODUCTION = """# Sparse representations and active dendrites: figures and errata

S. Ahmad and J. Hawkins, *How do neurons operate on sparse distributed representations? A mathematical theory of sparsity, neurons and
active dendrites*, [arXiv 1601.00720v2](https://arxiv.org/abs/1601.00720), made again from exact formulas.
`dendrix reproduce sdr` writes this page.

The theory stands. What does not are some printed digits, most of them lost when symbolic sums were evaluated, and three sentences:

- *The error falls faster than exponentially with n.* The figure holds the number of active cells fixed, and then it falls as a power,
  n to the minus theta. At a fixed share of active cells it rises with n towards a floor that only the sparsity sets.
- *The dashed line of figure 5A is 50 % activity.* It is 25 %; at 50 % the error is 0.58.
- *A threshold of 9 gives less than one error in a billion.* That is the median over the settings of figure 6, and it needs 10; all of
  the 420 settings need 14.
"""
_NUMBERS = """
## The quoted numbers

"Computed" is exact to the digits shown; a printed number agrees if it is right in its last digit.

| where | what is claimed | printed | computed | verdict | note |
|---|---|---|---|---|---|
"""
_CALLS = """
## How they are computed

Each line is a function of `dendrix.sdr`, or the median of figure 6, with its arguments.

"""


def reproduce(out: Path) -> list[Checked]:
    """Check every claim, draw every figure into `out`, and write the page there."""
    from ..core.files import write_atomic  # here, not above: core loads torch

    checked = [check(claim) for claim in claims()]
    out.mkdir(parents=True, exist_ok=True)
    drawn = draw_all(out / "images")
    parts = [_INTRODUCTION]
    for number, path in drawn.items():
        caption = (FIGURES[number].__doc__ or "").strip()
        parts.append(f"\n## Figure {number}\n\n{caption}\n\n![{caption}]({path.relative_to(out)})\n")
    parts.append(_NUMBERS + "".join(map(_row, checked)))
    parts.append(_CALLS + "".join(f"- {result.where}: `{result.call}`\n" for result in checked))
    write_atomic(out / PAGE, "".join(parts).encode())
    return checked


def _row(result: Checked) -> str:
    return f"| {result.where} | {result.says} | {result.published} | {result.computed:.12g} | {result.verdict} | {result.note} |\n"
