"""From a trained network to a spiking one, in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from torch import Tensor, nn

from ..core import expect, expect_floating, expect_one_of
from ..errors import InputError
from .audit import Audit
from .lowering import lower
from .network import SpikingNetwork
from .parts import MaxPool, NeuronKind, Parts
from .tracing import label, shape, trace


@dataclass(frozen=True)
class Conversion:
    """A spiking network, and what became of each part of the one that it was made from."""

    network: SpikingNetwork
    audit: Audit


def convert(
    ann: nn.Module,
    example: Tensor,
    *,
    neuron: NeuronKind = "signed",
    max_pool: MaxPool = "refuse",
    fold_batch_norm: bool = True,
    allow: Sequence[str] = (),
) -> Conversion:
    """Turn a network with QCFS, LSQ or calibrated activations into a spiking one with the same weights.

    Each activation becomes a layer of neurons with its threshold; BatchNorm is folded into the layer before it, dropout removed. The
    result is made to be used: its parameters want no gradients until `network.requires_grad_()`.

    Args:
        ann: the trained network in evaluation mode; it stays as it is.
        example: images [B, C, H, W] like those to come.
        neuron: "if" integrates and fires, as published; "signed" also takes back spikes that later input disproves, which is far more
            accurate at few steps; "qffs" is signed and keeps at most as many spikes as the activation has levels: more steps than
            levels do harm there.
        max_pool: what to do with maximum pooling of spikes: refuse it, take the average, or keep sums over time ("spiking", exact).
        fold_batch_norm: whether to fold; without it the numbers are the same but for rounding.
        allow: paths of modules and functions, as errors and audits name them, to keep as they are at each step.
    Raises:
        ValueError: the network cannot be traced, or parts of it cannot become spikes; each is named.
    """
    expect_one_of(neuron, get_args(NeuronKind), "neuron")
    expect_one_of(max_pool, get_args(MaxPool), "max_pool")
    expect(example, "B C ...", "example")
    expect_floating(example, "example")
    traced = trace(ann, example, tuple(allow))
    names = {label(node) for node in traced.graph.nodes}
    if unknown := [name for name in allow if name not in names]:
        raise InputError(f"allow: expected parts of the network, got {unknown[0]!r}. Name them as the audit does.")
    parts = Parts(traced, neuron, max_pool, fold_batch_norm, tuple(allow))
    for node in list(traced.graph.nodes):
        parts.treat(node)
    if parts.problems:
        raise InputError("ann: expected parts that can become spikes. " + " ".join(dict.fromkeys(parts.problems)))
    if not parts.stateful:
        raise InputError("ann: expected activations to replace by neurons, got none. Train with QCFS, or use calibrate.")
    shapes = {node: shape(node) for node in traced.graph.nodes if "tensor_meta" in node.meta}
    network = lower(traced, parts.stateful, example.shape[1:], shapes)
    return Conversion(network.eval().requires_grad_(False), Audit(tuple(parts.entries)))
