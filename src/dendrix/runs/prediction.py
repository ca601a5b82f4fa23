"""Classification of sound by a trained network."""

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
    """Decision about one input."""

    label: str
    """Most likely class."""
    confidence: float
    """Confidence of the network in this class, 0 to 1. It is not the probability that the decision is correct."""
    top: dict[str, float]
    """Confidence in the most likely classes, best first."""


def encoder_of(checkpoint: Checkpoint) -> Encoder:
    """Return the encoder that the network was trained with.

    Raises:
        InputError: the network was not trained on sound.
    """
    if checkpoint.encoder is None:
        raise InputError("Expected a network that was trained on sound, got one without an encoder. Train one: dendrix train fsdd-delays.")
    return encoder_from_dict(checkpoint.encoder)


@torch.no_grad()
def predict(checkpoint: Checkpoint, wave: Wave, rate: int, top: int = 3) -> Prediction:
    """Classify one sound.

    Args:
        checkpoint: network in evaluation mode, with its labels and encoder.
        wave: mono samples [N].
        rate: sampling rate, in Hz.
        top: number of classes to name.
    Raises:
        InputError: the wave is empty or not finite, `top` is below 1, or the network was not trained on sound.
    """
    expect_in(top, "[1, inf)", "top")
    encoder = encoder_of(checkpoint)
    batch = collate([(encoder(wave, rate), torch.tensor(0))], checkpoint.decision.tail_steps(encoder.dt_ms))
    evidence = checkpoint.decision.evidence(checkpoint.model, batch.x, batch.valid)[0, -1]
    return named(checkpoint, evidence, top)


def named(checkpoint: Checkpoint, evidence: Tensor, top: int) -> Prediction:
    """Turn evidence [K] into the names and confidences of classes.

    Args:
        checkpoint: the network, with its labels and decision.
        evidence: evidence of one input, [K].
        top: number of classes, at least 1.
    """
    shares, classes = checkpoint.decision.confidence(evidence).topk(min(top, len(checkpoint.labels)))
    best = {checkpoint.labels[i]: round(share, 6) for share, i in zip(shares.tolist(), classes.tolist(), strict=True)}
    first = next(iter(best))
    return Prediction(first, best[first], best)
