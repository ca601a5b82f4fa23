"""Outputs of a made-up network: evidence that drifts to the right class, fast for easy inputs, slowly or not at all for hard ones."""

import torch

from dendrix.exits import ExitRecord


def pool(count: int, steps: int = 16, classes: int = 10, seed: int = 0) -> ExitRecord:
    """Gaussian noise at every step, and on the right class a pull that is drawn once for each input, N(0.7, 0.5)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    outputs = torch.randn(count, steps, classes, generator=generator)
    outputs[torch.arange(count), :, labels] += 0.7 + 0.5 * torch.randn(count, 1, generator=generator)
    return ExitRecord(outputs, labels)
