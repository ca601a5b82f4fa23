"""Networks described by data: JSON that names each layer of dendrix and torch with its arguments, and builds the network again.

A class of the user's own is named by its module and class. It is built only if the user passes the network or trusts the module.
"""

import inspect
import math
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .. import layers, neurons
from ..core import Surrogate, expect_one_of, surrogate
from ..core.described import Described
from ..core.trust import Trust, class_path, trusted
from ..errors import InputError, InputTypeError

_TORCH = (
    nn.Linear, nn.Embedding, nn.Identity, nn.Flatten, nn.Unflatten, nn.ZeroPad2d,
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.Dropout, nn.Dropout1d, nn.Dropout2d,
    nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Hardtanh, nn.GELU, nn.SiLU, nn.ELU, nn.Sigmoid, nn.Tanh, nn.Softmax, nn.Softplus,
)  # fmt: skip
"""Layers of torch whose constructor arguments are their attributes."""
_CONTAINERS = (nn.Sequential, nn.ModuleList)
_NO_ARGUMENT = {"self", "device", "dtype"}


def describe(value: Any) -> Any:
    """A network, or an argument of one, as JSON.

    Raises:
        InputTypeError: something in it cannot be described; it is named.
    """
    if isinstance(value, nn.Module):
        return _described_module(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return describe(value.tolist())
    if isinstance(value, (list, tuple)):
        return [describe(part) for part in value]
    if isinstance(value, dict):
        return {"items": {str(key): describe(part) for key, part in value.items()}}
    if isinstance(value, Surrogate) and hasattr(surrogate, type(value).__name__):
        return {"surrogate": type(value).__name__, "arguments": asdict(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {"config": class_path(type(value)), "arguments": {name: describe(part) for name, part in vars(value).items()}}
    raise InputTypeError(f"{type(value).__name__}: expected numbers, words, layers or dataclasses to save, got {value!r}.")


def build(described: Any, trust: Trust = None) -> Any:
    """What `describe` described: a network with the weights of its start.

    Args:
        described: JSON.
        trust: the package or file of classes that are not of dendrix or torch, see `core.trust`.
    Raises:
        UntrustedError: it names a class that nobody trusts.
        InputError: it names a layer that this version does not know, or arguments that do not fit.
    """
    if isinstance(described, list):
        return [build(part, trust) for part in described]
    if not isinstance(described, dict):
        return described
    if "number" in described:
        return float(described["number"])
    if "items" in described:
        return {key: build(part, trust) for key, part in described["items"].items()}
    kind = _kind(described, trust)
    arguments = described.get("arguments")
    if arguments is None:
        raise InputError(
            f"{kind.__name__}: expected the arguments to build it again, which were not saved, as it has no method arguments(). "
            "Pass the network: load(folder, network=...)."
        )
    given = {name: build(part, trust) for name, part in arguments.items()}
    try:
        return kind(*given.pop("*", ()), **given)
    except TypeError as error:
        raise InputError(f"{kind.__name__}: expected arguments that its constructor takes, but {error}. Was the class changed?") from error


def describe_network(network: nn.Module) -> dict[str, Any]:
    """A whole network as JSON: one of those with a configuration by its name and that, and any other by its layers.

    Raises:
        InputTypeError: a part of it cannot be described by data; it is named.
    """
    from . import MODELS

    kinds = {kind: name for name, (_, kind) in MODELS.items()}
    if (name := kinds.get(type(network))) is not None:
        config: Any = network.config
        return {"model": name, "config": asdict(config)}
    return {"network": describe(network)}


def build_network(described: dict[str, Any], trust: Trust = None) -> Any:
    """The network that `describe_network` described, with the weights of its start; errors as in `build`."""
    from . import MODELS, Converted

    if "network" in described:
        return build(described["network"], trust)
    config_type, kind = MODELS[expect_one_of(described["model"], MODELS, "model")]
    config: Any = config_type(**described["config"])
    return Converted(config, trust=trust) if kind is Converted else kind(config)


def _described_module(module: nn.Module) -> dict[str, Any]:
    kind = type(module)
    if parametrize.is_parametrized(module):
        raise InputTypeError(
            f"{kind.__name__}: expected plain weights to save, got parametrised ones. Bake them in: "
            "torch.nn.utils.parametrize.remove_parametrizations(module, name)."
        )
    if kind in _CONTAINERS:
        return {"torch": kind.__name__, "arguments": _children(module)}
    if kind in _TORCH:
        return {"torch": kind.__name__, "arguments": {name: describe(part) for name, part in _torch_arguments(module).items()}}
    arguments = _arguments(module)
    found = None if arguments is None else {name: describe(part) for name, part in arguments.items()}
    name = {"dendrix": kind.__name__} if _of_dendrix(kind.__name__) is kind else {"class": class_path(kind)}
    return {**name, "arguments": found}


def _children(module: nn.Module) -> dict[str, Any]:
    children = [describe(child) for child in module.children()]
    return {"*": children} if isinstance(module, nn.Sequential) else {"modules": children}


def _torch_arguments(module: nn.Module) -> dict[str, Any]:
    """The constructor arguments of a layer of torch, read off its attributes."""
    names = [name for name in inspect.signature(type(module).__init__).parameters if name not in _NO_ARGUMENT]
    values = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {name: value is not None if name == "bias" else value for name, value in values.items()}


def _arguments(module: nn.Module) -> dict[str, Any] | None:
    """The constructor arguments of a layer of dendrix or of the user, as its method `arguments` gives them; None if it has none."""
    method = getattr(module, "arguments", None)
    if method is None or getattr(type(module), "arguments", None) is Described.arguments:
        return None
    found: dict[str, Any] = method()
    return found


def _of_dendrix(name: str) -> Any:
    """The layer, neuron or network of dendrix of this name, if there is one."""
    from . import NETWORKS

    found = NETWORKS.get(name) or getattr(neurons, name, None) or getattr(layers, name, None)
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def _kind(described: dict[str, Any], trust: Trust) -> Any:
    if name := described.get("dendrix"):
        if kind := _of_dendrix(name):
            return kind
        raise InputError(f"{name}: expected a layer that this version of dendrix has, which it has not. Update dendrix.")
    if name := described.get("torch"):
        known = {kind.__name__: kind for kind in (*_TORCH, *_CONTAINERS)}
        if name in known:
            return known[name]
        raise InputError(f"{name}: expected a layer of torch that dendrix can build, one of {', '.join(sorted(known))}.")
    if name := described.get("surrogate"):
        if isinstance(kind := getattr(surrogate, name, None), type) and issubclass(kind, Surrogate):
            return kind
        raise InputError(f"{name}: expected a surrogate gradient that dendrix has. Update dendrix.")
    if name := described.get("config"):
        return trusted(name, _own_or(trust, name))
    if name := described.get("class"):
        kind = trusted(name, _own_or(trust, name))
        if _is_own(name) and not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise InputError(f"{name}: expected a layer of dendrix, got {kind!r}. Was the file edited by hand?")
        return kind
    raise InputError(f"network: expected a description of a layer, got fields {', '.join(described) or 'none'}. Was it edited by hand?")


def _own_or(trust: Trust, name: str) -> Trust:
    """Classes of dendrix are trusted, whatever else is."""
    return "dendrix" if _is_own(name) else trust


def _is_own(name: str) -> bool:
    return name.partition(":")[0].split(".")[0] == "dendrix"


def cast_like(network: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Give a network the floating dtype that its saved tensors have, if they have one."""
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return network.to(kinds.pop()) if len(kinds) == 1 and kinds != {torch.float32} else network
