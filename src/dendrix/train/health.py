"""Health of a training: finite data, states and losses; dead and saturated neurons; delays at their bounds."""

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
"""Share of the steps with a spike from which a neuron counts as saturated."""
_TOO_MANY = {"dead": 0.25, "saturated": 0.25, "delays at bounds": 0.5}
_SENTENCES = {
    "dead": "of the neurons in {} never fired in validation",
    "saturated": "of the neurons in {} fired at nearly every step of validation",
    "delays at bounds": "of the delays in {} are 0 or the longest",
}
REMEDIES = {
    "dead": "Lower optim.lr, or raise the input.",
    "saturated": "Lower optim.lr, or the input.",
    "delays at bounds": "Raise model.max_delay_ms, or lower optim.delay_lr.",
}
"""What to change about a share of a layer that is too large."""


def expect_finite_splits(splits: Splits[Dataset]) -> None:
    """Refuse NaN and infinity in the data before the training begins."""
    for split in ("train", "valid"):
        for number, x in enumerate(getattr(splits, split).x):
            if x.is_floating_point() and not x.isfinite().all():
                step = int((~x.isfinite()).any(1).nonzero()[0])
                raise InputError(
                    f"{split}: expected finite inputs, got NaN or infinity in item {number}, step {step}. Clean the data first."
                )


class Watch:
    """Forward hooks that check the states of all neurons and count their spikes.

    The last state of each layer is checked in every call: a membrane that is NaN or infinite stays so, while its output looks like
    silence. In evaluation mode spikes are counted too, until `health` returns and resets the counts.
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
        """Raise an error if a state was not finite since the start.

        Args:
            step: step of the optimiser, for the error message.
            elsewhere: whether another process has found a state that is not finite.
        Raises:
            DivergedError: a state is NaN or infinite.
        """
        if self.broken or elsewhere:
            where = next(iter(self.broken), "another process")
            raise DivergedError(
                f"Training diverged at step {step}: NaN or infinity in the neurons of {where}. Lower --optim.lr or --optim.clip."
            )

    def health(self, total: Callable[[Tensor], Tensor]) -> dict[str, dict[str, float]]:
        """Return by layer the shares, from 0 to 1, of dead and saturated neurons since the last call, and of delays at their bounds.

        Args:
            total: sums a tensor over all processes.
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


def shares(rate: Tensor, active: Tensor | None = None) -> dict[str, float]:
    """Return the mean rate of a layer, and the shares of neurons that never fire and that nearly always fire.

    Args:
        rate: spikes of each neuron per step.
        active: share of the steps in which it fired; None where a neuron has at most one spike for a step, so that both are the same.
    """
    active = rate if active is None else active
    return {"rate": _mean(rate), "dead": _mean(active == 0), "saturated": _mean(active >= _ALWAYS)}


def warnings(health: dict[str, dict[str, float]], remedy: Callable[[str, str], str] | None = None) -> dict[str, str]:
    """Return a warning for each share of a layer that is too large, under a key made of the layer and the kind.

    Args:
        health: shares by layer and kind.
        remedy: returns what to change, for a layer and a kind; None takes `REMEDIES`.
    """
    return {
        f"{layer}: {kind}": f"{share:.0%} {_SENTENCES[kind].format(layer)}. {REMEDIES[kind] if remedy is None else remedy(layer, kind)}"
        for layer, shares in health.items()
        for kind, share in shares.items()
        if kind in _TOO_MANY and share > _TOO_MANY[kind]
    }


def refuse_divergence(step: int, measured: dict[str, float]) -> None:
    """Raise an error if a measured value is not finite; `step` is for its message.

    Raises:
        DivergedError: a value is NaN or infinite.
    """
    if not all(map(math.isfinite, measured.values())):
        came = ", ".join(f"{name} {value}" for name, value in measured.items())
        raise DivergedError(f"Training diverged at step {step}: {came}. Lower --optim.lr or --optim.clip.")


def _finite(state: State) -> bool:
    return bool(state.isfinite().all()) if isinstance(state, Tensor) else all(map(_finite, state))


def _inputs(x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State, Tensor | None]:
    """Return the arguments of a layer's call, whether passed by position or by name."""
    return x, state, valid


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
