"""Descriptions of networks as JSON, with the name and arguments of each layer, from which a network can be created.

Classes of other packages are described by module and name. They are created only if the user trusts the module.
"""

import inspect
import math
import reprlib
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .. import layers, neurons
from ..core import Surrogate, expect_one_of, surrogate
from ..core.described import Described
from ..core.foreign import foreign
from ..core.trust import Trust, class_path, trusted
from ..errors import InputError, InputTypeError

_TORCH = (
    nn.Linear, nn.Embedding, nn.Identity, nn.Flatten, nn.Unflatten, nn.ZeroPad2d,
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.Dropout, nn.Dropout1d, nn.Dropout2d,
    nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.Hardtanh, nn.GELU, nn.SiLU, nn.ELU, nn.Sigmoid, nn.Tanh, nn.Softmax, nn.Softplus,
)  # fmt: skip
"""Layers of torch whose constructor arguments are attributes."""
_CONTAINERS = (nn.Sequential, nn.ModuleList)
_NO_ARGUMENT = {"self", "device", "dtype"}


def describe(value: Any) -> Any:
    """Convert a network, or an argument of one, to JSON values.

    Raises:
        InputTypeError: a part cannot be described; the message names it.
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
    """Create a network, with initial weights, from the result of `describe`.

    Args:
        described: JSON values.
        trust: package or file of classes outside dendrix and torch, see `core.trust`.
    Raises:
        UntrustedError: a class is not trusted.
        InputError: a layer or its arguments are unknown to this version.
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
    if not isinstance(arguments, dict | None) or not isinstance((arguments or {}).get("*", []), list):
        raise InputError(f"{kind.__name__}: expected arguments by name, got {reprlib.repr(arguments)}. Was it edited by hand?")
    if arguments is None:
        raise InputError(
            f"{kind.__name__}: expected constructor arguments, but none were saved, because the class does not define arguments(). "
            "Pass the network: load(folder, network=...)."
        )
    given = {name: build(part, trust) for name, part in arguments.items()}
    if given and not isinstance(kind, type):  # a file may not choose what a function of the user's is called with
        raise InputError(f"{kind.__name__}: expected no arguments for a function, got {', '.join(given)}. Was it edited by hand?")
    with foreign(f"{kind.__name__}: expected arguments that its constructor takes", "Was the class changed?"):
        return kind(*given.pop("*", ()), **given)


def describe_network(network: nn.Module) -> dict[str, Any]:
    """Return a network as JSON: the name and configuration of a network of `MODELS`, and the layers of any other.

    Raises:
        InputTypeError: a part of it cannot be described by data; it is named.
    """
    from . import MODELS

    kinds = {kind: name for name, (_, kind) in MODELS.items()}
    if (name := kinds.get(type(network))) is not None:
        config: Any = network.config
        return {"model": name, "config": asdict(config)}
    try:
        return {"network": describe(network)}
    except RecursionError as error:
        raise InputTypeError("arguments: expected values that do not contain themselves, got one that does. Leave it out.") from error


def build_network(described: dict[str, Any], trust: Trust = None) -> Any:
    """Return the network that `describe_network` described, with new weights; errors as in `build`."""
    from . import MODELS, Converted

    if "network" in described:
        model = build(described["network"], trust)
        if not isinstance(model, nn.Module):
            raise InputError(f"network: expected the description of a module, got {type(model).__name__}. Was it edited by hand?")
        return model
    config_type, kind = MODELS[expect_one_of(described["model"], MODELS, "model")]
    config: Any = config_type(**described["config"])
    return Converted(config, trust=trust) if kind is Converted else kind(config)


def _described_module(module: nn.Module) -> dict[str, Any]:
    kind = type(module)
    if parametrize.is_parametrized(module):
        raise InputTypeError(
            f"{kind.__name__}: expected plain weights to save, got parametrised ones. Make them plain: "
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
    """Return the constructor arguments of a layer of torch from its attributes."""
    names = [name for name in inspect.signature(type(module).__init__).parameters if name not in _NO_ARGUMENT]
    values = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {name: value is not None if name == "bias" else value for name, value in values.items()}


def _arguments(module: nn.Module) -> dict[str, Any] | None:
    """Return the constructor arguments from the method `arguments` of a module, or None if it is not defined."""
    method = getattr(module, "arguments", None)
    if method is None or getattr(type(module), "arguments", None) is Described.arguments:
        return None
    with foreign(f"{type(module).__name__}: expected arguments() to return those of its constructor", "Mend the method."):
        found: Any = method()
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise InputTypeError(
            f"{type(module).__name__}: expected arguments() to return a dict of constructor arguments by name, got {reprlib.repr(found)}."
            " Return {'name': value}."
        )
    return found


def _of_dendrix(name: str) -> Any:
    """Return the layer, neuron or network of dendrix with this name, or None."""
    from . import NETWORKS

    found = NETWORKS.get(name) or getattr(neurons, name, None) or getattr(layers, name, None)
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def _kind(described: dict[str, Any], trust: Trust) -> Any:
    if odd := [name for name in ("dendrix", "torch", "surrogate", "config", "class") if not isinstance(described.get(name, ""), str)]:
        raise InputError(f"{odd[0]}: expected the name of a class, got {reprlib.repr(described[odd[0]])}. Was it edited by hand?")
    if name := described.get("dendrix"):
        if kind := _of_dendrix(name):
            return kind
        raise InputError(f"{name}: expected a layer of this version of dendrix, got an unknown one. Update dendrix.")
    if name := described.get("torch"):
        known = {kind.__name__: kind for kind in (*_TORCH, *_CONTAINERS)}
        if name in known:
            return known[name]
        raise InputError(f"{name}: expected a supported layer of torch, one of {', '.join(sorted(known))}.")
    if name := described.get("surrogate"):
        if isinstance(kind := getattr(surrogate, name, None), type) and issubclass(kind, Surrogate):
            return kind
        raise InputError(f"{name}: expected a surrogate gradient of this version of dendrix, got an unknown one. Update dendrix.")
    if name := described.get("config"):
        module = name.partition(":")[0]
        return _expect(trusted(name, "dendrix" if module.split(".")[0] == "dendrix" else trust), name, "dataclass", is_dataclass)
    if (name := described.get("class")) and name.partition(":")[0].split(".")[0] == "dendrix":
        return _expect(trusted(name, "dendrix"), name, "torch.nn.Module", _is_module)
    if name:
        return _expect(trusted(name, trust), name, "torch.nn.Module, or a function that returns one,", _makes_module)
    raise InputError(f"network: expected a description of a layer, got fields {', '.join(described) or 'none'}. Was it edited by hand?")


def _expect(kind: Any, name: str, what: str, fits: Callable[[Any], bool]) -> Any:
    if fits(kind):
        return kind
    raise InputError(f"{name}: expected a {what} to build, got another class. Was it edited by hand?")


def _is_module(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, nn.Module)


def _makes_module(kind: Any) -> bool:
    return _is_module(kind) if isinstance(kind, type) else callable(kind)


def cast_like(network: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Convert a network to the floating-point dtype of its saved tensors, if they have a single one."""
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return network.to(kinds.pop()) if len(kinds) == 1 and kinds != {torch.float32} else network
