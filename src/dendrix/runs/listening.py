"""Classification of streamed sound with an exit rule."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data import CausalEncoder
from ..data.speech.audio import Wave
from ..deploy import streaming
from ..errors import InputError
from ..exits import ExitRule, PredictionSet, follow
from ..run_folder.checkpoint import Checkpoint
from .prediction import encoder_of


@dataclass(frozen=True)
class Heard:
    """Decision of a network about the part of a sound so far."""

    label: str
    """Most likely class."""
    confidence: float
    """Confidence in this class, 0 to 1, as in `predict`."""
    heard_ms: float
    """Duration of the processed sound, in ms, including silence after its end."""
    stopped: bool
    """Whether the rule has stopped the network; False before that, and at the end of a sound without an exit."""
    members: tuple[str, ...] = ()
    """Classes of the prediction set; empty for a rule without sets."""


def listen(checkpoint: Checkpoint, chunks: Iterable[Wave], rule: ExitRule, *, to_end: bool = False) -> Iterator[Heard]:
    """Yield a decision after every step of a sound, until the rule stops. No further chunk is read after that, unless `to_end` is set.

    Args:
        checkpoint: network in evaluation mode, with its labels and encoder.
        chunks: the sound in chunks [N_i] of any length, at the rate of the encoder.
        rule: exit rule.
        to_end: go on to the end of the sound, as in `dendrix.exits.follow`.
    Raises:
        InputError: the network was not trained on sound, its encoder is not causal, or the sound is empty or not finite.
    """
    encoder = encoder_of(checkpoint)
    if not isinstance(encoder, CausalEncoder):
        raise InputError(
            f"Expected a network with a causal encoder, got {type(encoder).__name__}, which needs the whole sound. Choose another run."
        )
    tail = checkpoint.decision.tail_steps(encoder.dt_ms)
    frames, accumulation = _frames(encoder, chunks, tail), checkpoint.decision.accumulation
    for answer in follow(streaming(checkpoint.model), frames, rule, accumulation, to_end=to_end):
        confidence = checkpoint.decision.confidence(answer.evidence)[answer.answer].item()
        members = rule.members(answer.evidence.unsqueeze(0))[0] if isinstance(rule, PredictionSet) else torch.zeros(0)
        names = tuple(checkpoint.labels[i] for i in members.nonzero().flatten().tolist())
        yield Heard(checkpoint.labels[answer.answer], round(confidence, 6), answer.steps * encoder.dt_ms, answer.stopped, names)


def _frames(encoder: CausalEncoder, chunks: Iterable[Wave], tail: int) -> Iterator[Tensor]:
    """Yield the frames [T_i, C] of a sound as they become complete, the last one padded with silence, then the tail."""
    state = None
    for chunk in filter(len, chunks):
        frames, state = encoder.stream(chunk, state)
        if len(frames):
            yield frames
    if state is None:
        raise InputError("Expected sound, got an empty stream. Check its source.")
    if len(state.rest):
        yield encoder.stream(np.zeros(encoder.hop - len(state.rest), np.float32), state)[0]
    if tail:
        yield torch.zeros(tail, encoder.channels)
