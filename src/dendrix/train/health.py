"""Whether a training is sound: no NaN anywhere, and neurons and delays that take part in it."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..core import State, Stateful
from ..data import Dataset, Splits
from ..errors import DivergedError, InputError
from ..layers import RecurrentDelay
from ..layers.delay.base import delay_layers
from ..neurons import LI, Neuron

_ALWAYS = 0.95
"""A neuron that fires in this share of all steps, or more, tells nothing."""
_TOO_MANY = {"dead": 0.25, "saturated": 0.25, "delays at bounds": 0.5}
_SENTENCES = {
    "dead": "of the neurons in {} never fired in validation. Lower optim.lr, or raise the input.",
    "saturated": "of the neurons in {} fired at nearly every step of validation. Lower optim.lr, or the input.",
    "delays at bounds": "of the delays in {} are 0 or the longest. Raise model.max_delay_ms, or lower optim.delay_lr.",
}


def expect_finite_splits(splits: Splits[Dataset]) -> None:
    """Refuse NaN and infinity in the data before anything is spent on them."""
    for split in ("train", "valid"):
        for number, x in enumerate(getattr(splits, split).x):
            if x.is_floating_point() and not x.isfinite().all():
                step = int((~x.isfinite()).any(1).nonzero()[0])
                raise InputError(
                    f"{split}: expected finite inputs, got NaN or infinity in item {number}, step {step}. Clean the data first."
                )


class Watch:
    """Sees what the neurons of a network do, through forward hooks.

    It tells from the last state of each layer, always, whether any state became NaN or infinite: such a membrane stays so, while its
    spikes look like silence. In evaluation mode it also counts spikes, until `health` is asked.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self.broken: list[str] = []
        self._spikes: dict[str, Tensor] = {}
        self._steps: dict[str, Tensor] = {}
        for name, module in network.named_modules():
            if isinstance(module, Neuron | RecurrentDelay):
                module.register_forward_hook(self._hook(name), with_kwargs=True)

    def expect_finite(self, step: int, elsewhere: bool = False) -> None:
        """Refuse a state that is no finite number; `step` is for the message.

        Args:
            step: of the optimiser.
            elsewhere: whether another process has found one.
        Raises:
            DivergedError: there is one.
        """
        if self.broken or elsewhere:
            where = next(iter(self.broken), "another process")
            raise DivergedError(
                f"Training diverged at step {step}: NaN or infinity in the neurons of {where}. Lower --optim.lr or --optim.clip."
            )

    def health(self, total: Callable[[Tensor], Tensor]) -> dict[str, dict[str, float]]:
        """Shares, from 0 to 1, by layer: of dead and of saturated neurons since the last call, and of delays that sit at their bounds.

        Args:
            total: the sum of a tensor over all processes.
        """
        found = {name: shares(total(spikes) / total(self._steps[name])) for name, spikes in self._spikes.items()}
        self._spikes, self._steps = {}, {}
        names = {module: name for name, module in self.network.named_modules()}
        for layer in delay_layers(self.network):
            if layer.delay.requires_grad:
                stuck = (layer.delay == 0) | (layer.delay == layer.taps - 1)
                found.setdefault(names[layer], {})["delays at bounds"] = _mean(stuck)
        return found

    def _hook(self, name: str) -> Any:
        def look(module: Stateful, args: tuple[Any, ...], named: dict[str, Any], result: tuple[Tensor, State]) -> None:
            outputs, state = result
            if not _finite(state):
                self.broken.append(name)
            if not module.training and not isinstance(module, LI):
                x, _, valid = _inputs(*args, **named)
                self._spikes[name] = self._spikes.get(name, 0) + (outputs != 0).sum((0, 1))
                every = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
                self._steps[name] = self._steps.get(name, 0) + (every if valid is None else valid).sum()

        return look


def shares(rate: Tensor) -> dict[str, float]:
    """Of a layer, from the rate of each neuron: the mean, and the shares of neurons that never and that nearly always fire."""
    return {"rate": _mean(rate), "dead": _mean(rate == 0), "saturated": _mean(rate >= _ALWAYS)}


def warnings(health: dict[str, dict[str, float]]) -> dict[str, str]:
    """A sentence for each layer and each of its shares that is too large; the keys tell them apart."""
    return {
        f"{layer}: {kind}": f"{share:.0%} {_SENTENCES[kind].format(layer)}"
        for layer, shares in health.items()
        for kind, share in shares.items()
        if kind in _TOO_MANY and share > _TOO_MANY[kind]
    }


def refuse_divergence(step: int, measured: dict[str, float]) -> None:
    """Refuse measures that are no finite numbers; `step` is for the message.

    Raises:
        DivergedError: one of them is NaN or infinite.
    """
    if not all(map(math.isfinite, measured.values())):
        came = ", ".join(f"{name} {value}" for name, value in measured.items())
        raise DivergedError(f"Training diverged at step {step}: {came}. Lower --optim.lr or --optim.clip.")


def _finite(state: State) -> bool:
    return bool(state.isfinite().all()) if isinstance(state, Tensor) else all(map(_finite, state))


def _inputs(x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State, Tensor | None]:
    """The arguments of a layer's call, however they were passed."""
    return x, state, valid


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
