"""Results of a measurement, and the energy of its operations."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import InputError

Kind = Literal["spikes", "signed spikes", "numbers", "silence"]


@dataclass(frozen=True)
class Costs:
    """Energy per operation on 32-bit floats in 45 nm technology, in pJ.

    The defaults are those of the energy model of SpikeGPT, from two independent transcriptions of arXiv 2302.13939. Horowitz (2014),
    "Computing's energy problem", gives 3.7 for a multiplication and 0.9 for an addition.

    Raises:
        InputError: an energy is negative or not finite.
    """

    mac_pj: float = 4.5
    """Multiplication and addition (MAC)."""
    ac_pj: float = 0.9
    """Addition (AC)."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < float("inf"):
                raise InputError(f"{name}: expected a finite energy in pJ, not below zero, got {value}. Choose a valid one.")


@dataclass(frozen=True)
class Operations:
    """Operations of a network or of a part of it."""

    macs: float
    """Multiplications of a number and a weight, each with an addition."""
    acs: float
    """Additions of a weight, selected by a spike."""

    def picojoules(self, costs: Costs) -> float:
        """Return the energy of the operations, in pJ."""
        return self.macs * costs.mac_pj + self.acs * costs.ac_pj


@dataclass(frozen=True)
class Layer:
    """A matrix product, summed over all inputs."""

    name: str
    module: str
    """Type of the module."""
    kind: Kind
    """Values of the inputs. "spikes": one nonzero value, or one per channel, which can be folded into the weights; "signed spikes": one
    magnitude; "numbers": arbitrary; "silence": only zeros."""
    rate: float
    """Fraction of the input values that are not zero."""
    dense: float
    """Number of multiplications if no input is skipped."""
    reached: float
    """Number of multiplications with a nonzero input."""
    weight_bytes: float
    """Bytes of weights read: all weights per input or time step; for spikes, only the selected weights, if these are fewer."""
    activation_bytes: float
    """Bytes of inputs read and outputs written; a spike takes one bit, a signed spike two."""

    @property
    def operations(self) -> Operations:
        """Additions for spike inputs of any amplitude; for other inputs, all multiplications."""
        return Operations(self.dense, 0) if self.kind == "numbers" else Operations(0, self.reached)


@dataclass(frozen=True)
class Rate:
    """Firing rate of a layer."""

    name: str
    rate: float
    """Spikes per neuron and valid time step, 0 to 1."""
    dead: float
    """Fraction of the neurons that never fired."""


@dataclass(frozen=True)
class Report:
    """Result of `measure`, summed over all inputs."""

    inputs: int
    """Number of inputs (rows of all batches)."""
    steps: int
    """Number of valid time steps of all inputs; equal to `inputs` for a network without a time axis."""
    layers: tuple[Layer, ...]
    """Matrix products."""
    rates: tuple[Rate, ...]
    """Firing rates."""
    uncounted: tuple[str, ...]
    """Names of modules with matrices for which no function of `products` is registered."""

    @property
    def operations(self) -> Operations:
        """Operations of all matrix products."""
        each = [layer.operations for layer in self.layers]
        return Operations(sum(one.macs for one in each), sum(one.acs for one in each))

    @property
    def dense(self) -> Operations:
        """Operations of all matrix products without skipping zeros."""
        return Operations(sum(layer.dense for layer in self.layers), 0)

    @property
    def weight_bytes(self) -> float:
        """Bytes of weights read by all layers."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def activation_bytes(self) -> float:
        """Bytes of inputs and outputs of all layers."""
        return sum(layer.activation_bytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, with the sums over the layers."""
        sums = {"weight_bytes": self.weight_bytes, "activation_bytes": self.activation_bytes}
        return {**asdict(self), "operations": asdict(self.operations), "dense": asdict(self.dense), **sums}
