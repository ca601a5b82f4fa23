"""Encoders by class name, from which a saved model restores its encoder."""

import dataclasses
from typing import Any

from ..core import expect_one_of
from ..errors import InputError
from .cochlea.model import Cochlea, PublishedCochlea
from .encoder import Encoder
from .speech.even_mel import EvenMel
from .speech.integer_mel import IntegerMel
from .speech.mel import LogMel
from .speech.mel_spikes import MelLatency, MelLevels, MelLIF, MelRate
from .speech.published_mel import PublishedMel

_KINDS = (Cochlea, EvenMel, IntegerMel, LogMel, MelLatency, MelLevels, MelLIF, MelRate, PublishedCochlea, PublishedMel)

ENCODERS: dict[str, type[Encoder]] = {kind.__name__: kind for kind in _KINDS}
"""Encoder classes by name."""


def encoder_from_dict(saved: dict[str, Any]) -> Encoder:
    """Return the encoder that `encoder_to_dict` described.

    Args:
        saved: class name under "encoder", and the fields.
    Raises:
        InputError: the class or a field is unknown, or the value of a field is out of range.
    """
    values = dict(saved)
    name = expect_one_of(str(values.pop("encoder", "")), ENCODERS, "encoder")
    known = [field.name for field in dataclasses.fields(ENCODERS[name])]
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"{name}: expected fields among {', '.join(known)}, got {', '.join(unknown)}. Was it saved by a newer version?")
    return ENCODERS[name](**values)
