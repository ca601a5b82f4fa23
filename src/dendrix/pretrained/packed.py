"""Storage of weights in a quarter or half of the space, for the networks that are shipped with dendrix.

A packed file holds, for each tensor of the network,

- a matrix (two or more dimensions, at least 1,024 elements): int8 with one float32 scale per row, the largest magnitude of the row / 127,
  as a second tensor whose name ends with `.row_scale`; or float16. What is negative stays negative: of a binary embedding only the signs
  count;
- delays: uint8, in whole steps, which is how a network with delays is evaluated;
- all others: as they are.

Opening a run folder restores float32, so a packed network runs and is trained further as any other.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal, get_args

import safetensors.torch
import torch
from torch import Tensor

from ..checks import expect_one_of
from ..errors import InputError

PACKED = "packed.safetensors"
"""Name of the file; it takes the place of `model.safetensors`, which other programs read."""
Storage = Literal["int8", "float16"]
_SCALE = ".row_scale"
_SMALLEST = 1024
_STORED = (torch.float32, torch.int64, torch.bool)
"""Types of tensors that can be packed; those that packing itself uses would be taken for packed ones."""


def pack_tensors(tensors: dict[str, Tensor], storage: Storage, delays: Collection[str] = ()) -> dict[str, Tensor]:
    """Return the tensors of a packed file.

    Args:
        tensors: state of a network, float32 except for counts and masks.
        storage: type of the matrices.
        delays: names of tensors of delays, in whole steps.
    Raises:
        InputError: a tensor has another type or is not finite, delays are not whole steps of 0 to 255, or matrices exceed float16.
    """
    expect_one_of(storage, get_args(Storage), "storage")
    found = dict[str, Tensor]()
    for name, tensor in tensors.items():
        if tensor.dtype not in _STORED or name.endswith(_SCALE) or not tensor.isfinite().all():
            raise InputError(f"{name}: expected finite float32 weights under a name without {_SCALE}, got {tensor.dtype}. Convert them.")
        if name in delays:
            found[name] = _steps(name, tensor)
        elif tensor.dim() < 2 or tensor.numel() < _SMALLEST or tensor.dtype != torch.float32:
            found[name] = tensor.contiguous()
        elif storage == "int8":
            scale = tensor.flatten(1).abs().amax(1).clamp_min(1e-30) / 127
            whole = (tensor / _over_rows(scale, tensor)).round()
            found[name] = torch.where((whole == 0) & (tensor < 0), -1, whole).to(torch.int8)
            found[name + _SCALE] = scale
        else:
            found[name] = tensor.half()
            if not found[name].isfinite().all():
                raise InputError(f"{name}: expected weights of at most 65,504 for float16, got {tensor.abs().max():g}. Use int8.")
    return found


def unpack_tensors(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of a network from the tensors of a packed file, in float32.

    Raises:
        InputError: a tensor of int8 has no scale for every row, or a scale has no tensor.
    """
    found = dict[str, Tensor]()
    for name, tensor in packed.items():
        if name.endswith(_SCALE):
            if packed.get(name.removesuffix(_SCALE), tensor).dtype != torch.int8:
                raise InputError(f"{name}: expected an int8 tensor to scale, got none. Copy the file again.")
        elif tensor.dtype == torch.int8:
            scale = packed.get(name + _SCALE)
            if scale is None or scale.dtype != torch.float32 or not tensor.dim() or scale.shape != tensor.shape[:1]:
                raise InputError(f"{name}: expected a float32 scale for each of its rows, got none. Copy the file again.")
            found[name] = tensor.float() * _over_rows(scale, tensor)
        else:
            found[name] = tensor.float() if tensor.dtype in (torch.uint8, torch.float16) else tensor
    return found


def read_weights(folder: Path, weights: str = "model.safetensors") -> dict[str, Tensor]:
    """Read the weights of a run folder, packed or not.

    Args:
        folder: the run.
        weights: name of the file if it is not packed.
    Raises:
        OSError: the file is missing or not readable.
        SafetensorError: it is damaged.
        InputError: a packed file is incomplete.
    """
    path = weights_file(folder, weights)
    tensors: dict[str, Tensor] = safetensors.torch.load(path.read_bytes())
    return unpack_tensors(tensors) if path.name == PACKED else tensors


def weights_file(folder: Path, weights: str = "model.safetensors") -> Path:
    """Return the path of the weights of a run: the packed file, if there is one and no other."""
    packed, plain = folder / PACKED, folder / weights
    return packed if packed.is_file() and not plain.is_file() else plain


def _steps(name: str, delays: Tensor) -> Tensor:
    whole = delays.clamp(0, 255).to(torch.uint8)
    if not torch.equal(whole.to(delays.dtype), delays):
        raise InputError(f"{name}: expected delays of whole steps, 0 to 255, got {delays.min():g} to {delays.max():g}. Freeze the network.")
    return whole


def _over_rows(scale: Tensor, like: Tensor) -> Tensor:
    """Return one number per row in a shape that multiplies a tensor."""
    return scale.view(-1, *[1] * (like.dim() - 1))
