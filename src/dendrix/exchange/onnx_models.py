"""From a network of dendrix to ONNX: one step, with its state going in and out, or a whole sequence."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import expect_one_of
from ..core import State, Stateful, leaves, map_state, use_kernels
from ..core.files import expect_writable, write_atomic
from ..errors import InputError
from ..layers import freeze
from ..models import DendriticNet
from ..models.spikegpt.network import SpikeGPTBody
from .exporter import input_shape
from .image_frames import over_time
from .packages import require

OPSET = 18
_LEAST_QUANTISED = 256
"""Weights of fewer values stay float32."""
_PROBE_STEPS = 12
Form = Literal["step", "sequence"]


class _Step(nn.Module):
    """A step with its state as separate tensors, which ONNX has instead of tuples and dicts."""

    def __init__(self, network: Stateful, rest: State):
        super().__init__()
        self.network, self.rest = network, rest

    def forward(self, x: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        given = iter(parts)
        y, after = self.network.step(x, map_state(lambda _: next(given), self.rest))
        return y, *leaves(after)


def to_onnx(
    network: Stateful,
    path: str | Path | None = None,
    *,
    form: Form = "step",
    shape: Sequence[int] | None = None,
    int8: bool = False,
) -> Any:
    """Write a network as ONNX, opset 18, after a test in onnxruntime that it gives the same outputs.

    "step" takes `x` [B, ...], or tokens [B], int64, where a SpikeGPT reads them, and `state_0`, `state_1`, ...; it returns `y` and
    `next_0`, `next_1`, .... States that are left out are those at rest, for a batch of one. "sequence" takes `sequence` [B, T, ...] from
    rest and returns `outputs` [B, T, ...] and the last state.

    Args:
        network: any network over time; its delays are rounded, and it is in evaluation mode. A `Converted` takes the image at every step.
        path: path of the `.onnx` file, written whole or not at all; None: only the model is returned.
        form: "step" or "sequence".
        shape: of one step of the input, without batch; by default as the first layer takes it.
        int8: keep weights as 8-bit integers with one scale per row.
    Returns:
        the `onnx.ModelProto`.
    Raises:
        InputError: the network cannot be exported, or gives other outputs in onnxruntime; nothing is written.
        OSError: the file cannot be written.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
    """
    expect_one_of(form, ("step", "sequence"), "form")
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package)
    if path is not None:
        expect_writable(Path(path))
    frozen: Any = _prepared(freeze(over_time(network)))
    size = step_shape(network) if shape is None else tuple(shape)
    rest = _rest(frozen, size)
    model = _step_model(frozen, size, rest)
    if form == "sequence":
        model = _sequence_model(model, size, rest, tokens=_reads_tokens(frozen))
    else:
        _default_states(model, rest)
    if int8:
        _quantise(model)
    require("onnx").checker.check_model(model)
    _expect_equal(frozen, model, form, size, int8)
    if path is not None:
        write_atomic(Path(path), model.SerializeToString())
    return model


def _prepared(network: nn.Module) -> nn.Module:
    """The network with what a graph cannot cut by, the count of known tasks, as a number, and binary embeddings exact in 8 bits."""
    for module in network.modules():
        found: Any = module
        if isinstance(module, DendriticNet):
            known = int(found.known)
            del found.known
            found.known = known
        if isinstance(module, SpikeGPTBody) and module.config.binary_embedding:
            with torch.no_grad():
                module.emb.weight.copy_(torch.where(module.emb.weight >= 0, 0.5, -0.5))
    return network


def step_shape(network: nn.Module) -> tuple[int, ...]:
    """The shape of one step of the input, without batch: () for tokens.

    Raises:
        InputError: the first layer of the network does not say.
    """
    return () if _reads_tokens(network) else input_shape(over_time(network))


def _reads_tokens(network: nn.Module) -> bool:
    return isinstance(network, SpikeGPTBody)


def _probe(network: Any, batch: int, steps: int, size: tuple[int, ...]) -> Tensor:
    """Random tokens or spikes, [B, T, ...]."""
    draw = torch.Generator().manual_seed(0)
    if _reads_tokens(network):
        return torch.randint(network.config.vocab_size, (batch, steps), generator=draw)
    return (torch.rand(batch, steps, *size, generator=draw) < 0.3).float()


def _rest(network: Any, size: tuple[int, ...]) -> State:
    """The state at rest for one row: that after a step that does not count."""
    with torch.no_grad():
        _, state = network(_probe(network, 1, 1, size), None, torch.zeros(1, 1, dtype=torch.bool))
    return state


def _step_model(network: Any, size: tuple[int, ...], rest: State) -> Any:
    parts = leaves(rest)
    twice = [torch.cat([part, part]) for part in parts]
    batch = torch.export.Dim("batch", min=1)
    names = [f"state_{i}" for i in range(len(parts))]
    try:
        with torch.no_grad(), use_kernels("reference"), _quiet():
            program = torch.onnx.export(
                _Step(network, rest).eval(),
                (_probe(network, 2, 1, size)[:, 0], *twice),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=["x", *names],
                output_names=["y", *(f"next_{i}" for i in range(len(parts)))],
                dynamic_shapes=({0: batch}, *([tuple({0: batch} for _ in parts)] if parts else [])),
            )
    except Exception as error:  # torch raises what its tracer meets
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"network: expected one that torch can export, but {type(error).__name__}: {reason}. Replace that layer."
        ) from error
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the user what the exporter of torch says about itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _default_states(model: Any, rest: State) -> None:
    """Give the state inputs the values at rest, which hold where none are passed."""
    onnx = require("onnx")
    for i, part in enumerate(leaves(rest)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(part.numpy(), f"state_{i}"))


def _sequence_model(step: Any, size: tuple[int, ...], rest: State, tokens: bool) -> Any:
    """The step as the body of a Scan over the second axis, from rest."""
    onnx = require("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    parts, body = leaves(rest), step.graph
    given = {value.name: value for value in (*body.input, *body.output)}
    names = range(len(parts))
    inner = helper.make_graph(
        list(body.node),
        "step",
        [*(given[f"state_{i}"] for i in names), given["x"]],
        [*(given[f"next_{i}"] for i in names), given["y"]],
        value_info=list(body.value_info),
    )
    constants = [numpy_helper.from_array(part.numpy(), f"rest_{i}") for i, part in enumerate(parts)]
    nodes = [helper.make_node("Shape", ["sequence"], ["batch"], start=0, end=1)]
    for i, part in enumerate(parts):
        constants.append(numpy_helper.from_array(np.array(part.shape[1:], np.int64), f"shape_{i}"))
        nodes.append(helper.make_node("Concat", ["batch", f"shape_{i}"], [f"whole_{i}"], axis=0))
        nodes.append(helper.make_node("Expand", [f"rest_{i}", f"whole_{i}"], [f"start_{i}"]))
    starts, ends = [f"start_{i}" for i in names], [f"last_{i}" for i in names]
    axes = {"scan_input_axes": [1], "scan_output_axes": [1]}
    nodes.append(helper.make_node("Scan", [*starts, "sequence"], [*ends, "outputs"], body=inner, num_scan_inputs=1, **axes))
    kind = onnx.TensorProto.FLOAT
    y_shape = [axis.dim_value for axis in given["y"].type.tensor_type.shape.dim][1:]
    x = helper.make_tensor_value_info("sequence", onnx.TensorProto.INT64 if tokens else kind, ["batch", "time", *size])
    y = helper.make_tensor_value_info("outputs", kind, ["batch", "time", *y_shape])
    last = [helper.make_tensor_value_info(f"last_{i}", _type(part), ["batch", *part.shape[1:]]) for i, part in enumerate(parts)]
    graph = helper.make_graph(nodes, "sequence", [x], [y, *last], [*body.initializer, *constants])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], functions=list(step.functions))
    made.ir_version = step.ir_version
    return made


def _type(tensor: Tensor) -> int:
    """The ONNX type of a tensor's numbers."""
    found: int = require("onnx").helper.np_dtype_to_tensor_dtype(tensor.numpy().dtype)
    return found


