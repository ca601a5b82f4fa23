"""All encoders by name, so that a saved model can bring its own back."""

from typing import Any

from ..core import expect_one_of
from .cochlea import Cochlea, PublishedCochlea
from .encoder import Encoder, fields_from_dict
from .mel import LogMel

ENCODERS: dict[str, type[Encoder]] = {kind.__name__: kind for kind in (Cochlea, LogMel, PublishedCochlea)}


def encoder_from_dict(saved: dict[str, Any]) -> Encoder:
    """The encoder that `encoder_to_dict` described.

    Raises:
        ValueError: no such encoder, or it has no such field.
    """
    fields = dict(saved)
    name = expect_one_of(str(fields.pop("encoder", "")), ENCODERS, "encoder")
    return fields_from_dict(ENCODERS[name], fields)
