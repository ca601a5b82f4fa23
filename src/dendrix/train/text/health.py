"""Firing rates of a SpikeGPT, counted by forward hooks during validation."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ...models.gpt2 import GPT2
from ...models.lstm import LSTM
from ...models.spikegpt.attention import LocalAttention
from ...models.spikegpt.blocks import ChannelMix, TimeMix
from ...models.spikegpt.network import SpikeGPT
from ..health import shares

GATE = ".gate"
"""End of the names of gates of local attention."""


class SpikeWatch:
    """Forward hooks that count spikes in evaluation mode: the outputs of each half of a block, or the inputs of its matrix products.

    The gates of local attention are counted as well.

    Args:
        network: network to observe; in one without neurons nothing is counted.
    """

    def __init__(self, network: SpikeGPT | GPT2 | LSTM):
        self._spikes: dict[str, Tensor] = {}
        self._active: dict[str, Tensor] = {}
        self._steps: dict[str, int] = {}
        for name, module in network.named_modules():
            if isinstance(module, LocalAttention) and module.gate is not None:
                module.gate.register_forward_hook(self._hook(name + GATE, _sent(module.gate)))
            elif isinstance(module, TimeMix | ChannelMix) and module.spikes == "output":
                module.register_forward_hook(self._hook(name, _sent(module.neurons[0])))
            elif isinstance(module, TimeMix | ChannelMix) and module.spikes == "input":
                for part in (*(module.readers if module.separate else ("key",)), module.last):
                    product = module.get_submodule(part)
                    product.register_forward_hook(self._hook(f"{name}.{part}", _read(module.neurons_before(part))))

    def health(self, total: Callable[[Tensor], Tensor]) -> dict[str, dict[str, float]]:
        """Return rates and shares by layer, as `Watch.health`, and reset the counts."""
        found = {}
        for name, spikes in self._spikes.items():
            steps = total(spikes.new_tensor(self._steps[name]))
            found[name] = shares(total(spikes) / steps, total(self._active[name]) / steps)
        self._spikes, self._active, self._steps = {}, {}, {}
        return found

    def _hook(self, name: str, spikes: Callable[[Any, Any], Tensor]) -> Any:
        def look(module: nn.Module, given: tuple[Any, ...], y: Any) -> None:
            if not module.training:
                fired = spikes(given, y).detach().round()
                self._spikes[name] = self._spikes.get(name, 0) + fired.sum((0, 1)).double()
                self._active[name] = self._active.get(name, 0) + (fired > 0).sum((0, 1)).double()
                self._steps[name] = self._steps.get(name, 0) + fired[..., 0].numel()

        return look


def _sent(neurons: Any) -> Callable[[Any, Any], Tensor]:
    """Return a function of the arguments and the result of a mix: the number of spikes that it sends."""
    return lambda given, y: neurons.counts(y[0])


def _read(neurons: Any) -> Callable[[Any, Any], Tensor]:
    """Return a function of the arguments and the result of a product: the number of spikes that it reads."""
    return lambda given, y: neurons.counts(given[0])
