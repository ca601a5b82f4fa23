"""How good a network is, counted over sequences and not over batches."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import Stateful
from ..data import Batch, ImageBatch
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
    steps = max(len(row) for row in right)
    over_time = torch.stack([torch.cat([row, row[-1:].expand(steps - len(row))]) for row in right]).mean(0)
    return Scores(
        accuracy=(guessed == truth).double().mean().item(),
        loss=torch.cat(losses).mean().item(),
        accuracy_over_time=over_time.tolist(),
        confusion=_confusion(guessed, truth, evidence.shape[-1]),
    )


@torch.no_grad()
def score_images(network: nn.Module, batches: Iterable[ImageBatch]) -> Scores:
    """Run an image network over batches in evaluation mode and count; it decides at once, in one step.

    Args:
        network: gives outputs [B, K].
        batches: on the device of the network.
    """
    training = network.training
    network.eval()
    guesses, truths, losses = [], [], []
    for x, y in batches:
        outputs = network(x.contiguous(memory_format=torch.channels_last))
        guesses.append(outputs.argmax(-1).cpu())
        truths.append(y.cpu())
        losses.append(functional.cross_entropy(outputs.double(), y, reduction="none").cpu())
    network.train(training)
    guessed, truth = torch.cat(guesses), torch.cat(truths)
    accuracy = (guessed == truth).double().mean().item()
    return Scores(accuracy, torch.cat(losses).mean().item(), [accuracy], _confusion(guessed, truth, outputs.shape[-1]))


def _confusion(guessed: Tensor, truth: Tensor, classes: int) -> list[list[int]]:
    counts: list[list[int]] = torch.bincount(truth * classes + guessed, minlength=classes**2).view(classes, classes).tolist()
    return counts
