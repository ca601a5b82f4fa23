"""Encoders by class name, from which a saved model restores its encoder."""

import dataclasses
from typing import Any

from ..core import expect_one_of
from ..errors import InputError
from .cochlea.integer_model import IntegerCochlea
from .cochlea.model import Cochlea, PublishedCochlea
from .encoder import Encoder
from .speech.even_mel import EvenMel
from .speech.integer_base import IntegerEncoder
from .speech.integer_mel import IntegerMel
from .speech.mel import LogMel
from .speech.mel_spikes import MelLatency, MelLevels, MelLIF, MelRate
from .speech.published_mel import PublishedMel

_KINDS = (Cochlea, EvenMel, IntegerCochlea, IntegerMel, LogMel, MelLatency, MelLevels, MelLIF, MelRate, PublishedCochlea, PublishedMel)

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


def integer_encoder(encoder: Encoder, shift: int) -> IntegerEncoder:
    """The integer form of an encoder.

    Args:
        encoder: `LogMel`, `EvenMel` or `Cochlea`.
        shift: fractional bits of the frames, as the input of the integer network has.
    Raises:
        InputError: another encoder, which is named; or a field has no integer form.
    """
    if type(encoder) is Cochlea:
        return IntegerCochlea(**dataclasses.asdict(encoder))
    if type(encoder) not in (LogMel, EvenMel):
        raise InputError(
            f"encoder: expected LogMel, EvenMel or Cochlea, got {type(encoder).__name__}, which has no integer form. Push frames instead."
        )
    names = ("rate", "dt_ms", "n_mels", "window_ms", "f_min", "f_max", "floor", "mean", "std")
    given: dict[str, Any] = {name: getattr(encoder, name) for name in names}
    if isinstance(encoder, EvenMel):
        gain: dict[str, Any] = dict(release_ms=encoder.release_ms, peak_floor=encoder.peak_floor, centred=encoder.centred)
        return IntegerMel(**given, **gain, shift=shift)
    return IntegerMel(**given, release_ms=None, shift=shift)
