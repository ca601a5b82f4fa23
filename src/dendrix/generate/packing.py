"""The weights of a SpikeGPT as a few arrays for decoding, rounded if wanted; and back, so that what was rounded away can be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..models.spikegpt.blocks import TimeMix
from ..models.spikegpt.network import SpikeGPT, SpikeGPTConfig
from .memory import pack, rest

Weights = Literal["float32", "bfloat16", "int8"]
"""How matrices are held: as trained, in half of the memory, or in a quarter with one scale for each output."""

_WIDEST = 512
"""Outputs that are summed together at most."""
_RATE = 6
"""The row of a half's vectors whose parameter is the logarithm of a rate."""
_NO_MATRIX = [0] * 6
_LANES = 16
"""Outputs are filled up to a multiple of this."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A network as the decoding kernel reads it."""

    config: SpikeGPTConfig
    kind: Weights
    embedding: NDArray[Any]
    """[V, d]: bits as bytes, or floats."""
    ends: NDArray[np.float32]
    """Weight and bias of the first and of the last norm, [4, d]."""
    vectors: NDArray[np.float32]
    """Of each half of a block, [2 L, 7, d]: weight and bias of its norm, the shares of key, receptance and value, bonus and rate."""
    inner: NDArray[np.float32]
    """Of each half whose neurons stand before its last product, weight and bias of their norm, [2 L, 2, d or 4 d, filled up to 4 d]."""
    weights: NDArray[Any]
    """All matrices one after the other, each in blocks of outputs: [inputs, width] for each block. bfloat16 is held as int16."""
    scales: NDArray[np.float32]
    """A factor for every output."""
    table: NDArray[np.int64]
    """Where the matrices of each half are, key, receptance, value and output, [2 L + 1, 4, 6]: first weight, first scale, inputs,
    outputs, outputs that are summed together, and whether inputs may be zero. The last row begins with the head."""
    places: NDArray[np.int64]
    """Where in a row of the state the memory of each half begins, [2 L]."""

    @cached_property
    def state_size(self) -> int:
        """Numbers in a row of the state."""
        return pack(rest(self.config), 1).shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in (self.embedding, self.ends, self.vectors, self.weights, self.scales, self.table))