def _quantise(model: Any) -> None:
    """Replace large weights by 8-bit integers and a scale for each row."""
    onnx = require("onnx")
    kept, nodes = [], []
    for weight in model.graph.initializer:
        value = onnx.numpy_helper.to_array(weight)
        if value.dtype != np.float32 or value.ndim < 2 or value.size < _LEAST_QUANTISED or weight.name.startswith(("state_", "rest_")):
            kept.append(weight)
            continue
        scale = np.maximum(np.abs(value).reshape(len(value), -1).max(1), 1e-12) / 127
        whole = np.rint(value / scale.reshape(-1, *[1] * (value.ndim - 1))).astype(np.int8)
        kept += [
            onnx.numpy_helper.from_array(whole, f"{weight.name}_int8"),
            onnx.numpy_helper.from_array(scale.astype(np.float32), f"{weight.name}_scale"),
        ]
        nodes.append(onnx.helper.make_node("DequantizeLinear", [f"{weight.name}_int8", f"{weight.name}_scale"], [weight.name], axis=0))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])


def session(model: Any) -> Any:
    """An onnxruntime session on one thread of the CPU."""
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_steps(opened: Any, x: Any) -> Any:
    """The outputs [1, T, ...] of a model of one step for x [1, T, ...], as a user of onnxruntime would compute them."""
    state: dict[str, Any] = {}
    outputs = []
    for t in range(x.shape[1]):
        y, *after = opened.run(None, {"x": x[:, t], **state})
        state = {f"state_{i}": part for i, part in enumerate(after)}
        outputs.append(y)
    return np.stack(outputs, 1)


def _expect_equal(network: Any, model: Any, form: Form, size: tuple[int, ...], int8: bool) -> None:
    """Compare the model in onnxruntime with the network on random spikes; rounded weights need only run."""
    x = _probe(network, 1, _PROBE_STEPS, size)
    opened = session(model)
    found = run_steps(opened, x.numpy()) if form == "step" else opened.run(None, {"sequence": x.numpy()})[0]
    with torch.no_grad():
        wanted = network(x)[0].numpy()
    different = ~np.isclose(found, wanted, rtol=1e-3, atol=1e-4)
    if different.any() and not int8:
        raise InputError(
            f"network: expected the same outputs in onnxruntime, but {int(different.sum()):,} of {different.size:,} differ. Report it."
        )
