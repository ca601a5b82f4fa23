"""Results of a measurement, and the energy of its operations."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import InputError
from .matrix_products import Delayed

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
    """Input values that are not zero, as a fraction of all; of spike counts, the spikes for each value."""
    dense: float
    """Number of multiplications if no input is skipped."""
    reached: float
    """Number of multiplications with a nonzero input; of spike counts, one addition for each spike."""
    rows: int
    """Number of inputs or time steps at which the product was computed."""
    inputs: int
    """Number of input values of one row."""
    weights: int
    """Number of weights."""
    outputs: int
    """Number of outputs of one row."""
    taps: int = 1
    """Time steps that the delay line of the layer holds; 1 without delays."""
    delayed: Delayed = "synapses"
    """What waits in the delay line, as in `Product`."""

    @property
    def spiking(self) -> bool:
        """Whether the inputs are spikes, or would be if there were any."""
        return self.kind != "numbers"

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
class StateUse:
    """State of a module that is read and written at every step."""

    name: str
    module: str
    """Type of the module."""
    rows: int
    """Number of time steps of all inputs."""
    values: int
    """Numbers stored for one input."""
    neurons: int
    """Neurons among them; 0 for other states, such as the running averages of WKV."""
    macs: float
    """Multiplications of an update of all values."""
    spiking: bool
    """Whether the neurons send spikes; a dense network of the same shape has no such state."""


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
    states: tuple[StateUse, ...] = ()
    """States of neurons and running averages."""

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
    def rate(self) -> float:
        """Mean fraction of active inputs of the products with spikes as inputs, weighted by their number of weights; 0 without any."""
        fed = [layer for layer in self.layers if layer.spiking]
        dense = sum(layer.dense for layer in fed)
        return sum(layer.reached for layer in fed) / dense if dense else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, with the sums over the layers."""
        return {**asdict(self), "operations": asdict(self.operations), "dense": asdict(self.dense), "rate": self.rate}
