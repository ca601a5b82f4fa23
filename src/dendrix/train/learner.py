"""A learner: one epoch of training, one of validation, and everything that must be kept between them."""

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
from .health import refuse_divergence


class Learner(ABC):
    """A network, its optimiser and its data on this process's device. Random numbers come from torch's generators alone.

    With several processes each has its share of every batch and of the validation data; gradients and metrics are those of the whole.

    Args:
        network: what learns.
        optimizer: what moves its parameters.
        precision: of matrix products.
        accelerator: accelerate's, which knows the device and the other processes.
        shared: a copy of the network that is shared out over the processes and trains in its place; None: there is none.
    """

    chooses: Chooses = "accuracy"

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, precision: str, accelerator: Any, shared: nn.Module | None = None
    ):
        self.network, self.optimizer, self.precision, self.accelerator = network, optimizer, precision, accelerator
        self.model = accelerator.prepare(network) if shared is None else shared
        self.shared = shared
        self.advance: Callable[[int], object] = int
        """Moves the progress bar within an epoch; before there is one, it moves nothing."""
        self.before_step: Callable[[], object] = int
        """Called before every step of the optimiser; it may end the training by an error."""

    @abstractmethod
    def train(self, progress: Progress) -> dict[str, Any]:
        """One pass over the training data; returns its metrics.

        Raises:
            DivergedError: the loss, its gradient or a neuron's state became infinite or not a number.
        """

    @abstractmethod
    def validate(self, step: int) -> dict[str, Any]:
        """Accuracy and loss on the validation data, as the network is deployed, and the health of its layers.

        Raises:
            DivergedError: the loss or a neuron's state is infinite or not a number.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the network with what it takes to use it."""

    def span(self, budget: Any, progress: Progress) -> tuple[int, int, str]:
        """How long the training is, how much of it is done, and in what unit: what the progress bar counts."""
        return budget.epochs, progress.epoch, "epoch"

    def told(self, line: dict[str, Any]) -> list[str]:
        """What else is worth a line on the screen after an epoch."""
        return []

    def shown(self, line: dict[str, Any], progress: Progress) -> dict[str, str]:
        """What the progress bar says after an epoch."""
        shown = {"loss": f"{line['loss']:.3f}"}
        for name, accuracy in (("valid", line.get("valid_accuracy")), ("best", progress.best_accuracy)):
            if accuracy is not None:
                shown[name] = f"{accuracy:.1%}"
        return shown

    def descend(self, loss: Tensor, step: int, *, whole: float, share: float, clip: float | None = None) -> float:
        """One step of the optimiser; returns the gradient's norm.

        Args:
            loss: of this process's part of the batch.
            step: for the message.
            whole: the loss of the whole batch.
            share: how much of the batch this process has, in (0, 1].
            clip: scale a gradient of a larger norm down to this.
        Raises:
            DivergedError: the loss or its gradient is infinite or not a number.
        """
        self.optimizer.zero_grad()
        self.backward(loss, share)
        return self.move(step, whole, clip)

    def backward(self, loss: Tensor, share: float) -> None:
        """Add the gradient of a part of the batch; see `descend`."""
        # Gradients are averaged over the processes: each counts by its share of the batch.
        self.accelerator.backward(loss * (share * self.accelerator.num_processes))

    def move(self, step: int, whole: float, clip: float | None) -> float:
        """Move the parameters by the gradient, and return its norm; see `descend`."""
        self.before_step()
        norm = float(joined(self.accelerator.clip_grad_norm_(self.model.parameters(), math.inf if clip is None else clip)))
        refuse_divergence(step, {"loss": whole, "gradient norm": norm})
        self.optimizer.step()
        return norm

    def summary(self, sums: Tensor, gradient_norm: float) -> dict[str, Any]:
        """The metrics of an epoch: from [items, sum of their losses, how many were right], and the mean norm of the gradients."""
        items, loss, right = sums.tolist()
        rates = {group["name"]: group["lr"] for group in self.optimizer.param_groups}
        return {"loss": loss / items, "train_accuracy": right / items, "gradient_norm": gradient_norm, "rates": rates}

    def gather(self) -> None:
        """Bring the network up to the copy that trains, if there is one; all processes do it together."""
        if self.shared is not None:
            self.network.load_state_dict({name: joined(tensor) for name, tensor in self.shared.state_dict().items()})

    def tensors(self) -> dict[str, Tensor]:
        """All that the next epoch depends on, beside the progress; the network is that of the last `gather`."""
        kept = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            kept |= {f"optimizer.{number}.{name}": joined(tensor) for name, tensor in moments.items()}
        kept |= {f"random.{kind}": self._gathered(state) for kind, state in self._random().items()}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `tensors` returned.

        Raises:
            ValueError: it comes from another number of processes.
        """
        accelerator = self.accelerator
        if (count := len(tensors["random.cpu"])) != accelerator.num_processes:
            raise InputError(f"processes: expected {count}, as the run had them, got {accelerator.num_processes}. Start as many.")
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
        """Give the copy that trains its share of the network, and every moment that of its parameter."""
        parts = shared.state_dict()
        shared.load_state_dict({name: shared_like(tensor, parts[name]) for name, tensor in self.network.state_dict().items()})
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for number, kept in moments.items():
            for moment, tensor in kept.items():
                if tensor.dim():  # the count of steps is a number, and whole
                    kept[moment] = shared_like(tensor, parameters[number])

    def autocast(self) -> torch.autocast:
        """The precision of the forward pass, as a context."""
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def total(self, x: Tensor) -> Tensor:
        """The sum over all processes, on the CPU."""
        total: Tensor = self.accelerator.reduce(x.to(self.accelerator.device), "sum").cpu()
        return total

    def _gathered(self, x: Tensor) -> Tensor:
        """What each process has, one row each."""
        rows: Tensor = self.accelerator.gather(x.to(self.accelerator.device).unsqueeze(0))
        return rows

    def _random(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.accelerator.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.accelerator.device)
        return states
