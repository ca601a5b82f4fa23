"""Networks in whole numbers, as modules over time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import State, Stateful, expect, expect_count, expect_finite, expect_floating, expect_valid, find_kernel, kernel, zero_invalid
from ..errors import InputError
from . import reference
from .integer_layer import IntegerLayer, Ints
from .layout import PARAMETERS, LayerForm, flattened, plan_of, rest


@dataclass(frozen=True)
class InputForm:
    """Integer form of an input: round(x 2^shift), limited to `bits` bits.

    Raises:
        InputError: a field is out of range.
    """

    channels: int
    shift: int
    bits: int

    def __post_init__(self) -> None:
        expect_count(self.channels, "[1, inf)", "channels")
        expect_count(self.shift, "[0, 14]", "shift")
        if self.bits not in (8, 16):
            raise InputError(f"bits: expected 8 or 16, got {self.bits}. Choose one of these.")

    @property
    def low(self) -> int:
        """Smallest integer."""
        return -(1 << (self.bits - 1))

    def whole(self, x: Tensor) -> Tensor:
        """Inputs as integers, int64."""
        return torch.from_numpy(self.rounded(x.detach().cpu().numpy()))

    def rounded(self, x: NDArray[Any]) -> Ints:
        """As `whole`, for arrays: four small operations of torch take longer than a step of a network."""
        scaled = np.floor(x * 2.0**self.shift + 0.5)
        whole: Ints = np.minimum(np.maximum(scaled, self.low), -self.low - 1).astype(np.int64)
        return whole


class IntegerState(NamedTuple):
    """State of an integer network."""

    memory: Tensor
    """Membranes, currents and pending sums of all layers, int32 [B, S]."""
    steps: Tensor
    """Number of steps so far, int64 [B], which says where in their rings the pending sums lie."""


class IntegerNetwork(Stateful):
    """Network in whole numbers: x [B, T, C] -> outputs [B, T, K], float64. Made by `quantise`; `reference` has the equations.

    Inputs are rounded to integers, and everything up to the outputs is whole; an output is a membrane of the read-out times its unit.
    Equal inputs give equal outputs on every machine, in any batch and in any chunks.

    Args:
        layers: sizes and kinds of the layers, as `LayerForm` or a dict of its fields.
        inputs: form of the inputs, as `InputForm` or a dict of its fields.
        unit: value of one unit of the outputs.
        weight_bits: bits of a weight.
    """

    weights: Tensor
    delays: Tensor
    constants: Tensor

    def __init__(self, layers: Sequence[LayerForm | dict[str, Any]], inputs: InputForm | dict[str, Any], unit: float, weight_bits: int = 8):
        super().__init__()
        self.forms = tuple(LayerForm(**form) if isinstance(form, dict) else form for form in layers)
        self.inputs = InputForm(**inputs) if isinstance(inputs, dict) else inputs
        self.unit, self.weight_bits = float(unit), weight_bits
        self.plan = plan_of(self.forms)
        self.register_buffer("weights", torch.zeros(self.plan.weights, dtype=torch.int8))
        self.register_buffer("delays", torch.zeros(self.plan.weights, dtype=torch.uint8))
        self.register_buffer("constants", torch.zeros(self.plan.parameters, dtype=torch.int32))
        self._arrays: tuple[Tensor, Tensor, Tensor, tuple[NDArray[Any], ...]] | None = None

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Weights, delays and constants, which share the memory of the buffers."""
        # Kept, as reading the buffers of a module and converting them takes as long as a layer.
        buffers, kept = self._buffers, self._arrays
        if kept is None or any(buffers[name] is not was for name, was in zip(_TABLES, kept, strict=False)):
            weights, delays, constants = self.weights, self.delays, self.constants
            self._arrays = kept = weights, delays, constants, (weights.numpy(), delays.numpy(), constants.numpy())
        return kept[3]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_arrays": None}  # a copy has its own memory

    @classmethod
    def of(cls, layers: Sequence[IntegerLayer], inputs: InputForm, unit: float, weight_bits: int = 8) -> "IntegerNetwork":
        """Make a network of these layers."""
        network = cls([layer.form for layer in layers], inputs, unit, weight_bits)
        weights, delays, constants = flattened([vars(layer) for layer in layers], np.int64)
        for name, numbers, limit in (("weights", weights, 2**7), ("constants", constants, 2**31)):
            if (numbers < -limit).any() or (numbers >= limit).any():
                raise InputError(f"{name}: expected whole numbers in [{-limit}, {limit}), got others. Quantise with larger units.")
        network.weights.copy_(torch.from_numpy(weights))
        network.delays.copy_(torch.from_numpy(delays))
        network.constants.copy_(torch.from_numpy(constants))
        return network

    def arguments(self) -> dict[str, Any]:
        forms = [asdict(form) for form in self.forms]
        return dict(layers=forms, inputs=asdict(self.inputs), unit=self.unit, weight_bits=self.weight_bits)

    def layers(self) -> list[IntegerLayer]:
        """The layers with named arrays."""
        weights, delays, constants = (part.numpy().astype(np.int64) for part in (self.weights, self.delays, self.constants))
        found = []
        for form, row in zip(self.forms, self.plan.rows.tolist(), strict=True):
            start, out = row[12], form.outputs
            named = dict(zip(PARAMETERS, constants[start : start + len(PARAMETERS) * out].reshape(-1, out), strict=True))
            shape = (form.synapses, form.inputs, out)
            synapses = [_matrix(part, row[10], shape) for part in (weights, delays)]
            if form.feedback_synapses:
                own = (form.feedback_synapses, out, out)
                named |= {"feedback_weight": _matrix(weights, row[11], own), "feedback_delay": _matrix(delays, row[11], own)}
            found.append(IntegerLayer(form, *synapses, **named))
        return found

    def init_state(self, batch: int) -> IntegerState:
        """State of `batch` rows before their first step."""
        row = torch.from_numpy(rest(self.plan, self.constants.numpy()))
        return IntegerState(row.expand(batch, -1).clone(), torch.zeros(batch, dtype=torch.int64))

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C", "x_t", C=self.inputs.channels)
        expect_finite(x_t, "x_t")
        x = self.inputs.rounded(x_t.detach().numpy())[:, None]
        outputs, state, _ = self._run(x, self._checked(state, len(x)), np.ones((len(x), 1), bool))
        return torch.from_numpy(outputs[:, 0] * self.unit), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.inputs.channels)
        expect_floating(x)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        expect_finite(x)
        whole = self.inputs.whole(x)
        outputs, state, _ = self.run(whole, state, valid)
        return torch.from_numpy(outputs.numpy() * self.unit), state

    def run(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, IntegerState, Tensor]:
        """Run integer inputs.

        Args:
            x: [B, T, C], int64, as `inputs.whole` gives them.
            state: what the last call returned; None from rest.
            valid: bool [B, T].
        Returns:
            integer outputs [B, T, K], the next state, and the number of synaptic operations of each layer [L] (zero in the reference).
        """
        mask = np.ones(x.shape[:2], bool) if valid is None else valid.numpy()
        y, after, operations = self._run(x.numpy(), self._checked(state, len(x)), mask)
        return torch.from_numpy(y), after, torch.from_numpy(operations)

    def _run(self, x: Ints, state: IntegerState, mask: NDArray[np.bool_]) -> tuple[Ints, IntegerState, Ints]:
        if fused := find_kernel(OPERATION, "cpu", self, x):
            found: tuple[Ints, IntegerState, Ints] = fused.run(self, x, state, mask)
            return found
        y, memory, steps = reference.run(self.layers(), self.plan, x, mask, state.memory.numpy().astype(np.int64), state.steps.numpy())
        after = IntegerState(torch.from_numpy(memory.astype(np.int32)), torch.from_numpy(steps))
        return y, after, np.zeros(len(self.forms), np.int64)

    def _checked(self, state: State, batch: int) -> IntegerState:
        if state is None:
            return self.init_state(batch)
        shape = (batch, self.plan.memory)
        if isinstance(state, IntegerState) and state.memory.shape == shape and state.memory.dtype == torch.int32:
            return state
        came = list(state.memory.shape) if isinstance(state, IntegerState) else type(state).__name__
        raise InputError(f"state: expected IntegerState of shape {list(shape)}, got {came}. Pass what the last call returned.")


