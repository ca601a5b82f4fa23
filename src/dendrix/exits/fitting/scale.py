"""Fit of the scale that divides the evidence before the softmax."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from ...core import expect_one_of
from ...errors import InputError
from ..records import ExitRecord
from ..reporting.calibration import calibration
from ..rules.base import ExitRule
from ..rules.names import SCALED

SCALES = tuple(2.0 ** (k / 2) for k in range(-8, 17))
"""Scales that are tried first: 1/16 to 256 in half octaves."""


class ScaleSearch(NamedTuple):
    """The best scale, and a sentence about a best scale at the edge of all that were tried; empty if it lies inside."""

    scale: float
    note: str


def best_scale(record: ExitRecord, by: str = "ece", scales: Sequence[float] | None = None) -> float:
    """Find the scale at which the probabilities of all steps are calibrated best; of equally good ones the smallest. Needs labels.

    Warns if the best scale is the smallest or the largest that was tried.

    Args:
        record: inputs that will not certify a threshold.
        by: "ece", the expected calibration error, or "nll", the negative log-likelihood.
        scales: the only ones to try. By default 1/16 to 256 in half octaves; where the best of these is at an edge, all half octaves
            between certain and uniform probabilities.
    """
    found = search_scale(record, by, scales)
    if found.note:
        warnings.warn(found.note, stacklevel=2)
    return found.scale


def search_scale(record: ExitRecord, by: str = "ece", scales: Sequence[float] | None = None) -> ScaleSearch:
    """As `best_scale`, with the warning as a value."""
    expect_one_of(by, ("ece", "nll"), "scale")
    losses: dict[float, float] = {}

    def try_out(tried: Sequence[float]) -> float:
        losses.update({scale: getattr(calibration(record, scale), by) for scale in tried if scale not in losses})
        return min(sorted(losses), key=losses.__getitem__)

    best = try_out(SCALES if scales is None else scales)
    if scales is None and best in (SCALES[0], SCALES[-1]):
        wider = try_out(_half_octaves(record))
        best = wider if losses[wider] < losses[best] else best
    tried = sorted(losses)
    for edge, neighbour, name in ((0, 1, "smallest"), (-1, -2, "largest")):
        if best == tried[edge] and len(tried) > 1 and losses[best] < losses[tried[neighbour]]:
            return ScaleSearch(best, f"The scale, {best:.4g}, is the {name} that was tried; the best one may lie beyond it.")
    return ScaleSearch(best, "")


def _half_octaves(record: ExitRecord) -> list[float]:
    """Half octaves from where most probabilities are certain to where all are uniform, for the size of this evidence."""
    leads, spreads = [], []
    for evidence_t, valid in zip(record.follow(), record.valid.unbind(1), strict=True):
        ranked = evidence_t[valid].double().sort(-1, descending=True).values
        leads.append(ranked[:, 0] - ranked[:, min(1, ranked.shape[1] - 1)])
        spreads.append(ranked[:, 0] - ranked[:, -1])
    lead, spread = torch.cat(leads), torch.cat(spreads)
    apart = lead[(lead > 0) & spread.isfinite()]
    if not len(apart):
        return []
    ends = torch.stack([apart.median() / 64, spread[spread.isfinite()].max() * 64])
    low, high = (2 * ends.log2()).round().int().tolist()
    return [2.0 ** (k / 2) for k in range(low, high + 1)]


def fit_scale(rules: Sequence[ExitRule], record: ExitRecord, by: str) -> tuple[list[ExitRule], str]:
    """Fit the scale of the rules that have one; the others are returned unchanged. Also returns the note of the search.

    Raises:
        ValueError: none of the rules has a scale.
    """
    if not any(isinstance(rule, SCALED) for rule in rules):
        raise InputError("scale: expected a rule with a scale, max-probability or entropy, got none. Leave the scale out.")
    scale, note = search_scale(record, by)
    return [replace(rule, scale=scale) if isinstance(rule, SCALED) else rule for rule in rules], note
