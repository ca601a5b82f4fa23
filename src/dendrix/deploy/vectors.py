"""Test vectors: inputs, accumulated outputs after every step, and answers, the same for every target."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..data.speech.integer_base import Ints
from ..errors import InputError
from .answering import Answer
from .deployed import Deployed
from .image_deployed import DeployedImage
from .samples import expect_samples


class Vector(NamedTuple):
    """One clip or image and what the reference makes of it."""

    values: Ints
    """16-bit samples, values of frames one after another, or bytes of an image, [N]."""
    totals: Ints
    """Accumulated outputs after every step, the tail included and no early exit, [T, K]."""
    answer: Answer


def vectors(deployed: Deployed | DeployedImage, clips: Sequence[Ints]) -> list[Vector]:
    """Run the reference on clips.

    Raises:
        InputError: there are no clips, or one is empty or not of 16 bits.
    """
    if not len(clips):
        raise InputError("clips: expected at least one input for the test vectors, got none. Pass some of the validation data.")
    clips = [expect_samples(clip, f"clips, item {number}") for number, clip in enumerate(clips)]
    if empty := [number for number, clip in enumerate(clips) if not len(clip)]:
        raise InputError(f"clips, item {empty[0]}: expected at least one number, got none. Leave it out.")
    totals = [deployed.totals(clip) for clip in clips]
    return [Vector(clip, total, deployed.answer(total)) for clip, total in zip(clips, totals, strict=True)]


def vectors_json(found: Sequence[Vector]) -> str:
    """Test vectors as JSON."""
    clips: list[dict[str, Any]] = [
        {"values": one.values.tolist(), "totals": one.totals.tolist(), "answer": one.answer._asdict()} for one in found
    ]
    return json.dumps({"clips": clips})
