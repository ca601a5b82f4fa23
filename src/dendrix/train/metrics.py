"""Accuracy, loss and confusion of a network over all inputs of a data set."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models import Decision


@dataclass(frozen=True)
class Scores:
    """Scores over a whole data set."""

    accuracy: float
    """Share of inputs with a correct decision."""
    loss: float
    """Mean cross-entropy of the final evidence."""
    accuracy_over_time: list[float]
    """Accuracy of a decision after step t, or at the end of a sequence that is shorter."""
    confusion: list[list[int]]
    """Number of inputs of class i (row) that were decided as class j (column)."""


@torch.no_grad()
def score(model: nn.Module, batches: Iterable[Any], decision: Decision = Decision()) -> Scores:
    """Evaluate a network on batches, in evaluation mode.

    Args:
        model: network with outputs [B, T, K] or [B, K].
        batches: each (x, valid, y), such as `dendrix.data.Batch`, on the device of the model; `valid` may be None.
        decision: how outputs become a decision.
    """
    training = model.training
    model.eval()
    right: list[Tensor] = []
    guesses, truths, losses = [], [], []
    for x, valid, y in batches:
        images = x.dim() == 4 and valid is None
        evidence = decision.evidence(model, x.contiguous(memory_format=torch.channels_last) if images else x, valid)
        guess = evidence.argmax(-1)
        right += (guess == y.unsqueeze(1)).double().cpu().unbind(0)
        guesses.append(guess[:, -1].cpu())
        truths.append(y.cpu())
        losses.append(functional.cross_entropy(evidence[:, -1].double(), y, reduction="none").cpu())
    model.train(training)
    guessed, truth = torch.cat(guesses), torch.cat(truths)
    steps = max(len(row) for row in right)
    over_time = torch.stack([torch.cat([row, row[-1:].expand(steps - len(row))]) for row in right]).mean(0)
    return Scores(
        accuracy=(guessed == truth).double().mean().item(),
        loss=torch.cat(losses).mean().item(),
        accuracy_over_time=over_time.tolist(),
        confusion=_confusion(guessed, truth, evidence.shape[-1]),
    )


def _confusion(guessed: Tensor, truth: Tensor, classes: int) -> list[list[int]]:
    counts: list[list[int]] = torch.bincount(truth * classes + guessed, minlength=classes**2).view(classes, classes).tolist()
    return counts
