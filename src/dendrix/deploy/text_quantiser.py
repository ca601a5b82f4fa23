"""Quantisation of a trained SpikeGPT: matrices to 8 bits with a scale per row, everything else to whole numbers with calibrated units."""

import contextlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError, InputTypeError
from ..generate.packing import expect_finite_weights, rounded_weight
from ..lowering.plain import expect_plain
from ..models.spikegpt.blocks import ChannelMix, TimeMix
from ..models.spikegpt.deployment import folded
from ..models.spikegpt.network import SpikeGPT
from .integer_layer import Ints
from .text_bounds import SUM_LIMIT
from .text_layout import END_SCALARS, SCALARS, named_constants, named_weights
from .text_network import NEURON_FIELDS, IntegerSpikeGPT
from .text_reference import GAIN_BITS, GATE_BITS, LOG_BITS, LOG_MAX, MIX_BITS, STREAM_MAX

_ACTIVATION_MAX = 2**14 - 1
"""Largest magnitude of an input of a product, so that a mixture of two fits into 32 bits."""
_HEADROOM = 2.0
"""Range of a unit over the largest magnitude seen in calibration."""
_NEURON_BITS = 16
"""Fractional bits of a norm before neurons, and of the stream at most."""
_FEWEST_BITS = 4
"""Fractional bits of the stream at least."""
_VALUE_SHIFT_MAX = 12
"""Largest number of bits that values have below the sums of their product."""
_MIX_MAX = 4.0
"""Largest magnitude of a mixing ratio."""

Floats = NDArray[np.float64]


def quantise_text(network: SpikeGPT, tokens: Iterable[Tensor]) -> IntegerSpikeGPT:
    """Make the integer form of a trained SpikeGPT.

    Args:
        network: the network; dropout has no effect.
        tokens: batches of training text, int64 [B, T], which choose the units of the activations. Never pass text that measures the result.
    Raises:
        InputError, InputTypeError: a part has no integer form or hooks, a weight is NaN or infinite, or there is no text.
    """
    if not isinstance(network, SpikeGPT):
        raise InputTypeError(f"network: expected a SpikeGPT, got {type(network).__name__}, which has no integer form for text.")
    expect_plain(network)
    expect_finite_weights(network)
    network = folded(network)
    network.config.expect_published("the integer form", *NEURON_FIELDS)
    for name, ratio in network.named_parameters():
        if "time_mix" in name and (largest := float(ratio.detach().abs().max())) >= _MIX_MAX:
            raise InputError(f"{name}: expected mixing ratios within {_MIX_MAX:g}, got {largest:.4g}, which has no integer form.")
    if (network.config.spikes == "input" or network.config.neurons.norm) and network.config.v_threshold >= STREAM_MAX / 2**_NEURON_BITS:
        raise InputError(f"v_threshold: expected less than 128, got {network.config.v_threshold:g}, which has no integer form.")
    made = IntegerSpikeGPT(network.config).eval()
    _Quantiser(network, _ranges(network, tokens), made).fill()
    return made


