"""The energy of a spiking network by the formula of its paper, which assumes what the meter measures."""

from functools import singledispatch

from torch import nn

from ..models.spikegpt import SpikeGPTBody
from .report import Operations, Report

ASSUMED_RATE = 0.15
"""The firing rate in SpikeGPT's energy model, arXiv 2302.13939 by two independent transcriptions; where it is from is not said."""

LEFT_OUT = (
    "It leaves out each block's output projection, the head, normalisation, token shift, gates and all memory traffic, and takes every "
    "matrix product to be fed by spikes at the assumed rate; in the published network none is."
)
"""What the formula does not count, and what it takes for granted."""


@singledispatch
def formula(model: nn.Module, report: Report, rate: float = ASSUMED_RATE) -> Operations:
    """The operations of the steps in a report by the paper's formula; for networks that have none, as if spikes fed every product.

    Args:
        model: the network.
        report: of `measure`.
        rate: the assumed firing rate.
    """
    return Operations(0, rate * report.dense.macs)


@formula.register
def _spikegpt(model: SpikeGPTBody, report: Report, rate: float = ASSUMED_RATE) -> Operations:
    """Per token and block: rate * (3 d^2 + 9 d^2) sums for the projections and the channel mix, 7 d products for WKV."""
    width = model.spec.width
    blocks = report.steps * model.spec.layers
    return Operations(macs=blocks * 7 * width, acs=blocks * rate * 12 * width**2)
