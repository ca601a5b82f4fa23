"""Samples of text during training."""

from typing import Any

import torch

from ...generate.sampling import Sampling, sample

_SAMPLING = Sampling(temperature=0.8)


@torch.no_grad()
def sampled_tokens(network: Any, prompt: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Return tokens that continue a prompt, int64 [count], drawn at a temperature of 0.8.

    They are drawn from a generator of their own, so that sampling does not change the training.

    Args:
        network: language model with the method `step`, such as `SpikeGPT`, in evaluation mode.
        prompt: at least one token, int64 [N], on the device of the network.
        count: number of tokens to draw.
        seed: seed of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    state, found = None, []
    for token in prompt[:-1]:
        _, state = network.step(token.reshape(1), state)
    token = prompt[-1:]
    for _ in range(count):
        logits, state = network.step(token, state)
        token = sample(logits.float().cpu(), _SAMPLING, generator).to(prompt.device)
        found.append(token)
    return torch.cat(found).cpu()
