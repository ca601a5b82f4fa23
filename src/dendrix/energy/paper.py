"""Energy estimate of a spiking network by the formula of its paper, which assumes a firing rate instead of measuring it."""

from functools import singledispatch
from typing import NamedTuple

from torch import nn

from ..models.spikegpt.network import SpikeGPTBody
from .report import Operations, Report

ASSUMED_RATE = 0.15
"""Firing rate in the energy model of SpikeGPT, arXiv 2302.13939, from two independent transcriptions; the paper gives no source for it."""


class Assumed(NamedTuple):
    """Operations according to the formula, and a description of its assumptions and omissions."""

    operations: Operations
    left_out: str


@singledispatch
def formula(model: nn.Module, report: Report, rate: float = ASSUMED_RATE) -> Assumed | None:  # the signature of the registered functions
    """Compute the operations of the steps of a report by the formula of the paper.

    None for networks without a published formula. Register a function for a class of networks with `@formula.register`.

    Args:
        model: the network.
        report: result of `measure`.
        rate: assumed firing rate.
    """
    return None


@formula.register
def _spikegpt(model: SpikeGPTBody, report: Report, rate: float = ASSUMED_RATE) -> Assumed | None:
    """Per token and block: rate * (3 d^2 + 9 d^2) additions for the projections and the channel mix, and 7 d products for WKV."""
    if model.config.decay_rank or model.config.window:  # not the network of the paper, which has fewer products
        return None
    width = model.config.width
    blocks = report.steps * model.config.layers
    return Assumed(
        Operations(macs=blocks * 7 * width, acs=blocks * rate * 12 * width**2),
        "it assumes that the matrix products of a block have spike inputs at the assumed rate, but in the published network no product has "
        "them; the output projection of each block, the head, normalisation, token shift, gates and all memory traffic are omitted",
    )
