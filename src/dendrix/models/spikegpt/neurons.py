"""Neurons of SpikeGPT: those of the release, and variants that a network for spikes before its products may have instead."""

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import expect_count, expect_fields, expect_flag, expect_in
from ...core import ATan, State, Stateful, expect, expect_floating, expect_instance, expect_state, expect_valid, scan, zero_invalid
from ...errors import InputError
from ...neurons.base import Spike
from ...neurons.counts import spike_count_step
from ...neurons.lif import LIFState, lif_step


@dataclass(frozen=True)
class NeuronConfig:
    """Neurons of a `SpikeGPT`. The defaults are those of the published network; every field is independent of the others.

    Raises:
        InputError: a field is out of range.
    """

    alpha: float = 2.0
    """Sharpness of the surrogate, ATan, in the backward pass. It does not change the spikes."""
    levels: int = 1
    """Largest number of spikes of a neuron for one token, one for each multiple of the threshold that its membrane
    reaches; at most 256."""
    signed: bool = False
    """Fire negative spikes below the negative threshold."""
    scales: bool = False
    """Train a threshold and an amplitude of the spikes for each channel."""
    decays: bool = False
    """Train a membrane decay for each channel, instead of 0.5."""
    norm: bool = False
    """Normalise the input of the neurons behind each half of a block. Neurons before a product always have a norm before them."""
    separate: bool = False
    """Neurons of its own for each product that reads the stream, behind the token shift, instead of neurons before the token shift
    whose spikes all of them read."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("levels",), alpha="(0, inf)", levels="[1, 256]")
        for name in ("signed", "scales", "decays", "norm", "separate"):
            expect_flag(getattr(self, name), name)

    @property
    def changed(self) -> dict[str, Any]:
        """Fields that differ from the published neurons and change the result of the network, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) != field.default}
        found.pop("alpha", None)
        return found

    def expect_published(self, where: str, *folded: str) -> None:
        """Refuse neurons that change the result of the network.

        Args:
            where: what has only the published neurons, for the error message.
            folded: names of fields that do not matter there.
        Raises:
            InputError: a field is not that of the published neurons.
        """
        if own := ", ".join(f"{name}={value}" for name, value in self.changed.items() if name not in folded):
            raise InputError(f"neurons: expected the published ones for {where}, got {own}. Call the network itself, or train without.")


PUBLISHED = NeuronConfig()
"""Neurons of the published network."""


class SpikeNeurons(Stateful):
    """Neurons of a SpikeGPT, [B, T, C] -> spikes [B, T, C]: scaled input, hard reset with gradient, and ATan as the surrogate.

    As published, they have a time constant of two tokens and no parameters. With `scales`, a threshold is v_threshold * exp(log_threshold)
    and an amplitude exp(log_amplitude); with `decays`, a decay is sigmoid(decay_logit).

    Args:
        size: number of neurons, C.
        v_threshold: initial threshold.
        config: kind of neurons.
        norm: normalise the input.
    """

    def __init__(self, size: int, v_threshold: float = 1.0, config: NeuronConfig = PUBLISHED, norm: bool = False):
        super().__init__()
        self.size, self.config = expect_count(size, "[1, inf)", "size"), expect_instance(config, NeuronConfig, "config")
        self.v_threshold = expect_in(v_threshold, "(0, inf)", "v_threshold")
        if config.scales:
            self.log_threshold, self.log_amplitude = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.zeros(size))
        if config.decays:
            self.decay_logit = nn.Parameter(torch.zeros(size))
        if expect_flag(norm, "norm"):
            self.norm = nn.LayerNorm(size)
        self.spike: Spike = ATan(config.alpha)
        self._normed = norm

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, v_threshold=self.v_threshold, config=self.config, norm=self._normed)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.size)
        expect_floating(x)
        expect_valid(valid, x)
        first = x[:, 0]
        expect_state(state, LIFState, first.shape)
        if state is None:
            state = LIFState(torch.zeros_like(first, dtype=torch.promote_types(x.dtype, torch.float32)))
        if self._normed or self.config.scales:
            x = zero_invalid(x, valid)  # a NaN at an invalid step must not reach the gradients of the parameters
        if self._normed:
            x = self.norm(x)
        if self.config.scales:  # in units of the threshold, because kernels take one threshold for all channels
            x = x * torch.exp(-self.log_threshold)
        decay = torch.sigmoid(self.decay_logit) if self.config.decays else 0.5
        constants: dict[str, Any] = dict(decay=decay, v_threshold=self.v_threshold, spike=self.spike)
        if self.config.levels == 1 and not self.config.signed:
            spikes, state = scan(lif_step, x, state, valid, v_reset=0.0, detach_reset=False, scale_input=True, **constants)
        else:
            kind = dict(levels=self.config.levels, signed=self.config.signed)
            spikes, state = scan(spike_count_step, x, state, valid, **kind, **constants)
        return spikes * torch.exp(self.log_amplitude) if self.config.scales else spikes, state

    def counts(self, spikes: Tensor) -> Tensor:
        """Return the number of spikes behind an output of these neurons, [..., C], whatever their sign and amplitude.

        Args:
            spikes: output, or a selection of outputs of the same channels, [..., C].
        """
        counted = spikes / torch.exp(self.log_amplitude) if self.config.scales else spikes
        return counted.abs() if self.config.signed else counted  # abs has no gradient at 0, where a neuron is silent
