"""Conversion of a trained network to a spiking one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from torch import Tensor, nn

from ..core import expect, expect_finite, expect_floating, expect_one_of
from ..errors import InputError
from .audit import Audit
from .lowering import lower
from .network import SpikingNetwork
from .parts import MaxPool, NeuronKind, Parts
from .tracing import label, shape, trace
from .verification import Run, expect_images_apart, expect_same, random_images


@dataclass(frozen=True)
class Conversion:
    """A spiking network, and what happened to each part of the original."""

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
    """Convert a network with QCFS, LSQ or clipped activations to a spiking one with the same weights.

    Each activation becomes a layer of neurons with its threshold: QCFS, LSQ, calibrated ReLUs, and functions that clip to [0, ceiling],
    such as ReLU6, hardtanh and clamp. BatchNorm is folded into the convolution or linear layer before it where that is exact, dropout is
    removed, and weights that are pruned, normalised or otherwise parametrized by `torch.nn.utils` become plain. The parameters of the
    result need no gradients until `network.requires_grad_()`.

    Args:
        ann: the trained network in evaluation mode; it is not changed.
        example: images [B, C, H, W] of the shape that will be used.
        neuron: "if" integrates and fires, as published; "signed" can also cancel spikes by negative ones, which is far more accurate at few
            steps; "qffs" is signed with at most as many spikes as the activation has levels: more steps than levels reduce accuracy.
        max_pool: treatment of maximum pooling of spikes: refuse it, use the average, or keep sums over time ("spiking", exact).
        fold_batch_norm: whether to fold; without it the results are the same up to rounding.
        allow: paths of modules and functions, as errors and audits name them, that are kept and applied to each step.
    Raises:
        ValueError: the network cannot be traced, parts of it cannot become spikes (each is named), or images of a batch affect each other.
    """
    expect_one_of(neuron, get_args(NeuronKind), "neuron")
    expect_one_of(max_pool, get_args(MaxPool), "max_pool")
    expect(example, "B C ...", "example")
    expect_floating(example, "example")
    expect_finite(example, "example")
    traced = trace(ann, example, tuple(allow))
    names = {label(node) for node in traced.graph.nodes}
    if unknown := [name for name in allow if name not in names]:
        raise InputError(f"allow: expected parts of the network, got {unknown[0]!r}. Name them as the audit does.")
    images = random_images(example)
    before = Run(traced, {}, images)
    parts = Parts(traced, neuron, max_pool, fold_batch_norm, tuple(allow), example.device)
    for node in list(traced.graph.nodes):
        parts.treat(node)
    if parts.problems:
        raise InputError("ann: expected parts that can become spikes. " + " ".join(dict.fromkeys(parts.problems)))
    if not parts.stateful:
        raise InputError("ann: expected activations to replace by neurons, got none. Train with QCFS, or use calibrate.")
    expect_same(before, Run(traced, parts.originals, images))
    expect_images_apart(traced, parts.originals, images)
    shapes = {node: shape(node) for node in traced.graph.nodes if "tensor_meta" in node.meta}
    network = lower(traced, parts.stateful, example.shape[1:], shapes)
    return Conversion(network.eval().requires_grad_(False), Audit(tuple(parts.entries)))
