"""Published numbers, and checks of the reproduced numbers against them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Relation = Literal["is", "below", "above"]


@dataclass(frozen=True)
class Claim:
    """A published number that can be computed exactly.

    Args:
        where: figure, table or section.
        says: the claim, in our words.
        published: the number as printed, digit by digit.
        quantity: function that computes the number, with a keyword `backend`; float64 must equal mpmath to 1e-12.
        inputs: arguments of `quantity`.
        holds: whether the claim is true. The verdict was established once and is checked at every reproduction.
        relation: whether the computed number equals the published one ("is") or lies "below" or "above" it.
        note: remark for the reader.
    """

    where: str
    says: str
    published: str
    quantity: Callable[..., Any]
    inputs: Mapping[str, Any]
    holds: bool = True
    relation: Relation = "is"
    note: str = ""


@dataclass(frozen=True)
class Checked:
    """A claim and the result of its check."""

    where: str
    says: str
    published: str
    call: str
    """The computation or training behind `computed`."""
    computed: float
    verdict: str
    """"agrees", "holds", "false", or the difference from the published number."""
    note: str
    passed: bool | None
    """Whether the reproduction gives the expected verdict; None if the number is information only and nothing was checked."""


def check(claim: Claim) -> Checked:
    """Compute the number of a claim and compare it with the published one."""
    import mpmath

    computed = float(claim.quantity(**claim.inputs))
    agrees, verdict = _judge(claim, computed)
    with mpmath.workdps(30):
        exact = math.isclose(computed, claim.quantity(**claim.inputs, backend="mpmath"), rel_tol=1e-12)
    published = {"is": "", "below": "< ", "above": "> "}[claim.relation] + claim.published
    call = f"{claim.quantity.__name__}({', '.join(f'{name}={value!r}' for name, value in claim.inputs.items())})"
    return Checked(claim.where, claim.says, published, call, computed, verdict, claim.note, exact and agrees == claim.holds)


def compare(where: str, says: str, call: str, computed: float, documented: float | None, tolerance: float, unit: str = "") -> Checked:
    """Compare the result of a training with a documented one, which another machine, library version or seed gave.

    Args:
        where: table of the result.
        says: name of the number.
        call: the training.
        computed: the number.
        documented: the expected number; None checks nothing.
        tolerance: largest difference that counts as agreement.
        unit: unit of the number, for the verdict.
    """
    if documented is None:
        return Checked(where, says, "", call, computed, "no documented number", "", None)
    off = computed - documented
    near, unit = abs(off) <= tolerance, unit and f" {unit}"
    verdict = f"{'agrees' if near else 'differs'}: {off:+.3f}{unit}"
    return Checked(where, says, f"{documented}", call, computed, verdict, f"tolerance {tolerance:g}{unit}", near)


def _judge(claim: Claim, computed: float) -> tuple[bool, str]:
    published = float(claim.published)
    if claim.relation != "is":
        holds = computed < published if claim.relation == "below" else computed > published
        return holds, "holds" if holds else f"false: {computed / published - 1:+.1%}"
    agrees = abs(computed - published) <= _last_place(claim.published)
    return agrees, "agrees" if agrees else _off(published / computed)


def _off(ratio: float) -> str:
    return f"off by {ratio - 1:+.2g} (relative)" if 0.1 < ratio < 10 else f"off by a factor of {ratio if ratio > 1 else 1 / ratio:,.0f}"


def _last_place(number: str) -> float:
    """The value of one unit in the last printed digit."""
    digits, _, exponent = number.lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
