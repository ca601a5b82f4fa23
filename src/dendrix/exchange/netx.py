"""Reader of `.net` files of lava-dl: dense layers of integer neurons, as NetX runs them on Loihi."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..layers import PerStep, Sequential
from ..neurons.nir import NIRNeuron
from .delay_line import DelayLine
from .hdf5 import read_tree

_UNITY = 4096
"""Decays are fractions of it."""
_FRACTION = 64
"""Currents and membranes are multiples of 1 / 64 of a weight; the threshold is in whole weights."""


def from_netx(path: str | Path) -> Sequential:
    """Build a network of a `.net` file, whose spikes are those of NetX to the bit.

    Decays are truncated to 12 bits, products towards zero, and each layer passes its spikes on a step later. The weights are parameters.

    Args:
        path: HDF5 as `slayer` of lava-dl exports it.
    Returns:
        a layer of weights, its neurons and a step of delay for each dense layer, [B, T, C_in] -> [B, T, C_out].
    Raises:
        OSError: the file is missing or not readable.
        InputError: it is no such file, or has layers other than dense ones with CUBA neurons; the error names the layer.
        MissingExtraError: h5py is not installed.
    """
    tree = read_tree(path)
    if not isinstance(tree.get("layer"), dict) or not tree["layer"]:
        raise InputError(f"{path}: expected a network of lava-dl, but the file has no group 'layer'. Is it NIR? Use from_nir.")
    stages: list[nn.Module] = []
    size: int | None = None
    for name in sorted(tree["layer"], key=lambda key: (len(key), key)):
        described = tree["layer"][name]
        if not stages and _word(described, "type") == "input":
            continue
        linear, neurons = _layer(f"{path}: layer {name}", described, size)
        stages += [PerStep(linear), neurons, DelayLine(1)]
        size = neurons.size
    return Sequential(*stages)


def _layer(where: str, described: Any, inputs: int | None) -> tuple[nn.Linear, NIRNeuron]:
    """Weights and neurons; `inputs` is the size of the layer before."""
    kind = _word(described, "type")
    neuron = described.get("neuron") if isinstance(described, dict) else None
    if kind != "dense" or not isinstance(neuron, dict) or _word(neuron, "type") not in ("CUBA", "LOIHI"):
        told = f"'{kind}' of '{_word(neuron, 'type')}'"
        raise InputError(f"{where}: expected a dense layer of CUBA neurons, got {told}. Convolutions and other neurons are not read.")
    for part in ("delay", "bias"):
        if part in described:
            raise InputError(f"{where}: expected weights alone, got a {part} as well, which is not read.")
    if neuron.get("gradedSpike") or _number(where, neuron, "refDelay", 1) != 1:
        raise InputError(f"{where}: expected plain spikes without a refractory period, got others, which are not read.")
    weight = np.asarray(described.get("weight"))
    if weight.ndim != 2 or weight.dtype.kind not in "iuf" or not np.isfinite(weight).all() or (weight != np.rint(weight)).any():
        raise InputError(f"{where}: expected whole weights [C_out, C_in], got {list(weight.shape)} of {weight.dtype}. Export it again.")
    if inputs not in (None, weight.shape[1]):
        raise InputError(f"{where}: expected weights for {inputs} inputs, as the layer before has outputs, got {weight.shape[1]}.")
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(torch.tensor(weight, dtype=torch.get_default_dtype()))
    alpha, beta = (1 - _number(where, neuron, key, 0, _UNITY) / _UNITY for key in ("iDecay", "vDecay"))
    threshold = _number(where, neuron, "vThMant", 1)
    neurons = NIRNeuron(weight.shape[0], alpha=alpha, beta=beta, v_threshold=threshold, grid=1 / _FRACTION)
    return linear, neurons


def _word(group: Any, name: str) -> str:
    value = np.ravel(group.get(name, "nothing"))[0] if isinstance(group, dict) else "nothing"
    return value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)


def _number(where: str, group: Any, name: str, least: int, most: int = 2**24) -> int:
    value = np.ravel(group.get(name, np.nan))
    if value.size != 1 or value.dtype.kind not in "biuf" or not least <= value[0] <= most or value[0] != int(value[0]):
        raise InputError(f"{where}: expected {name} as a whole number from {least} to {most:,}, got {value.tolist()[:3]}. Export it again.")
    return int(value[0])
