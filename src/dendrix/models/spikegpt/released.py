"""Loading of checkpoints of the released SpikeGPT code; the configuration is inferred from the names and shapes of the parameters."""

import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ...core import expect_weights
from ...errors import InputError
from .network import SpikeGPT, SpikeGPTConfig


def load_released(weights: str | Path | Mapping[str, Tensor], config: SpikeGPTConfig | None = None) -> SpikeGPT:
    """Create a SpikeGPT with released weights, in evaluation mode; in float64 for weights of float64, otherwise in float32.

    Args:
        weights: a `.pth` file, read with `weights_only=True` so that no code in it is executed; a `.safetensors` file; or the parameters by
            name.
        config: configuration of the network; None infers its sizes from the weights. Required for a checkpoint with the old threshold, 0.1.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the file is not a checkpoint, or parameters are missing, extra or of another shape; the message lists them.
    """
    tensors = {name.removeprefix("module."): tensor for name, tensor in _read(weights).items()}
    model = SpikeGPT(config or _described(tensors))
    wanted = model.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [f"{name} is extra" for name in tensors if name not in wanted]
    problems += [
        f"{name} is {list(tensors[name].shape)} instead of {list(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if problems:
        raise InputError(f"weights: expected those of a SpikeGPT, but {'; '.join(problems)}. Check the file, or pass a matching config.")
    expect_weights(tensors)
    kept = torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors.values()) else torch.float32
    model.to(kept).load_state_dict({name: tensor.to(kept) for name, tensor in tensors.items()})
    return model.eval()


def _read(weights: str | Path | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if isinstance(weights, Mapping):
        return weights
    path = Path(weights)
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load(path.read_bytes())
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises errors of any kind
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: expected a file of tensors by name, but it cannot be read as one ({reason}). Check the file.") from error
    if not (isinstance(found, dict) and found and all(isinstance(tensor, Tensor) for tensor in found.values())):
        raise InputError(f"{path}: expected tensors by name, got {type(found).__name__} with other content. Save model.state_dict().")
    return found


def _described(tensors: Mapping[str, Tensor]) -> SpikeGPTConfig:
    """Infer the configuration of the network from its parameters."""
    if "emb.weight" not in tensors or tensors["emb.weight"].dim() != 2:
        raise InputError(f"weights: expected emb.weight [V, d] among the parameters, got {', '.join(sorted(tensors)[:5])}. Check the file.")
    vocabulary, width = tensors["emb.weight"].shape
    blocks = [int(found[1]) for name in tensors if (found := re.match(r"blocks\.(\d+)\.", name))]
    return SpikeGPTConfig(vocabulary, width, max(blocks, default=-1) + 1, channel_first="blocks.0.ffnPre.key.weight" in tensors)
