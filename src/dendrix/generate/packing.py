"""Repacking of the weights of a SpikeGPT for decoding, optionally quantised, and the inverse, which gives the quantised network."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..lowering.plain import expect_plain
from ..models.spikegpt.blocks import TimeMix
from ..models.spikegpt.deployment import folded
from ..models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from ..models.spikegpt.neurons import SpikeNeurons
from .memory import pack, rest

Weights = Literal["float32", "bfloat16", "int8"]
"""Data type of the matrices: as trained, half the memory, or a quarter of the memory with one scale per output."""

_WIDEST = 256
"""Largest number of outputs per block."""
_WIDEST_OF_SPIKES = 512
"""The same for int8 products with spikes, which read only the rows of active inputs: longer rows are read faster."""
SPIKES = 2
"""Entry of the table for a product of spikes with int8 weights."""
_PLUS_128 = -128
"""Bit of an int8 number that becomes the same number plus 128, as uint8."""
_RATE = 6
"""Row of `Packed.vectors` that holds the decay rate, whose parameter is its logarithm."""
_NO_MATRIX = [0] * 6
_FEW = 8
"""Most spikes of a neuron of which each adds a row of weights; more are multiplied, with the same result."""
_OTHERS = re.compile(r"\.(neurons|local|decay_up|decay_down)\.")
"""Names of parameters that `Packed.others` holds."""
_LANES = 64
"""Number of outputs per block is rounded up to a multiple of this."""
_LINE = 64
"""Bytes of a line of the processor's cache."""


@dataclass(frozen=True, eq=False)
class Packed:
    """Weights in the layout of the decoding kernel. A half is the time mix or a channel mix of a block."""

    config: SpikeGPTConfig
    kind: Weights
    embedding: NDArray[Any]
    """Embedding, [V, d]: uint8 bits, or float32."""
    ends: NDArray[np.float32]
    """Weight and bias of the first and of the last norm, [4, d]."""
    vectors: NDArray[np.float32]
    """Vectors of each half, [2 L, 7, d]: weight and bias of its norm, mixing ratios of key, receptance and value, bonus, and decay rate."""
    neurons: NDArray[np.float32]
    """Neurons of each half, [2 L, 4, 4 d], padded: weight and bias of the norm before the last ones, if there is one, their 1 - decay, and
    that of the neurons before its first products; [2 L, 6, 4 d] with separate neurons."""
    weights: NDArray[Any]
    """Concatenated matrices, each in blocks of outputs, [inputs, width] per block. bfloat16 is stored as int16, and int8 of products of
    spikes plus 128, without a sign, which makes their sums faster."""
    scales: NDArray[np.float32]
    """Scale of every output."""
    table: NDArray[np.int64]
    """Positions of the matrices key, receptance, value and output of each half, [2 L + 1, 4, 6]: first weight, first scale, inputs,
    outputs, outputs per block, and whether inputs may be zero (1), or are spikes of an int8 product (2). The last row holds the head."""
    places: NDArray[np.int64]
    """Position of the state of each half in a row of the state, [2 L]."""
    others: dict[str, Tensor]
    """Parameters of neurons, of a decay that depends on the data, and of local attention, as trained."""

    @cached_property
    def state_size(self) -> int:
        """Number of values N in a row of the state."""
        return pack(rest(self.config), 1).shape[1]

    @property
    def nbytes(self) -> int:
        """Memory of all arrays, in bytes."""
        arrays = self.embedding, self.ends, self.vectors, self.weights, self.scales, self.table
        return sum(array.nbytes for array in arrays) + sum(value.nbytes for value in self.others.values())