class _Matrices:
    """Matrices as they are put one after the other."""

    def __init__(self, kind: Weights):
        self.kind = kind
        self.weights: list[NDArray[Any]] = []
        self.scales: list[NDArray[np.float32]] = []
        self.at = self.scale_at = 0

    def add(self, layer: nn.Linear, zeros: bool) -> list[int]:
        """Put one more; its row of the table."""
        outputs, inputs = layer.weight.shape
        width = -(-outputs // (-(-outputs // _WIDEST)))
        width = -(-width // _LANES) * _LANES
        rounded, scales = rounded_weight(layer.weight.detach().float(), self.kind)
        blocks = torch.zeros(-(-outputs // width) * width, inputs, dtype=rounded.dtype)
        blocks[:outputs] = rounded
        self.weights.append(blocks.view(-1, width, inputs).transpose(1, 2).flatten().numpy())
        self.scales.append(scales.numpy())
        row = [self.at, self.scale_at, inputs, outputs, width, int(zeros)]
        self.at, self.scale_at = self.at + blocks.numel(), self.scale_at + outputs
        return row


def rounded_weight(weight: Tensor, kind: Weights) -> tuple[Tensor, Tensor]:
    """A matrix [out, in] as it is held, bfloat16 as int16, and a scale for each output."""
    ones = torch.ones(len(weight))
    if kind == "float32":
        return weight, ones
    if kind == "bfloat16":
        return weight.bfloat16().view(torch.int16), ones
    scales = weight.abs().amax(1).clamp_min(1e-30) / 127
    return (weight / scales.unsqueeze(1)).round().to(torch.int8), scales


def pack_network(model: SpikeGPT, kind: Weights) -> Packed:
    """Lay out a network with at least one block.

    Raises:
        ValueError: a weight is NaN or infinite.
    """
    if broken := [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]:
        raise InputError(f"model: expected finite weights, got NaN or infinity in {', '.join(broken)}. Did the training diverge?")
    matrices, bits = _Matrices(kind), model.config.spikes == "input"
    table = []
    for half in _halves(model):
        rows = [matrices.add(layer, bits or layer.in_features > layer.out_features) for layer in half.matrices]
        table.append(rows + [_NO_MATRIX] * (4 - len(rows)))
    table.append([matrices.add(model.head, False), *[_NO_MATRIX] * 3])
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
        np.stack([_rows(half.inner, 2, 4 * model.config.width) for half in _halves(model)]),
        np.concatenate(matrices.weights),
        np.concatenate(matrices.scales),
        np.array(table),
        np.cumsum([0, *sizes])[:-1],
    )


def unpack_network(packed: Packed) -> SpikeGPT:
    """The network whose weights are those that were packed, in evaluation mode: what decoding has to equal."""
    model = SpikeGPT(packed.config)
    with torch.no_grad():
        embedding = torch.from_numpy(packed.embedding).float()
        model.emb.weight.copy_(embedding - 0.5 if packed.config.binary_embedding else embedding)
        for row, vector in zip(packed.ends, [*_blocks(model)[0].ln0.parameters(), *model.ln_out.parameters()], strict=True):
            vector.copy_(torch.from_numpy(row))
        for half, rows, inner, places in zip(_halves(model), packed.vectors, packed.inner, packed.table, strict=False):
            for vector, row in [*zip(half.vectors, rows, strict=False), *zip(half.inner, inner, strict=False)]:
                vector.copy_(torch.from_numpy(row[: vector.numel()]).view_as(vector))
            for layer, place in zip(half.matrices, places, strict=False):
                layer.weight.copy_(_matrix(packed, place))
        model.head.weight.copy_(_matrix(packed, packed.table[-1, 0]))
        for block in _blocks(model):
            if isinstance(first := block.get_submodule(block.before), TimeMix):
                first.time_decay.log_()
    return model.eval()


class _Half(NamedTuple):
    """The parameters of one half of a block, in the order in which they are packed."""

    vectors: list[Tensor]
    inner: list[Tensor]
    matrices: list[nn.Linear]


def _blocks(model: SpikeGPT) -> list[Any]:
    return list(model.blocks)


def _halves(model: SpikeGPT) -> list[_Half]:
    halves = []
    for block in _blocks(model):
        for norm, mix in ((block.ln1, block.get_submodule(block.before)), (block.ln2, block.ffn)):
            inner = list(mix.norm.parameters()) if model.config.spikes == "input" else []
            half = _Half([norm.weight, norm.bias, mix.time_mix_k, mix.time_mix_r], inner, [mix.key, mix.receptance, mix.value])
            if isinstance(mix, TimeMix):
                half.vectors.extend([mix.time_mix_v, mix.time_first, mix.time_decay])
                half.matrices.append(mix.output)
            halves.append(half)
    return halves


def _rows(vectors: Sequence[Tensor], count: int, width: int) -> NDArray[np.float32]:
    """Vectors as rows, filled up with zeros."""
    rows = np.zeros((count, width), np.float32)
    for row, vector in zip(rows, vectors, strict=False):
        row[: vector.numel()] = vector.detach().float().flatten().numpy()
    return rows


def _matrix(packed: Packed, place: NDArray[np.int64]) -> Tensor:
    """A matrix [out, in] as floats."""
    at, scale_at, inputs, outputs, width, _ = place.tolist()
    blocks = -(-outputs // width)
    held = torch.from_numpy(packed.weights[at : at + blocks * width * inputs])
    floats = (held.view(torch.bfloat16) if packed.kind == "bfloat16" else held).float()
    matrix = floats.view(blocks, inputs, width).transpose(1, 2).reshape(-1, inputs)[:outputs]
    return matrix * torch.from_numpy(packed.scales[scale_at : scale_at + outputs]).unsqueeze(1)
