"""Base of learners: one epoch of training, one validation, and the tensors that are kept between epochs."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..run_folder.state import Chooses, Progress
from .distributed.sharding import joined, shared_like
from .health import REMEDIES, refuse_divergence


class Learner(ABC):
    """A network, its optimiser and its data on the device of this process. All random numbers come from torch's generators.

    Each of several processes gets a share of every batch and of the validation data; gradients and metrics are those of the whole batch.

    Args:
        network: network to train.
        optimizer: optimiser of its parameters.
        precision: of matrix products.
        accelerator: accelerate's `Accelerator`, which holds the device and the process group.
        shared: copy of the network, sharded over the processes, that is trained in place of `network`; None if nothing is sharded.
    """

    chooses: Chooses = "accuracy"

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, precision: str, accelerator: Any, shared: nn.Module | None = None
    ):
        self.network, self.optimizer, self.precision, self.accelerator = network, optimizer, precision, accelerator
        self.model = accelerator.prepare(network) if shared is None else shared
        self.shared = shared
        self.advance: Callable[[int], object] = int
        """Advances the progress bar within an epoch; without a bar it has no effect."""
        self.before_step: Callable[[], object] = int
        """Called before every step of the optimiser; it may end the training by an error."""

    @abstractmethod
    def train(self, progress: Progress) -> dict[str, Any]:
        """Make one pass over the training data and return its metrics.

        Raises:
            DivergedError: the loss, its gradient or a neuron's state became infinite or not a number.
        """

    @abstractmethod
    def validate(self, step: int) -> dict[str, Any]:
        """Return accuracy and loss on the validation data, with the network as it is deployed, and the health of its layers.

        Raises:
            DivergedError: the loss or a neuron's state is infinite or not a number.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the network and its configuration into a folder."""

    def span(self, budget: Any, progress: Progress) -> tuple[int, int, str]:
        """Return the length of the training, the part that is done, and their unit, for the progress bar."""
        return budget.epochs, progress.epoch, "epoch"

    def settled(self, progress: Progress) -> bool:
        """Return whether the network has been trained for long enough that silent neurons are worth a warning."""
        return True

    def remedy(self, layer: str, kind: str) -> str:
        """Return what to change if too large a share of a layer is of a kind, such as "dead"; see `train.health.warnings`."""
        return REMEDIES[kind]

    def notes(self, line: dict[str, Any]) -> list[str]:
        """Return further lines to print after an epoch."""
        return []

    def shown(self, line: dict[str, Any], progress: Progress) -> dict[str, str]:
        """Return the values that the progress bar shows after an epoch."""
        shown = {"loss": f"{line['loss']:.3f}"}
        for name, accuracy in (("valid", line.get("valid_accuracy")), ("best", progress.best_accuracy)):
            if accuracy is not None:
                shown[name] = f"{accuracy:.1%}"
        return shown

    def descend(self, loss: Tensor, step: int, *, whole: float, share: float, clip: float | None = None) -> float:
        """Make one step of the optimiser and return the norm of the gradient.

        Args:
            loss: loss of this process's share of the batch.
            step: number of the step, for the error message.
            whole: loss of the whole batch.
            share: fraction of the batch that this process has, in (0, 1].
            clip: largest norm of the gradient; a larger one is scaled down to it. None: never scaled.
        Raises:
            DivergedError: the loss or its gradient is infinite or not a number.
        """
        self.optimizer.zero_grad()
        self.backward(loss, share)
        return self.move(step, whole, clip)

    def backward(self, loss: Tensor, share: float) -> None:
        """Accumulate the gradient of a part of the batch; see `descend`."""
        if not loss.requires_grad:
            raise InputError(
                "network: expected outputs that depend on its parameters, got a loss without a gradient. Do not detach or round them."
            )
        # accelerate averages gradients over the processes, so each loss is weighted by its share of the batch.
        self.accelerator.backward(loss * (share * self.accelerator.num_processes))

    def move(self, step: int, whole: float, clip: float | None) -> float:
        """Update the parameters and return the norm of the gradient; see `descend`."""
        self.before_step()
        norm = float(joined(self.accelerator.clip_grad_norm_(self.model.parameters(), math.inf if clip is None else clip)))
        refuse_divergence(step, {"loss": whole, "gradient norm": norm})
        self.optimizer.step()
        return norm

    def summary(self, sums: Tensor, gradient_norm: float) -> dict[str, Any]:
        """Return the metrics of an epoch, given [items, sum of losses, number correct] and the mean gradient norm."""
        items, loss, right = sums.tolist()
        rates = {group["name"]: group["lr"] for group in self.optimizer.param_groups}
        return {"loss": loss / items, "train_accuracy": right / items, "gradient_norm": gradient_norm, "rates": rates}

    def gather(self) -> None:
        """Copy the weights of the sharded copy into the network, if there is one. A collective call."""
        if self.shared is not None:
            self.network.load_state_dict({name: joined(tensor) for name, tensor in self.shared.state_dict().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that the next epoch depends on; a sharded network is that of the last `gather`."""
        kept = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            kept |= {f"optimizer.{number}.{name}": joined(tensor) for name, tensor in moments.items()}
        kept |= {f"random.{kind}": self._gathered(state) for kind, state in self._random().items()}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the tensors that `tensors` returned.

        Raises:
            InputError: they were saved by another number of processes.
        """
        accelerator = self.accelerator
        if (count := len(tensors["random.cpu"])) != accelerator.num_processes:
            raise InputError(f"processes: expected {count}, as in the saved run, got {accelerator.num_processes}. Start {count}.")
        self.network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = tensor
        if self.shared is not None:
            self._share_out(self.shared, moments)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        torch.set_rng_state(tensors["random.cpu"][accelerator.process_index].clone())  # torch 2.13 misreads a view
        if accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"][accelerator.process_index].clone(), accelerator.device)

    def _share_out(self, shared: nn.Module, moments: dict[int, dict[str, Tensor]]) -> None:
        """Shard the network's weights and the optimiser's moments like the copy that is trained."""
        parts = shared.state_dict()
        shared.load_state_dict({name: shared_like(tensor, parts[name]) for name, tensor in self.network.state_dict().items()})
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for number, kept in moments.items():
            for moment, tensor in kept.items():
                if tensor.dim():  # the number of steps is a scalar, which is not sharded
                    kept[moment] = shared_like(tensor, parameters[number])

    def autocast(self) -> torch.autocast:
        """Return the autocast context of the forward pass."""
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def total(self, x: Tensor) -> Tensor:
        """Return the sum over all processes, on the CPU."""
        total: Tensor = self.accelerator.reduce(x.to(self.accelerator.device), "sum").cpu()
        return total

    def _gathered(self, x: Tensor) -> Tensor:
        """Return the tensors of all processes, one row each."""
        rows: Tensor = self.accelerator.gather(x.to(self.accelerator.device).unsqueeze(0))
        return rows

    def _random(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.accelerator.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.accelerator.device)
        return states