_TABLES = ("weights", "delays", "constants")
OPERATION = "integer_network"
"""Name of the run in the table of kernels."""


@kernel(OPERATION, "cpu", refuses=lambda *_: None)  # the compiled loops take whatever the reference takes
def run_compiled(network: IntegerNetwork, x: Ints, state: IntegerState, valid: NDArray[np.bool_]) -> tuple[Ints, IntegerState, Ints]:
    """`IntegerNetwork.run` by compiled loops, on arrays."""
    from . import loops  # numba loads in 0.4 s

    memory, steps = state.memory.numpy().copy(), state.steps.numpy().copy()
    outputs = np.empty((*x.shape[:2], network.forms[-1].outputs), np.int64)
    operations = np.zeros(len(network.forms), np.int64)
    run: Any = loops.run_integers
    run(np.ascontiguousarray(x), valid, network.plan.rows, *network.arrays(), memory, steps, outputs, operations)
    return outputs, IntegerState(torch.from_numpy(memory), torch.from_numpy(steps)), operations


def _matrix(flat: Ints, start: int, shape: tuple[int, int, int]) -> Ints:
    """Weights or delays [out, in, K] out of a flat table."""
    count = shape[0] * shape[1] * shape[2]
    return flat[start : start + count].reshape(shape).transpose(2, 1, 0)
