"""A network for learning task after task: active dendrites, told the task by a prototype, gate units that compete to be active."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_fields, expect_finite, expect_floating, expect_in, expect_valid, zero_invalid
from ..errors import InputError
from ..layers import ActiveDendrites, KWinners, SparseLinear


@dataclass(frozen=True)
class DendriticNetConfig:
    """What a `DendriticNet` is made of. The fields at their defaults are the published network for ten tasks of permuted MNIST."""

    inputs: int = 784
    """Channels of the input, C."""
    outputs: int = 10
    """Classes, K, the same for every task."""
    hidden: tuple[int, ...] = (2048, 2048)
    """Units of each hidden layer."""
    weight_density: float = 0.5
    """Share of its inputs that a unit listens to."""
    active: float | None = 0.05
    """Share of a hidden layer's units that may be active at a time, the k winners; None lets all through a ReLU."""
    boost: float = 0.0
    """Strength with which units that seldom win are favoured."""
    segments: int = 10
    """Segments of each hidden unit, one per task as published; 0 leaves the dendrites out."""
    segment_density: float = 1.0
    """Share of the context that a segment listens to."""
    tasks: int = 10
    """Room for prototypes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON has lists
        expect_fields(self, weight_density="(0, 1]", active="(0, 1]", boost="[0, inf)", segment_density="(0, 1]")
        expect_fields(self, segments="[0, inf)", tasks="[1, inf)")
        if min(self.inputs, self.outputs, *self.hidden) < 1:
            raise InputError(f"inputs, outputs and hidden sizes must be at least 1, got {self.inputs}, {self.outputs} and {self.hidden}.")

    def build(self) -> "DendriticNet":
        """The network, with the weights of its start."""
        return DendriticNet(self)


class DendriticNet(Stateful):
    """x [B, T, C] -> outputs [B, T, K]; it knows no time, so its state is ().

    Each hidden layer is sparse weights -> gates of the dendrites -> k winners. The context of a task is its prototype, the mean of its
    training inputs; where the task is not told, every input takes the prototype that is nearest to it.

    Source: Iyer et al. (2021), bioRxiv 2021.10.25.465651.
    """

    prototypes: Tensor
    """One for each task, [N, C]; the first `known` are there."""
    known: Tensor

    def __init__(self, config: DendriticNetConfig):
        super().__init__()
        self.config = config
        sizes = (config.inputs, *config.hidden)
        densities = (1.0, *[config.active or 1.0] * len(config.hidden))
        self.hidden = nn.ModuleList(_Hidden(config, *layer) for layer in zip(sizes, sizes[1:], densities, strict=False))
        self.readout = SparseLinear(sizes[-1], config.outputs, config.weight_density, expected_density=densities[-1])
        self.register_buffer("prototypes", torch.zeros(config.tasks, config.inputs))
        self.register_buffer("known", torch.tensor(0))

    @torch.no_grad()
    def begin_task(self, inputs: Tensor) -> int:
        """Remember the prototype of a new task and return the task's number.

        Args:
            inputs: its training inputs, [N, C].
        Raises:
            ValueError: there is no room left.
        """
        expect(inputs, "N C", "inputs", C=self.config.inputs)
        task = int(self.known)
        if task == self.config.tasks:
            raise InputError(f"tasks: expected at most {task}, got one more. Build the network with a larger tasks.")
        self.prototypes[task] = inputs.mean(0)
        self.known += 1
        return task

    def nearest(self, x: Tensor) -> Tensor:
        """The task whose prototype is nearest to each input (Euclidean): x [..., C] -> int64 [...]."""
        if not self.known:
            raise InputError("prototypes: expected at least one, got none. Call begin_task with the inputs of a task first.")
        return torch.cdist(x.flatten(0, -2), self.prototypes[: int(self.known)]).argmin(-1).view(x.shape[:-1])

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None, task: int | None = None) -> tuple[Tensor, State]:
        """As every layer; `task` tells which task all the inputs belong to, None lets each find its own."""
        expect(x, "B T C", C=self.config.inputs)
        expect_floating(x)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        expect_finite(x)
        contexts, which = self._contexts(x, task)
        for layer in self.hidden:
            x = layer(x, valid, contexts, which)
        outputs, _ = self.readout(x, None, valid)
        return outputs, ()

    def _contexts(self, x: Tensor, task: int | None) -> tuple[Tensor | None, Tensor | None]:
        """The contexts that occur, [P, C], and the one that each input has, int64 [B, T]; None for a single one."""
        if not self.config.segments:
            return None, None
        if task is None:
            return self.prototypes[: int(self.known)], self.nearest(x)
        expect_in(task, f"[0, {int(self.known) - 1}]", "task")
        return self.prototypes[task : task + 1], None


class _Hidden(nn.Module):
    """One hidden layer: weights, gates, winners."""

    def __init__(self, config: DendriticNetConfig, inputs: int, size: int, expected_density: float):
        super().__init__()
        self.linear = SparseLinear(inputs, size, config.weight_density, expected_density=expected_density)
        self.dendrites: ActiveDendrites | None = None
        self.winners: KWinners | None = None
        if config.segments:
            self.dendrites = ActiveDendrites(size, config.inputs, config.segments, density=config.segment_density)
        if config.active is not None:
            self.winners = KWinners(size, max(1, round(config.active * size)), config.boost)

    def forward(self, x: Tensor, valid: Tensor | None, contexts: Tensor | None, which: Tensor | None) -> Tensor:
        """x [B, T, C] -> [B, T, H]; gates are computed once for each context that occurs, not once for each input."""
        x, _ = self.linear(x, None, valid)
        if self.dendrites is not None and contexts is not None:
            gates = self.dendrites.gate(contexts)
            x = x * (gates if which is None else gates[which])
        return x.relu() if self.winners is None else self.winners(x, None, valid)[0]
