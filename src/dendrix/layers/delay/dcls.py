"""Import of weights of the published implementation: `Dcls1d` layers, alone or in a network of the SNN-delays repository."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...core import expect_weights
from ...errors import InputError
from ..per_step import BatchNorm
from .linear import DelayLinear

_NORMALISATION = ("weight", "bias", "running_mean", "running_var")


def _groups(tensors: Mapping[str, Tensor], has: str) -> list[tuple[str, dict[str, Tensor]]]:
    """Return the tensors of each module that has a tensor `has`, with the prefix of the module, in order."""
    prefixes = [name.removesuffix(has) for name in tensors if name == has or name.endswith("." + has)]
    return [(p, {name[len(p) :]: t for name, t in tensors.items() if name.startswith(p) and "." not in name[len(p) :]}) for p in prefixes]


@torch.no_grad()
def load_dcls(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy a checkpoint of the published code into a model with delay layers of the same sizes.

    `Dcls1d` has the tensors `weight` [C_out, C_in, K]; `P` [1, C_out, C_in, K], the position of a synapse relative to the centre of the
    kernel, positive for shorter delays (delay = L // 2 - P, in steps); and `SIG` [1, C_out, C_in, K], the width, equal for all synapses.
    Layers are matched in order and not by name: delay layers by `P`, batch normalisations by `running_mean`. Saved positions are
    continuous; use `rounded` for evaluation. If any layer does not match, the model is not changed.

    Args:
        model: a network, or a single `DelayLinear`, with synaptic granularity.
        tensors: the state dict, for example from `torch.load(path, weights_only=True)`.
    Raises:
        InputError: layers or shapes do not match the model, or the widths differ within a layer.
    """
    expect_weights(tensors, "tensors")
    delays, norms = [m for m in model.modules() if isinstance(m, DelayLinear)], [m for m in model.modules() if isinstance(m, BatchNorm)]
    saved_delays, saved_norms = _groups(tensors, "P"), _groups(tensors, "running_mean")
    for kind, ours, theirs in (("delay layers", delays, saved_delays), ("batch normalisations", norms, saved_norms)):
        if len(ours) != len(theirs):
            raise InputError(
                f"tensors: expected {len(ours)} {kind}, got {len(theirs)}. Build the model that the checkpoint was saved from."
            )
    for layer, (prefix, part) in zip(delays, saved_delays, strict=True):
        _check_delays(layer, prefix, part)
    for norm, (prefix, part) in zip(norms, saved_norms, strict=True):
        _check(prefix, part, dict.fromkeys(_NORMALISATION, (norm.size,)))
    for layer, (_, part) in zip(delays, saved_delays, strict=True):
        layer.weight.copy_(part["weight"])
        layer.delay.copy_(layer.taps // 2 - part["P"][0])
        layer.clamp_()
        layer.width.copy_(part["SIG"].flatten()[0])
    for norm, (_, part) in zip(norms, saved_norms, strict=True):
        for name in _NORMALISATION:
            getattr(norm, name).copy_(part[name])


def _check(prefix: str, part: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        came = tuple(part[name].shape) if name in part else "nothing"
        if came != shape:
            raise InputError(f"{prefix}{name}: expected shape {shape}, got {came}. Build the model that the checkpoint was saved from.")


def _check_delays(layer: DelayLinear, prefix: str, part: Mapping[str, Tensor]) -> None:
    if layer.granularity != "synaptic":
        raise InputError(f"model: expected synaptic delays for {prefix}P, got {layer.granularity} ones. Use granularity='synaptic'.")
    shape = tuple(layer.weight.shape)
    _check(prefix, part, {"weight": shape, "P": (1, *shape), "SIG": (1, *shape)})
    width = part["SIG"]
    if not torch.equal(width, width.flatten()[0].expand_as(width)):
        raise InputError(f"{prefix}SIG: expected one width for all synapses, got {width.min():.4g} to {width.max():.4g}. Average it first.")
    half = layer.taps // 2
    if part["P"].abs().max() > half:
        raise InputError(
            f"{prefix}P: expected positions within {half} steps of the centre, got {part['P'].abs().max():.4g}. Increase max_delay_ms."
        )
