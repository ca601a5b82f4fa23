"""The scale of a rule's probabilities, fitted on data."""

from collections.abc import Sequence
from dataclasses import replace

from ...core import expect_one_of
from ...errors import InputError
from ..records import ExitRecord
from ..reporting.calibration import calibration
from ..rules.base import ExitRule
from ..rules.entropy import Entropy
from ..rules.max_probability import MaxProbability

SCALES = tuple(2.0 ** (k / 2) for k in range(-8, 17))
"""What is tried by default: 1/16 to 256 in half octaves."""


def best_scale(record: ExitRecord, by: str = "ece", scales: Sequence[float] = SCALES) -> float:
    """The scale at which the probabilities of all steps are calibrated best; of equally good ones the smallest. Needs labels.

    Args:
        record: inputs that will not certify a threshold.
        by: "ece", the expected calibration error, or "nll", the negative log-likelihood.
        scales: what to try.
    """
    expect_one_of(by, ("ece", "nll"), "scale")
    return min(sorted(scales), key=lambda scale: getattr(calibration(record, scale), by))


def fit_scale(rules: Sequence[ExitRule], record: ExitRecord, by: str) -> list[ExitRule]:
    """The rules with their scale fitted; those that have none stay what they are.

    Raises:
        ValueError: none of them has a scale.
    """
    if not any(isinstance(rule, (MaxProbability, Entropy)) for rule in rules):
        raise InputError("scale: expected a rule with a scale, max-probability or entropy, got none. Leave the scale out.")
    scale = best_scale(record, by)
    return [replace(rule, scale=scale) if isinstance(rule, (MaxProbability, Entropy)) else rule for rule in rules]