class _Quantiser:
    """Fills the tables of an integer network."""

    def __init__(self, network: SpikeGPT, ranges: dict[str, float], made: IntegerSpikeGPT):
        self.network, self.ranges, self.made, self.config = network, ranges, made, network.config
        self.bits = self.config.spikes == "input"
        largest = max(ranges["stream"], ranges.get("blocks.0.ln0", 0.0))
        fraction = math.floor(math.log2(STREAM_MAX / (_HEADROOM * largest))) if largest > 0 else _NEURON_BITS
        if fraction < _FEWEST_BITS:
            raise InputError(f"stream: expected magnitudes below 2^18, got {largest:.3g} in calibration. Did the training diverge?")
        self.unit = 2.0 ** -min(fraction, _NEURON_BITS)
        """Unit of the residual stream."""

    @torch.no_grad()
    def fill(self) -> None:
        weights = list(named_weights(self.config, self.made.weights.numpy()))
        constants = list(named_constants(self.config, self.made.constants.numpy()))
        shift, blocks = self._embedding(), list[Any](self.network.blocks)
        for index, block in enumerate(blocks):
            for norm, name, where in ((block.ln1, block.before, 2 * index), (block.ln2, "ffn", 2 * index + 1)):
                self._half(f"blocks.{index}", norm, name, block.get_submodule(name), weights[where], constants[where])
        self._end(weights[-1]["head"], constants[-1], shift)

    def _embedding(self) -> int:
        """Fill the table of the embedding after its norm; returns its shift."""
        x = self.network.emb.weight.double()
        if self.config.binary_embedding:
            x = (x >= 0).double()
        if self.config.layers:
            first: Any = self.network.blocks[0].get_submodule("ln0")
            x = nn.functional.layer_norm(x, x.shape[1:], first.weight.double(), first.bias.double(), first.eps)
        whole = x / self.unit
        shift = max(0, math.ceil(math.log2(max(float(whole.abs().max()), 1.0) / (2**15 - 1))))
        self.made.embedding.copy_((whole / 2**shift).round().to(torch.int16))
        return shift

    def _half(self, path: str, norm: Any, name: str, mix: TimeMix | ChannelMix, weights: dict[str, Ints], into: dict[str, Ints]) -> None:
        scalars: dict[str, int] = dict.fromkeys(SCALARS, 1)
        rows = {key: _matrix(mix.get_submodule(key), matrix) for key, matrix in weights.items()}
        time, ranges = isinstance(mix, TimeMix), self.ranges
        last = "output" if time else "value"
        first = [key for key in weights if key != last]
        scalars["limit"], scalars["inner_limit"] = _limit(*(weights[key] for key in first)), _limit(weights[last])
        scalars["value_shift"] = _room(
            weights["value"], self.config.neurons.levels if self.bits else scalars["limit" if time else "inner_limit"]
        )
        rows["value"] = rows["value"] / 2.0 ** scalars["value_shift"]
        unit = 2.0**-_NEURON_BITS if self.bits else _HEADROOM * ranges[f"{path}.{_NORM[name]}"] / scalars["limit"]
        _norm(norm, self.unit, unit, into, "norm", scalars)
        if self.bits:
            unit = 1.0
        for key in ("k", "r", *(["v"] if time else [])):
            share = mix.get_parameter(f"time_mix_{key}").flatten().double().numpy()
            into[_MIX[key]][:] = share >= 0.5 if self.bits and not mix.separate else np.rint(share * 2.0**MIX_BITS)
        _scale(rows["receptance"] * unit * 2.0**LOG_BITS, into, "receptance", scalars)
        widest = ranges[f"{path}.{name}.{'norm' if self.bits else last}"]
        inner = self._inner_unit(widest, len(into["key_scale"]) if self.bits else 0, scalars["inner_limit"])
        if isinstance(mix, TimeMix):
            _scale(rows["key"] * unit * 2.0**LOG_BITS, into, "key", scalars)
            into["bonus"][:] = _whole(mix.time_first, LOG_BITS)
            into["rate"][:] = _whole(torch.exp(mix.time_decay.double()), LOG_BITS)
            _scale(rows["value"] * unit / inner, into, "gated", scalars)
        else:
            _scale(rows["key"] * unit / (inner if self.bits else math.sqrt(inner / 2**16)), into, "key", scalars)
        if self.bits:
            _norm(mix.norm, inner, 2.0**-_NEURON_BITS, into, "inner", scalars)
            inner = 1.0
        self._output(rows[last] * inner * mix.scale, f"{path}.{name}", mix, into, scalars)
        into["scalars"][:] = [scalars[key] for key in SCALARS]

    def _inner_unit(self, widest: float, channels: int, limit: int) -> float:
        """Unit of the inputs of the last product, or, for spikes, of the norm before them, whose epsilon must fit into 31 bits."""
        if not channels:
            return max(_HEADROOM * widest, 1e-9) / limit
        return max(_HEADROOM * widest / STREAM_MAX, math.sqrt(channels * 1e-5 / 2**30))

    def _output(self, units: Floats, path: str, mix: Any, into: dict[str, Ints], scalars: dict[str, int]) -> None:
        """Thresholds of the neurons after a half in the unit of each channel, or scales to that of a norm before them, or of the stream."""
        groups = {"before": mix.neurons[:-1], "inside": mix.neurons[-1:]} if self.bits else {"after": mix.neurons}
        for name, neurons in groups.items() if self.config.neurons.decays else ():
            gain = 1 - torch.sigmoid(torch.cat([each.decay_logit for each in neurons]).double()).numpy()
            into[f"{name}_gain"][:] = np.clip(np.rint(gain * 2.0**GAIN_BITS), 1, 2**GAIN_BITS - 1)
        if self.config.neurons.norm:
            unit = self._inner_unit(self.ranges[f"{path}.neurons.0.norm"], len(units), 1)
            _scale(units / unit, into, "output", scalars)
            _norm(mix.neurons[0].norm, unit, 2.0**-_NEURON_BITS, into, "after", scalars)
        elif self.config.spikes == "output":
            into["output_scale"][:] = np.clip(np.rint(self.config.v_threshold / units), 1, SUM_LIMIT)
        else:
            _scale(units / self.unit, into, "output", scalars)

    def _end(self, head: Ints, into: dict[str, Ints], shift: int) -> None:
        scalars: dict[str, int] = dict.fromkeys(END_SCALARS, 1)
        rows = _matrix(self.network.head, head)
        scalars["limit"] = _limit(head)
        unit = _HEADROOM * self.ranges["ln_out"] / scalars["limit"]
        _norm(self.network.ln_out, self.unit, unit, into, "norm", scalars)
        _scale(rows * unit / self.made.unit, into, "head", scalars)
        scalars |= {"one": round(1 / self.unit), "embedding_shift": shift}
        normed = self.bits or self.config.neurons.norm
        scalars["threshold"] = max(1, round(self.config.v_threshold * 2**_NEURON_BITS)) if normed else 1
        scalars |= {"levels": self.config.neurons.levels, "signed": int(self.config.neurons.signed)}
        into["scalars"][:] = [scalars[key] for key in END_SCALARS]


