"""What a language model writes in the middle of its training: numbers say how good it is, a sample says at what."""

from typing import Any

import torch

from ...generate.sampling import Sampling, sample

_SAMPLING = Sampling(temperature=0.8)


@torch.no_grad()
def written(network: Any, prompt: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Tokens that a model adds to a prompt, int64 [count], drawn at a temperature of 0.8.

    Random numbers are its own, so that a training does not notice.

    Args:
        network: has `step`, as `SpikeGPT` does; in evaluation mode.
        prompt: at least one token, int64 [N], on the network's device.
        count: how many to add.
        seed: of the draw.
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
