"""A sound that is followed while it comes, until an exit rule is sure of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data import CausalEncoder
from ..data.speech.audio import Wave
from ..deploy import streaming
from ..errors import InputError
from ..exits import ExitRule, follow
from ..run_folder.checkpoint import Checkpoint
from .prediction import encoder_of


@dataclass(frozen=True)
class Heard:
    """What a network takes a sound for after the part of it that it has heard."""

    label: str
    """The most likely class."""
    confidence: float
    """Its share among all classes, 0 to 1, as `predict` gives it."""
    heard_ms: float
    """How much the network has heard, in ms; the silence that it hears after the end counts."""
    stopped: bool
    """Whether the rule is sure; otherwise the sound has not been heard to its end, or has ended without that."""


def listen(checkpoint: Checkpoint, chunks: Iterable[Wave], rule: ExitRule) -> Iterator[Heard]:
    """Follow one sound: an answer after every step, the last one where the rule stops. After that no further chunk is asked for.

    Args:
        checkpoint: a network in evaluation mode, with its labels and encoder.
        chunks: the sound in pieces [N_i] of any length, at the rate of the encoder.
        rule: when to stop.
    Raises:
        ValueError: the network was not trained on sound, its encoder looks ahead, or the sound is empty or not finite.
    """
    encoder = encoder_of(checkpoint)
    if not isinstance(encoder, CausalEncoder):
        raise InputError(f"Expected a network with a causal encoder, got {type(encoder).__name__}, which looks at the whole sound first.")
    tail = checkpoint.decision.tail_steps(encoder.dt_ms)
    for answer in follow(streaming(checkpoint.model), _frames(encoder, chunks, tail), rule, checkpoint.decision.accumulation):
        confidence = checkpoint.decision.confidence(answer.evidence)[answer.answer].item()
        yield Heard(checkpoint.labels[answer.answer], round(confidence, 6), answer.steps * encoder.dt_ms, answer.stopped)


def _frames(encoder: CausalEncoder, chunks: Iterable[Wave], tail: int) -> Iterator[Tensor]:
    """The frames [T_i, C] of a sound as they are complete, the last one filled up with silence, then the tail."""
    state = None
    for chunk in filter(len, chunks):
        frames, state = encoder.stream(chunk, state)
        if len(frames):
            yield frames
    if state is None:
        raise InputError("Expected sound to listen to, got none. Check where it comes from.")
    if len(state.rest):
        yield encoder.stream(np.zeros(encoder.hop - len(state.rest), np.float32), state)[0]
    if tail:
        yield torch.zeros(tail, encoder.channels)
