"""The energy of a spiking network by the formula of its paper, which assumes what the meter measures."""

from functools import singledispatch
from typing import NamedTuple

from torch import nn

from ..models.spikegpt.network import SpikeGPTBody
from .report import Operations, Report

ASSUMED_RATE = 0.15
"""The firing rate in SpikeGPT's energy model, arXiv 2302.13939 by two independent transcriptions; where it is from is not said."""


class Assumed(NamedTuple):
    """What the formula gives, and what it does not count or takes for granted."""

    operations: Operations
    left_out: str


@singledispatch
def formula(model: nn.Module, report: Report, rate: float = ASSUMED_RATE) -> Assumed:
    """The operations of the steps in a report by the paper's formula; for networks that have none, as if spikes fed every product.

    Args:
        model: the network.
        report: of `measure`.
        rate: the assumed firing rate.
    """
    return Assumed(
        Operations(0, rate * report.dense.macs),
        "this network has no formula of its own, so SpikeGPT's way is taken: every matrix product fed by spikes at the assumed rate; "
        "normalisation, neurons and all memory traffic are left out",
    )


@formula.register
def _spikegpt(model: SpikeGPTBody, report: Report, rate: float = ASSUMED_RATE) -> Assumed:
    """Per token and block: rate * (3 d^2 + 9 d^2) sums for the projections and the channel mix, 7 d products for WKV."""
    width = model.config.width
    blocks = report.steps * model.config.layers
    return Assumed(
        Operations(macs=blocks * 7 * width, acs=blocks * rate * 12 * width**2),
        "it takes the matrix products of a block to be fed by spikes at the assumed rate, which in the published network none is; "
        "each block's output projection, the head, normalisation, token shift, gates and all memory traffic are left out",
    )