class _Matrices:
    """Builder of the concatenated matrices."""

    def __init__(self, kind: Weights):
        self.kind = kind
        self.weights: list[NDArray[Any]] = []
        self.scales: list[NDArray[np.float32]] = []
        self.at = self.scale_at = 0

    def add(self, layer: nn.Linear, zeros: int) -> list[int]:
        """Append a matrix; returns its row of the table."""
        outputs, inputs = layer.weight.shape
        widest = _WIDEST_OF_SPIKES if zeros == SPIKES else _WIDEST
        width = -(-outputs // (-(-outputs // widest)))
        width = -(-width // _LANES) * _LANES
        rounded, scales = rounded_weight(layer.weight.detach().float(), self.kind)
        blocks = torch.zeros(-(-outputs // width) * width, inputs, dtype=rounded.dtype)
        blocks[:outputs] = rounded
        if zeros == SPIKES:
            blocks ^= _PLUS_128
        self.weights.append(blocks.view(-1, width, inputs).transpose(1, 2).flatten().numpy())
        self.scales.append(scales.numpy())
        row = [self.at, self.scale_at, inputs, outputs, width, zeros]
        self.at, self.scale_at = self.at + blocks.numel(), self.scale_at + outputs
        return row


def rounded_weight(weight: Tensor, kind: Weights) -> tuple[Tensor, Tensor]:
    """Quantise a matrix.

    Args:
        weight: float32 [out, in].
        kind: data type.
    Returns:
        the matrix in its data type (bfloat16 as int16), and a scale per output, [out].
    """
    ones = torch.ones(len(weight))
    if kind == "float32":
        return weight, ones
    if kind == "bfloat16":
        return weight.bfloat16().view(torch.int16), ones
    scales = weight.abs().amax(1).clamp_min(1e-30) / 127
    return (weight / scales.unsqueeze(1)).round().to(torch.int8), scales


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of the weights of a model, and of what changes its results without weights of its own.

    Args:
        model: any module with its weights on the CPU.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {list(weight.shape)}".encode())
        digest.update(weight.contiguous().flatten().view(torch.uint8).numpy())
    neurons = [each.config for each in model.modules() if isinstance(each, SpikeNeurons)]
    kinds: list[Any] = sorted({(each.levels, each.signed, each.separate) for each in neurons} - {(1, False, False)})
    if isinstance(config := getattr(model, "config", None), SpikeGPTConfig):
        known = {field.name: field.default for field in fields(config) if field.name in ("v_threshold", "binary_embedding", "halve_stream")}
        kinds += [(name, getattr(config, name)) for name, default in known.items() if getattr(config, name) != default]
    digest.update(repr(kinds).encode() if kinds else b"")
    return digest.hexdigest()


def expect_finite_weights(model: nn.Module) -> None:
    """Refuse a network with NaN or infinite weights.

    Raises:
        InputError: there are some; names them.
    """
    if broken := [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]:
        raise InputError(f"model: expected finite weights, got NaN or infinity in {', '.join(broken)}. Did the training diverge?")


def pack_network(model: SpikeGPT, kind: Weights, gathers: bool = True) -> Packed:
    """Repack the weights of a network with at least one block.

    Args:
        model: the network.
        kind: data type of the matrices.
        gathers: let products skip zero inputs; False is the control of the benchmark, with the same results.
    Raises:
        InputError: a weight is NaN or infinite, or a module has hooks.
    """
    expect_plain(model)
    expect_finite_weights(model)
    model = folded(model)
    matrices = _Matrices(kind)
    table = []
    for half in _halves(model):
        rows = [matrices.add(layer, _zeros(layer, model.config, kind) if gathers else 0) for layer in half.matrices]
        table.append(rows + [_NO_MATRIX] * (4 - len(rows)))
    table.append([matrices.add(model.head, 0), *[_NO_MATRIX] * 3])
    vectors = np.stack([_rows(half.vectors, 7, model.config.width) for half in _halves(model)])
    vectors[:, _RATE] = torch.exp(torch.from_numpy(vectors[:, _RATE])).numpy()
    embedding = model.emb.weight.detach()
    sizes = [pack((half,), 1).shape[1] for block in rest(model.config) for half in block]
    return Packed(
        model.config,
        kind,
        (embedding >= 0).byte().numpy() if model.config.binary_embedding else embedding.float().numpy(),
        _rows([*_blocks(model)[0].ln0.parameters(), *model.ln_out.parameters()], 4, model.config.width),
        vectors,
        np.stack([_rows(half.neurons, 6 if model.config.neurons.separate else 4, 4 * model.config.width) for half in _halves(model)]),
        _aligned(matrices.weights),
        _aligned(matrices.scales),
        np.array(table),
        np.cumsum([0, *sizes])[:-1],
        {name: value.detach().clone() for name, value in model.named_parameters() if _OTHERS.search(name)},
    )


def unpack_network(packed: Packed) -> SpikeGPT:
    """Return a network with the (quantised) packed weights in evaluation mode, which the decoder must equal.

    Args:
        packed: repacked weights.
    """
    model = SpikeGPT(packed.config)
    with torch.no_grad():
        embedding = torch.from_numpy(packed.embedding).float()
        model.emb.weight.copy_(embedding - 0.5 if packed.config.binary_embedding else embedding)
        for row, vector in zip(packed.ends, [*_blocks(model)[0].ln0.parameters(), *model.ln_out.parameters()], strict=True):
            vector.copy_(torch.from_numpy(row))
        for half, rows, neurons, places in zip(_halves(model), packed.vectors, packed.neurons, packed.table, strict=False):
            for vector, row in [*zip(half.vectors, rows, strict=False), *zip(half.neurons, neurons, strict=False)]:
                vector.copy_(torch.from_numpy(row[: vector.numel()]).view_as(vector))
            for layer, place in zip(half.matrices, places, strict=False):
                layer.weight.copy_(_matrix(packed, place))
        model.head.weight.copy_(_matrix(packed, packed.table[-1, 0]))
        for name, value in packed.others.items():
            model.get_parameter(name).copy_(value)
        for block in _blocks(model):
            if isinstance(first := block.get_submodule(block.before), TimeMix):
                first.time_decay.log_()
    return model.eval()


def _zeros(layer: nn.Linear, config: SpikeGPTConfig, kind: Weights) -> int:
    """Return what the decoding kernel may assume of the inputs of a product; see `Packed.table`."""
    bits = config.spikes == "input"
    few = config.neurons.levels <= _FEW
    return SPIKES if bits and few and kind == "int8" else int(bits or layer.in_features > layer.out_features)


class _Half(NamedTuple):
    """Parameters of one half of a block, in the order in which they are packed."""

    vectors: list[Tensor]
    neurons: list[Tensor]
    matrices: list[nn.Linear]


def _blocks(model: SpikeGPT) -> list[Any]:
    return list(model.blocks)


def _halves(model: SpikeGPT) -> list[_Half]:
    halves = []
    for block in _blocks(model):
        for norm, mix in ((block.ln1, block.get_submodule(block.before)), (block.ln2, block.ffn)):
            inner = mix.norm if model.config.spikes == "input" else mix.neurons[-1].norm if model.config.neurons.norm else None
            neurons = [inner.weight, inner.bias] if inner else [torch.zeros(0)] * 2
            neurons += [_gain(each) for each in [*mix.neurons[-1:], *mix.neurons[:-1]]]
            half = _Half([norm.weight, norm.bias, mix.time_mix_k, mix.time_mix_r], neurons, [mix.key, mix.receptance, mix.value])
            if isinstance(mix, TimeMix):
                half.vectors.extend([mix.time_mix_v, mix.time_first, mix.time_decay])
                half.matrices.append(mix.output)
            halves.append(half)
    return halves


def _gain(neurons: SpikeNeurons) -> Tensor:
    """Return 1 - decay of neurons."""
    return 1 - torch.sigmoid(neurons.decay_logit.detach()) if neurons.config.decays else torch.full((neurons.size,), 0.5)


def _rows(vectors: Sequence[Tensor], count: int, width: int) -> NDArray[np.float32]:
    """Return vectors as zero-padded rows, [count, width]."""
    rows = np.zeros((count, width), np.float32)
    for row, vector in zip(rows, vectors, strict=False):
        row[: vector.numel()] = vector.detach().float().flatten().numpy()
    return rows


def _aligned(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate arrays from the beginning of a cache line on, so that rows of a multiple of 64 bytes take no line more than they need."""
    size, dtype = sum(part.nbytes for part in parts), parts[0].dtype
    room = np.empty(size + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return np.concatenate(parts, out=room[start : start + size].view(dtype))


def _matrix(packed: Packed, place: NDArray[np.int64]) -> Tensor:
    """Return a matrix as float32 [out, in]."""
    at, scale_at, inputs, outputs, width, zeros = place.tolist()
    blocks = -(-outputs // width)
    held = torch.from_numpy(packed.weights[at : at + blocks * width * inputs])
    if zeros == SPIKES:
        held = held ^ _PLUS_128
    floats = (held.view(torch.bfloat16) if packed.kind == "bfloat16" else held).float()
    matrix = floats.view(blocks, inputs, width).transpose(1, 2).reshape(-1, inputs)[:outputs]
    return matrix * torch.from_numpy(packed.scales[scale_at : scale_at + outputs]).unsqueeze(1)
