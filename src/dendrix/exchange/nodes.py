"""The node types of NIR 1.0: their parameters, and the checks on these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import suggestion
from ..errors import InputError

Array = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """A node of a graph."""

    type: str
    """Name of its type, as NIR spells it."""
    params: dict[str, Any]
    """Arrays, whole numbers and words by the name of the parameter; times in seconds."""
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """Shape of the parameters of neurons, scales, thresholds and delays, or of an Input or Output; () fits every input."""
        if "shape" in self.params:
            return tuple(int(size) for size in np.ravel(self.params["shape"]))
        return np.broadcast_shapes(*(np.shape(value) for value in self.params.values()))


@dataclass(frozen=True)
class NodeType:
    """What a type of nodes takes."""

    required: tuple[str, ...] = ()
    optional: Mapping[str, Any] = field(default_factory=dict)
    positive: tuple[str, ...] = ()
    """Parameters that must be above zero."""
    least: Mapping[str, float] = field(default_factory=dict)
    """Parameters that must not be below a number."""


_RESET = {"v_reset": 0.0}
_CUBA = {"w_in": 1.0}
_CONV = NodeType(("weight", "stride", "padding", "dilation", "groups", "bias"), {"input_shape": None}, ("stride", "dilation", "groups"))
_POOL = NodeType(("kernel_size", "stride", "padding"), {}, ("kernel_size", "stride"), {"padding": 0})
TYPES: dict[str, NodeType] = {
    "Input": NodeType(("shape",)),
    "Output": NodeType(("shape",)),
    "Affine": NodeType(("weight", "bias")),
    "Linear": NodeType(("weight",)),
    "Scale": NodeType(("scale",)),
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": NodeType(("start_dim", "end_dim"), {"input_type": None}),
    "Delay": NodeType(("delay",), {}, (), {"delay": 0}),
    "Threshold": NodeType(("threshold",)),
    "I": NodeType(("r",)),
    "IF": NodeType(("r", "v_threshold"), _RESET),
    "LI": NodeType(("tau", "r", "v_leak"), {}, ("tau",)),
    "LIF": NodeType(("tau", "r", "v_leak", "v_threshold"), _RESET, ("tau",)),
    "CubaLI": NodeType(("tau_syn", "tau_mem", "r", "v_leak"), _CUBA, ("tau_syn", "tau_mem")),
    "CubaLIF": NodeType(("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"), _RESET | _CUBA, ("tau_syn", "tau_mem")),
}
"""Every type of nir 1.0.8 but NIRGraph, which is a graph."""
ENDS = ("Input", "Output")
SPIKING = ("IF", "LIF", "CubaLIF")
NEURONS = ("I", "LI", "CubaLI", *SPIKING)
ELEMENTWISE = ("Scale", "Threshold", "Delay", *NEURONS)
"""Types whose parameters have the shape of their input."""
_WORDS = ("same", "valid")
_PER_AXIS = ("kernel_size", "stride", "padding", "dilation")
_WHOLE = (*_PER_AXIS, "groups", "start_dim", "end_dim", "shape")
_AXES = {"Conv1d": 1, "Conv2d": 2, "SumPool2d": 2, "AvgPool2d": 2}


def parse_node(name: str, described: Mapping[str, Any]) -> Node:
    """Read and check one node.

    Args:
        name: name of the node, for errors.
        described: its parameters and its type, as a file or `nir.NIRNode.to_dict` has them.
    Raises:
        InputError: the type is unknown, a parameter is missing, or one has a value that it may not have.
    """
    if "type" not in described:
        raise InputError(f"node '{name}': expected a type, which is missing. Write the graph again.")
    kind = text(described["type"])
    if kind not in TYPES:
        kind = " ".join(kind.split())
        raise InputError(
            f"node '{name}': expected a node type of NIR, got '{kind}'.{suggestion(kind, TYPES)} Known are {', '.join(TYPES)}."
        )
    spec = TYPES[kind]
    if missing := [param for param in spec.required if described.get(param) is None]:
        raise InputError(f"node '{name}' ({kind}): expected {', '.join(missing)}, which is missing. Write the graph again.")
    given = {param: _value(name, kind, param, described.get(param)) for param in (*spec.required, *spec.optional)}
    params = {param: given[param] for param in given if given[param] is not None}
    for param, default in spec.optional.items():
        if param not in params and default is not None:
            like = params.get("v_threshold", params.get("v_leak"))
            params[param] = np.full_like(like, default)
    _check_values(name, kind, spec, params)
    _check_sizes(name, kind, params)
    if kind in ELEMENTWISE:
        _check_shapes(name, kind, params)
    metadata = described.get("metadata")
    return Node(kind, params, dict(metadata) if isinstance(metadata, Mapping) else {})


def text(value: Any) -> str:
    """A word, decoded where it is bytes."""
    return value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)


def _value(name: str, kind: str, param: str, value: Any) -> Any:
    """A parameter as a word or an array of numbers; None if it is absent."""
    if value is None:
        return None
    if isinstance(value, str | bytes):
        word = text(value)
        if param == "padding" and word in _WORDS:
            return word
        raise InputError(f"node '{name}' ({kind}): expected numbers for {param}, got '{word}'. Write the graph again.")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InputError(f"node '{name}' ({kind}): expected numbers for {param}, got dtype {array.dtype}. Write the graph again.")
    return array


def _check_values(name: str, kind: str, spec: NodeType, params: dict[str, Any]) -> None:
    for param, value in params.items():
        if isinstance(value, str):
            continue
        if not np.isfinite(value).all():
            raise InputError(f"node '{name}' ({kind}): expected finite numbers for {param}, got NaN or infinity. Train it again.")
        if value.size == 0 and kind not in ENDS:
            raise InputError(f"node '{name}' ({kind}): expected numbers for {param}, got none. Write the graph again.")
        if param in spec.positive and not (value > 0).all():
            raise InputError(f"node '{name}' ({kind}): expected {param} above 0, got {value.min():.6g}. Correct the graph.")
        if param in spec.least and (value < spec.least[param]).any():
            raise InputError(
                f"node '{name}' ({kind}): expected {param} of at least {spec.least[param]}, got {value.min():.6g}. Correct the graph."
            )


def _check_sizes(name: str, kind: str, params: dict[str, Any]) -> None:
    """Whole numbers where sizes and axes are meant, one or one for each axis."""
    for param, value in params.items():
        if isinstance(value, str) or param not in _WHOLE:
            continue
        allowed = (1, _AXES.get(kind, 1)) if param in _PER_AXIS else (1,) if param != "shape" else (value.size,)
        whole = np.array_equal(value, np.rint(value)) and (np.abs(value) < 2**31).all()
        if value.ndim > 1 or value.size not in allowed or not whole:
            told = f"{list(np.shape(value))} of {value.dtype}"
            raise InputError(
                f"node '{name}' ({kind}): expected whole numbers for {param}, one or one for each axis, got {told}. Correct the graph."
            )


def _check_shapes(name: str, kind: str, params: dict[str, Any]) -> None:
    shapes = {param: np.shape(value) for param, value in params.items()}
    if len({shape for shape in shapes.values() if shape != ()}) > 1:
        told = ", ".join(f"{param} {list(shape)}" for param, shape in shapes.items())
        raise InputError(f"node '{name}' ({kind}): expected parameters of one shape, got {told}. Correct the graph.")
