"""How good a network is, counted over sequences and not over batches."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..core import Stateful
from ..data import Batch
from ..models import Decision


@dataclass(frozen=True)
class Scores:
    """The result over a whole data set."""

    accuracy: float
    """Share of sequences that were decided right."""
    loss: float
    """Mean cross-entropy of the final evidence."""
    accuracy_over_time: list[float]
    """The accuracy if every sequence had been decided after step t, or at its own end where that came before."""
    confusion: list[list[int]]
    """How often class i (row) was taken for class j (column)."""


@torch.no_grad()
def score(model: Stateful, batches: Iterable[Batch], decision: Decision) -> Scores:
    """Run a network over batches in evaluation mode and count.

    Args:
        model: gives outputs [B, T, K].
        batches: each `Batch(x, valid, y)`, on the device of the model.
        decision: how outputs become a decision.
    """
    training = model.training
    model.eval()
    right: list[Tensor] = []
    guesses, truths, losses = [], [], []
    for x, valid, y in batches:
        evidence = decision.evidence(model, x, valid)
        guess = evidence.argmax(-1)
        right += (guess == y.unsqueeze(1)).double().cpu().unbind(0)
        guesses.append(guess[:, -1].cpu())
        truths.append(y.cpu())
        losses.append(functional.cross_entropy(evidence[:, -1].double(), y, reduction="none").cpu())
    model.train(training)
    guessed, truth = torch.cat(guesses), torch.cat(truths)
    classes = evidence.shape[-1]
    confusion = torch.bincount(truth * classes + guessed, minlength=classes**2).view(classes, classes)
    steps = max(len(row) for row in right)
    over_time = torch.stack([torch.cat([row, row[-1:].expand(steps - len(row))]) for row in right]).mean(0)
    return Scores(
        accuracy=(guessed == truth).double().mean().item(),
        loss=torch.cat(losses).mean().item(),
        accuracy_over_time=over_time.tolist(),
        confusion=confusion.tolist(),
    )
