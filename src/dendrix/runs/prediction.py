"""What a trained network hears in a sound."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import expect_in
from ..data import Encoder, collate, encoder_from_dict
from ..data.speech.audio import Wave
from ..errors import InputError
from ..run_folder.checkpoint import Checkpoint


@dataclass(frozen=True)
class Prediction:
    """The decision about one sound."""

    label: str
    """The most likely class."""
    confidence: float
    """Its share among all classes, 0 to 1. It is what the network says, not how often it is right."""
    top: dict[str, float]
    """The shares of the most likely classes, best first."""


def encoder_of(checkpoint: Checkpoint) -> Encoder:
    """The encoder that the network was trained with.

    Raises:
        ValueError: the network was not trained on sound.
    """
    if checkpoint.encoder is None:
        raise InputError("Expected a network that was trained on sound, got one whose input is none. Train one: dendrix train fsdd-delays.")
    return encoder_from_dict(checkpoint.encoder)


@torch.no_grad()
def predict(checkpoint: Checkpoint, wave: Wave, rate: int, top: int = 3) -> Prediction:
    """Decide about one sound.

    Args:
        checkpoint: a network in evaluation mode, with its labels and encoder.
        wave: mono samples [N].
        rate: their rate, in Hz.
        top: how many classes to name.
    Raises:
        ValueError: the wave is empty or not finite, `top` is below 1, or the network was not trained on sound.
    """
    expect_in(top, "[1, inf)", "top")
    encoder = encoder_of(checkpoint)
    batch = collate([(encoder(wave, rate), torch.tensor(0))], checkpoint.decision.tail_steps(encoder.dt_ms))
    evidence = checkpoint.decision.evidence(checkpoint.model, batch.x, batch.valid)[0, -1]
    return named(checkpoint, evidence, top)


def named(checkpoint: Checkpoint, evidence: Tensor, top: int) -> Prediction:
    """Evidence [K] in words.

    Args:
        checkpoint: whose labels and decision count.
        evidence: of one input.
        top: how many classes to name, at least 1.
    """
    shares, classes = checkpoint.decision.confidence(evidence).topk(min(top, len(checkpoint.labels)))
    best = {checkpoint.labels[i]: round(share, 6) for share, i in zip(shares.tolist(), classes.tolist(), strict=True)}
    first = next(iter(best))
    return Prediction(first, best[first], best)
