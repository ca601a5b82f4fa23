"""What tests ask of states."""

from typing import Any

from torch import Tensor

from dendrix.core import map_state


def tensors(state: Any) -> list[Tensor]:
    """All tensors of a state, in order."""
    found: list[Tensor] = []

    def note(part: Tensor) -> Tensor:
        found.append(part)
        return part

    map_state(note, state)
    return found
