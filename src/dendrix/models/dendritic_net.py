"""Network for continual learning: active dendrites with a task prototype as context gate units, and the k strongest units are active."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core import (
    State,
    Stateful,
    expect,
    expect_count,
    expect_counts,
    expect_fields,
    expect_finite,
    expect_floating,
    expect_instance,
    expect_valid,
    zero_invalid,
)
from ..errors import InputError
from ..layers import ActiveDendrites, KWinners, SparseLinear


@dataclass(frozen=True)
class DendriticNetConfig:
    """Configuration of a `DendriticNet`. The defaults are the published network for ten tasks of permuted MNIST.

    Raises:
        InputError: a field is out of range.
    """

    inputs: int = 784
    """Number of input channels, C."""
    outputs: int = 10
    """Number of classes, K, the same for every task."""
    hidden: tuple[int, ...] = (2048, 2048)
    """Number of units of each hidden layer."""
    weight_density: float = 0.5
    """Fraction of nonzero weights per unit."""
    active: float | None = 0.05
    """Fraction of active units per hidden layer (k winners); None uses a ReLU instead."""
    boost: float = 0.0
    """Boost strength of units that are rarely active."""
    segments: int = 10
    """Number of dendritic segments per hidden unit, one per task as published; 0 for a network without dendrites."""
    segment_density: float = 1.0
    """Fraction of the context to which a segment is connected."""
    tasks: int = 10
    """Largest number of tasks (prototypes)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", expect_counts(self.hidden, "hidden"))  # JSON has lists
        counts = dict.fromkeys(("inputs", "outputs", "tasks"), "[1, inf)")
        expect_fields(self, whole=("segments", *counts), segments="[0, inf)", **counts)
        expect_fields(self, weight_density="(0, 1]", active="(0, 1]", boost="[0, inf)", segment_density="(0, 1]")

    def build(self) -> "DendriticNet":
        """Create the network with initial weights."""
        return DendriticNet(self)


class DendriticNet(Stateful):
    """Dendritic network: x [B, T, C] -> outputs [B, T, K]. Time steps are independent; the state is ().

    Each hidden layer consists of sparse weights, dendritic gates and k winners. The context of a task is its prototype, the mean of its
    training inputs. If the task is not given, every input uses the nearest prototype.

    Args:
        config: configuration of the network.
    Source: Iyer et al. (2021), bioRxiv 2021.10.25.465651.
    """

    prototypes: Tensor
    """Prototypes of the tasks, [N, C]; the first `known` are set."""
    known: Tensor
    """Number of tasks so far, int64 []."""

    def __init__(self, config: DendriticNetConfig):
        super().__init__()
        self.config = expect_instance(config, DendriticNetConfig, "config")
        sizes = (config.inputs, *config.hidden)
        densities = (1.0, *[config.active or 1.0] * len(config.hidden))
        self.hidden = nn.ModuleList(_Hidden(config, *layer) for layer in zip(sizes, sizes[1:], densities, strict=False))
        self.readout = SparseLinear(sizes[-1], config.outputs, config.weight_density, expected_density=densities[-1])
        self.register_buffer("prototypes", torch.zeros(config.tasks, config.inputs))
        self.register_buffer("known", torch.tensor(0))

    def arguments(self) -> dict[str, Any]:
        return dict(config=self.config)

    @torch.no_grad()
    def begin_task(self, inputs: Tensor) -> int:
        """Store the prototype of a new task.

        Args:
            inputs: training inputs of the task, [N, C].
        Returns:
            index of the task.
        Raises:
            InputError: the largest number of tasks is reached.
        """
        expect(inputs, "N C", "inputs", C=self.config.inputs)
        task = int(self.known)
        if task == self.config.tasks:
            raise InputError(f"tasks: expected at most {task}, got one more. Create the network with more tasks.")
        self.prototypes[task] = inputs.mean(0)
        self.known += 1
        return task

    def nearest(self, x: Tensor) -> Tensor:
        """Return the task with the nearest prototype (Euclidean distance) for each input.

        Args:
            x: [..., C].
        Returns:
            indices of tasks, int64 [...].
        Raises:
            InputError: there is no prototype yet.
        """
        if not self.known:
            raise InputError("prototypes: expected at least one, got none. Call begin_task with the inputs of a task first.")
        rows, prototypes = x.flatten(0, -2), self.prototypes[: int(self.known)]
        if torch.compiler.is_compiling():  # ONNX has no cdist
            return (rows.unsqueeze(1) - prototypes).square().sum(-1).argmin(-1).view(x.shape[:-1])
        return torch.cdist(rows, prototypes).argmin(-1).view(x.shape[:-1])

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None, task: int | None = None) -> tuple[Tensor, State]:
        """Compute the outputs.

        Args:
            x: [B, T, C].
            state: ignored.
            valid: bool [B, T] or None.
            task: task of all inputs; None uses the nearest prototype of each input.
        Returns:
            outputs [B, T, K] and the state ().
        Raises:
            InputError: x is not finite or has another shape, the task is unknown, or there is no prototype yet.
        """
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
        """Return the contexts, [P, C], and the index of the context of each input, int64 [B, T]; None for a single context."""
        if not self.config.segments:
            return None, None
        if task is None:
            return self.prototypes[: int(self.known)], self.nearest(x)
        task = expect_count(task, f"[0, {int(self.known) - 1}]", "task")
        return self.prototypes[task : task + 1], None


class _Hidden(nn.Module):
    """Hidden layer: sparse weights, dendritic gates and k winners."""

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
        """Compute x [B, T, C] -> [B, T, H]; gates are computed once per context instead of once per input."""
        x, _ = self.linear(x, None, valid)
        if self.dendrites is not None and contexts is not None:
            gates = self.dendrites.gate(contexts)
            x = x * (gates if which is None else gates[which])
        return x.relu() if self.winners is None else self.winners(x, None, valid)[0]