_NORM = {"att": "ln1", "ffnPre": "ln1", "ffn": "ln2"}
_MIX = {"k": "mix_key", "r": "mix_receptance", "v": "mix_value"}


def _matrix(layer: nn.Module, into: Ints) -> Floats:
    """Fill a matrix; returns the scale of each row."""
    rounded, scales = rounded_weight(layer.get_parameter("weight").detach().float(), "int8")
    into[:] = rounded.numpy()
    found: Floats = scales.double().numpy()
    return found


def _limit(*weights: Ints) -> int:
    """Largest input of products whose sums stay below 2^30."""
    return min(_ACTIVATION_MAX, (SUM_LIMIT - 1) // max(1, *map(_sum, weights)))


def _room(weight: Ints, largest: int) -> int:
    """Bits by which the sums of a product can be shifted, so that they stay below 2^30."""
    return min(_VALUE_SHIFT_MAX, math.floor(math.log2(SUM_LIMIT / (largest * max(_sum(weight), 1) + 1))))


def _sum(weight: Ints) -> int:
    """Largest sum of magnitudes in a row."""
    return int(np.abs(weight.astype(np.int64)).sum(1).max())


def _fixed(factors: Floats, what: str) -> tuple[Ints, int]:
    """Factors as whole numbers over a common power of two."""
    largest = float(np.abs(factors).max(initial=0.0))
    shift = 1 if largest == 0 else min(62, math.floor(30 - math.log2(largest)))
    if shift < 1:
        raise InputError(f"{what}: expected factors below 2^29, got {largest:.3g}, which has no integer form. Did the training diverge?")
    return np.rint(factors * 2.0**shift).astype(np.int64), shift


def _scale(factors: Floats, into: dict[str, Ints], name: str, scalars: dict[str, int]) -> None:
    into[f"{name}_scale"][:], scalars[f"{name}_shift"] = _fixed(factors, f"{name}_scale")


def _norm(layer: Any, unit: float, result: float, into: dict[str, Ints], name: str, scalars: dict[str, int]) -> None:
    """Norm of numbers with one unit, whose results have another."""
    weight, bias = (part.detach().double().numpy() for part in (layer.weight, layer.bias))
    into[f"{name}_weight"][:], scalars[f"{name}_shift"] = _fixed(weight * math.sqrt(len(weight)) / result / 2**GATE_BITS, f"{name}_weight")
    into[f"{name}_bias"][:] = np.clip(np.rint(bias / result), -LOG_MAX, LOG_MAX)
    scalars[f"{name}_epsilon"] = max(1, round(len(weight) * layer.eps / unit**2))


def _whole(values: Tensor, bits: int) -> Ints:
    found: Ints = np.clip(np.rint(values.detach().double().numpy() * 2.0**bits), -LOG_MAX, LOG_MAX).astype(np.int64)
    return found


@torch.no_grad()
def _ranges(network: SpikeGPT, tokens: Iterable[Tensor]) -> dict[str, float]:
    """Largest magnitudes on some text: of the outputs of norms and the inputs of products by the path of the module, and of the stream."""
    found: dict[str, float] = {}
    training = network.training
    network.eval()
    with _watched(network, found):
        for batch in tokens:
            streams: list[Tensor] = []
            network.forward(batch, streams=streams)
            found["stream"] = max(
                found.get("stream", 0.0), *(float(stream.abs().max()) for stream in streams[bool(network.config.layers) :])
            )
    network.train(training)
    if "stream" not in found:
        raise InputError("tokens: expected some training text to calibrate with, got none. Pass batches of tokens.")
    return found


@contextlib.contextmanager
def _watched(network: SpikeGPT, found: dict[str, float]) -> Iterator[None]:
    def watch(path: str, norm: bool) -> Any:
        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            # The norm before neurons has no range to choose for its results, but for its inputs.
            seen = output if norm and not path.endswith(".norm") else inputs[0]
            found[path] = max(found.get(path, 0.0), float(seen.abs().max()))

        return note

    hooks = [
        module.register_forward_hook(watch(path, isinstance(module, nn.LayerNorm)))
        for path, module in network.named_modules()
        if isinstance(module, nn.LayerNorm | nn.Linear)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
