"""What a trained network sees in images, at once or until an exit rule is sure."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import expect, expect_in
from ..exits import ExitRule, serve
from ..models import VGG, Converted, ResNet
from ..models.converted import network_input
from ..run_folder.checkpoint import Checkpoint
from .prediction import Prediction, named

EVIDENCE = "sum"
"""What exit rules look at in converted networks: a lead that has lasted counts for more than one that has just appeared."""


@dataclass(frozen=True)
class Seen:
    """What a converted network takes an image for when it is stopped."""

    label: str
    """The most likely class."""
    confidence: float
    """Its share among all classes, 0 to 1, as `predict_images` gives it."""
    steps: int
    """After how many steps."""
    stopped: bool
    """Whether the rule is sure; otherwise the image was shown to the end."""


def knows_images(checkpoint: Checkpoint) -> bool:
    """Whether the input of the network is images, [B, C, H, W]."""
    return (checkpoint.shape is not None and len(checkpoint.shape) == 3) or isinstance(checkpoint.model, VGG | ResNet | Converted)


@torch.no_grad()
def predict_images(checkpoint: Checkpoint, x: Tensor, top: int = 3) -> list[Prediction]:
    """Decide about images; a converted network runs all its steps.

    Args:
        checkpoint: an image network in evaluation mode, converted or not, with its labels.
        x: images [N, C, H, W], 0 to 1.
        top: how many classes to name.
    Raises:
        ValueError: the images do not fit the network, or `top` is below 1.
    """
    expect_in(top, "[1, inf)", "top")
    model = checkpoint.model
    expect(x, "N C H W")
    evidence = checkpoint.decision.evidence(model, network_input(model, x))
    return [named(checkpoint, row, top) for row in evidence[:, -1]]


def look(checkpoint: Checkpoint, x: Tensor, rule: ExitRule) -> Iterator[Seen]:
    """Show images to a converted network, each until the rule is sure of it.

    Args:
        checkpoint: a converted network in evaluation mode, with its labels.
        x: images [N, C, H, W], 0 to 1.
        rule: when to stop.
    """
    model = checkpoint.model
    for answer in serve(model, model.encode(x).unbind(0), rule, accumulation=EVIDENCE, block=1):
        confidence = checkpoint.decision.confidence(answer.evidence / answer.steps)[answer.answer].item()
        yield Seen(checkpoint.labels[answer.answer], round(confidence, 6), answer.steps, answer.stopped)
