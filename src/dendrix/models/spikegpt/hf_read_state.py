"""The state that `generate` of SpikeGPT in transformers returns and takes as `past_key_values`."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers.utils import ModelOutput

from ...core import State
from ...errors import InputError


@dataclass
class ReadState:
    """A state with the number of tokens that it has read, which `generate` returns and takes as `past_key_values`."""

    state: State
    seen: int

    def get_seq_length(self) -> int:
        """Number of tokens read, padding included."""
        return self.seen


def state_of(past: Any, state: State) -> State:
    """Return the state of `past_key_values`.

    Args:
        past: what `generate` returned.
        state: the plain state that was passed; must be None.
    Raises:
        InputError: it is something else, or there are two states.
    """
    if not isinstance(past, ReadState):
        raise InputError(f"past_key_values: expected what generate returned, got {type(past).__name__}. Pass a plain state as state.")
    if state is not None:
        raise InputError("state: expected none beside past_key_values, got both. Pass one of them.")
    return past.state


def split(whole: Tensor | None, past: ReadState) -> tuple[Tensor, Tensor]:
    """Return the tokens that a state has read, and those that it has not, [B, T].

    Args:
        whole: the whole text so far, int64 [B, T].
        past: the state.
    Raises:
        InputError: the state has read all of them.
    """
    if whole is None or whole.shape[1] <= past.seen:
        found = "none" if whole is None else str(whole.shape[1])
        raise InputError(
            f"inputs: expected more than the {past.seen} tokens that past_key_values has read, got {found}. Pass the whole text."
        )
    return whole[:, : past.seen], whole[:, past.seen :]


def with_read_state(result: Any) -> Any:
    """Turn the state in a result of `generate` into what can be passed as `past_key_values`; the states of beams are not in its order.

    Args:
        result: tokens, or an output of transformers, which is changed.
    """
    if isinstance(result, ModelOutput) and result.past_key_values is not None:
        seen = result.sequences.shape[1] - 1
        result.past_key_values = None if hasattr(result, "beam_indices") else ReadState(result.past_key_values, seen)
    return result
