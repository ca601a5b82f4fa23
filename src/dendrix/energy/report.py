"""What the meter found, and what it costs."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import InputError

Kind = Literal["spikes", "signed spikes", "numbers", "silence"]


@dataclass(frozen=True)
class Costs:
    """Energy of one operation on 32-bit floats in 45 nm, in pJ.

    The defaults are those of SpikeGPT's energy model, as two independent transcriptions of arXiv 2302.13939 give it; Horowitz (2014),
    Computing's energy problem, has 3.7 for a product and 0.9 for a sum.
    """

    mac_pj: float = 4.5
    """A product and a sum."""
    ac_pj: float = 0.9
    """A sum."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < float("inf"):
                raise InputError(f"{name}: expected a finite energy in pJ, not below zero, got {value}.")


@dataclass(frozen=True)
class Operations:
    """Operations of a network or of a part."""

    macs: float
    """Products of a number and a weight, each with a sum."""
    acs: float
    """Weights that are summed, as a spike chose them."""

    def picojoules(self, costs: Costs) -> float:
        """Their energy."""
        return self.macs * costs.mac_pj + self.acs * costs.ac_pj


@dataclass(frozen=True)
class Layer:
    """A matrix product, over everything that was measured."""

    name: str
    module: str
    """The type of the module that computes it."""
    kind: Kind
    """What it is fed: "spikes" takes one non-zero value, or one for each channel, which can be folded into the weights; "signed spikes" one
    magnitude; "numbers" any; "silence" zeros alone."""
    rate: float
    """Share of its input values that are not zero."""
    dense: float
    """Products of a value and a weight if none is skipped."""
    reached: float
    """Those whose value is not zero."""
    weight_bytes: float
    """Bytes of weights that are read: all of them for each input or step, or, for spikes, those that they reach, if these are fewer."""
    activation_bytes: float
    """Bytes of inputs read and outputs written; a spike is a bit, signed ones are two."""

    @property
    def operations(self) -> Operations:
        """A spike of any amplitude makes a product a sum; any other input needs all products."""
        return Operations(self.dense, 0) if self.kind == "numbers" else Operations(0, self.reached)


@dataclass(frozen=True)
class Rate:
    """How often the neurons of a layer fire."""

    name: str
    rate: float
    """Mean over neurons and valid steps, 0 to 1."""
    dead: float
    """Share of the neurons that never fired."""


@dataclass(frozen=True)
class Report:
    """What `measure` found, summed over all inputs."""

    inputs: int
    """Rows of all batches."""
    steps: int
    """Valid steps of all rows; as many as inputs where a network answers at once."""
    layers: tuple[Layer, ...]
    rates: tuple[Rate, ...]
    uncounted: tuple[str, ...]
    """Modules with matrices of their own that the meter does not know."""

    @property
    def operations(self) -> Operations:
        """Of all matrix products."""
        each = [layer.operations for layer in self.layers]
        return Operations(sum(one.macs for one in each), sum(one.acs for one in each))

    @property
    def dense(self) -> Operations:
        """The same if every input were numbers."""
        return Operations(sum(layer.dense for layer in self.layers), 0)

    @property
    def weight_bytes(self) -> float:
        """Of all layers."""
        return sum(layer.weight_bytes for layer in self.layers)

    @property
    def activation_bytes(self) -> float:
        """Of all layers."""
        return sum(layer.activation_bytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, with the sums."""
        sums = {"weight_bytes": self.weight_bytes, "activation_bytes": self.activation_bytes}
        return {**asdict(self), "operations": asdict(self.operations), "dense": asdict(self.dense), **sums}
