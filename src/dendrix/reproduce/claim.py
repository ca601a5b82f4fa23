"""A published number, what it should be, and what we make of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Relation = Literal["is", "below", "above"]


@dataclass(frozen=True)
class Claim:
    """One number that was published.

    Args:
        where: figure, table or section.
        says: what is claimed, in our words.
        published: the number as printed, digit by digit.
        quantity: the function that computes it, with a keyword `backend`; float64 must equal mpmath to 1e-12.
        inputs: its arguments.
        holds: whether the claim is true, as found once and checked at every reproduction.
        relation: what the published number is to the true one: "is", or a bound that the true one lies "below" or "above".
        note: what the reader should know.
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
    """A claim and what came of it."""

    where: str
    says: str
    published: str
    call: str
    """What was computed."""
    computed: float
    verdict: str
    """"agrees", "holds", "false", or by how much the published number is off."""
    note: str
    passed: bool
    """Whether float64 and mpmath agree and the verdict is the known one: a reproduction that differs is a defect here."""


def check(claim: Claim) -> Checked:
    """Compute the number of a claim and judge what was published."""
    import mpmath

    computed = float(claim.quantity(**claim.inputs))
    agrees, verdict = _judge(claim, computed)
    with mpmath.workdps(30):
        exact = math.isclose(computed, claim.quantity(**claim.inputs, backend="mpmath"), rel_tol=1e-12)
    published = {"is": "", "below": "< ", "above": "> "}[claim.relation] + claim.published
    call = f"{claim.quantity.__name__}({', '.join(f'{name}={value!r}' for name, value in claim.inputs.items())})"
    return Checked(claim.where, claim.says, published, call, computed, verdict, claim.note, exact and agrees == claim.holds)


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
