"""Terms of the loss of a language model beside the cross-entropy of its text: a target for the rate of spikes, and a teacher.

Also the schedule of the surrogate.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core import ATan
from ...errors import InputError
from ...models.spikegpt.attention import LocalAttention
from ...models.spikegpt.neurons import SpikeNeurons
from .recipe import TextLoss


class LossTerms:
    """Computes the loss of a batch in training mode.

    Args:
        settings: which terms there are.
        network: network to train, whose neurons are observed by forward hooks if their rate has a target.
        tokenizer: tokenizer of the text, of the package tokenizers.
        device: device of the training.
    Raises:
        InputError: a target of the rate or a surrogate for a network without neurons, or a teacher with another tokenizer or that cannot
            be read.
        FileNotFoundError: the teacher does not exist.
    """

    def __init__(self, settings: TextLoss, network: nn.Module, tokenizer: Any, device: torch.device):
        self.settings = settings
        self._rates: list[Tensor] = []
        self._neurons = [module for module in network.modules() if isinstance(module, SpikeNeurons)]
        for name, value in (("rate", settings.rate), ("final_alpha", settings.final_alpha)):
            if value is not None and not self._neurons:
                raise InputError(f"loss.{name}: expected none for a network without spikes, got {value}. Leave it out.")
        if settings.rate is not None:
            gates = [module.gate for module in network.modules() if isinstance(module, LocalAttention)]
            for module in self._neurons:
                if module not in gates:
                    module.register_forward_hook(self._observe)
        self._teacher = None if settings.teacher is None else _opened(settings, tokenizer).to(device)

    def __call__(self, tokens: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the cross-entropy of the text, in nats per token.

        Args:
            tokens: windows that the network has just read but for the last token, int64 [B, T + 1].
            logits: its answers, [B, T, V].
        """
        found = logits.float().flatten(0, 1)
        own = loss = functional.cross_entropy(found, tokens[:, 1:].flatten())
        if self._teacher is not None:
            with torch.no_grad():
                taught = self._teacher(tokens[:, :-1])[0].float().softmax(-1).flatten(0, 1)
            share = self.settings.teacher_weight
            loss = (1 - share) * loss + share * functional.cross_entropy(found, taught)
        if self.settings.rate is not None:
            rate = torch.stack(self._rates).mean()
            self._rates.clear()
            loss = loss + self.settings.rate_weight * (rate / self.settings.rate - 1) ** 2
        return loss, own

    def sharpen(self, done: float) -> None:
        """Set the sharpness of the surrogates, which depends on nothing but `done`, so that a resumed run continues exactly.

        Args:
            done: share of the training that is done, from 0 to 1.
        """
        if self.settings.final_alpha is not None:
            for module in self._neurons:
                start = module.config.alpha
                module.spike = ATan(start * (self.settings.final_alpha / start) ** done)

    def _observe(self, module: SpikeNeurons, _: Any, result: tuple[Tensor, Any]) -> None:
        if module.training:
            self._rates.append(module.counts(result[0]).float().mean())


def _opened(settings: TextLoss, tokenizer: Any) -> nn.Module:
    from ...models.spikegpt.hf_files import load_network  # imported late because transformers is optional

    assert settings.teacher is not None
    network, its = load_network(settings.teacher)
    if network.config.vocab_size != (count := tokenizer.get_vocab_size()) or its.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"loss.teacher: expected a network with the same {count} tokens, got one with {network.config.vocab_size}, of which some "
            "differ. Choose one with this tokenizer."
        )
    return network.requires_grad_(False)
