"""Classification of images by a trained network, at full length or with an exit rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from ..core import expect, expect_in
from ..exits import ExitRule, serve
from ..models import VGG, ResNet, StillImageNetwork
from ..models.converted import network_input
from ..run_folder.checkpoint import Checkpoint
from .prediction import Prediction, named

EVIDENCE: Final = "sum"
"""Accumulation of evidence for exit rules on converted networks. In a sum, a lead grows with its duration."""


@dataclass(frozen=True)
class Seen:
    """Decision of a converted network about an image at its exit."""

    label: str
    """Most likely class."""
    confidence: float
    """Confidence in this class, 0 to 1, as in `predict_images`."""
    steps: int
    """Number of steps until the exit."""
    stopped: bool
    """Whether the rule has stopped the network; False if it ran all steps without an exit."""


def knows_images(checkpoint: Checkpoint) -> bool:
    """Return whether the network takes images, [B, C, H, W]."""
    return (checkpoint.shape is not None and len(checkpoint.shape) == 3) or isinstance(checkpoint.model, VGG | ResNet | StillImageNetwork)


@torch.no_grad()
def predict_images(checkpoint: Checkpoint, x: Tensor, top: int = 3) -> list[Prediction]:
    """Classify images; a converted network runs all its steps.

    Args:
        checkpoint: image network in evaluation mode, converted or not, with its labels.
        x: images [N, C, H, W], 0 to 1.
        top: number of classes to name.
    Raises:
        InputError: the images do not fit the network, or `top` is below 1.
    """
    expect_in(top, "[1, inf)", "top")
    model = checkpoint.model
    expect(x, "N C H W")
    evidence = checkpoint.decision.evidence(model, network_input(model, x))
    return [named(checkpoint, row, top) for row in evidence[:, -1]]


def look(checkpoint: Checkpoint, x: Tensor, rule: ExitRule) -> Iterator[Seen]:
    """Classify images with a converted network, each until the rule stops it.

    Args:
        checkpoint: converted network in evaluation mode, with its labels.
        x: images [N, C, H, W], 0 to 1.
        rule: exit rule.
    """
    model = checkpoint.model
    for answer in serve(model, model.encode(x).unbind(0), rule, accumulation=EVIDENCE, block=1):
        confidence = checkpoint.decision.confidence(answer.evidence / answer.steps)[answer.answer].item()
        yield Seen(checkpoint.labels[answer.answer], round(confidence, 6), answer.steps, answer.stopped)
