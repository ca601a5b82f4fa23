"""Operations on temporal state: NamedTuples of tensors with first axis B, nested in tuples and dicts for networks."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

State = Any
"""A tensor, a NamedTuple, tuple or dict of states, or `()` for no state."""


def map_state(fn: Callable[..., Tensor], state: State, *others: State) -> State:
    """Apply `fn` to every tensor of a state, or to corresponding tensors of several states."""
    if isinstance(state, Tensor):
        return fn(state, *others)
    if isinstance(state, Mapping):
        return {key: map_state(fn, part, *(o[key] for o in others)) for key, part in state.items()}
    parts = [map_state(fn, part, *rest) for part, *rest in zip(state, *others, strict=True)]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def leaves(state: State) -> list[Tensor]:
    """Return all tensors of a state, in order."""
    found: list[Tensor] = []

    def note(part: Tensor) -> Tensor:
        found.append(part)
        return part

    map_state(note, state)
    return found


def detach(state: State) -> State:
    """Detach a state from the autograd graph, for truncated back-propagation."""
    return map_state(torch.Tensor.detach, state)


def rows(state: State, index: Tensor) -> State:
    """Select rows `index` (int64 [N] or bool [B]) of a state, for example to drop finished inputs or reorder beams."""
    return map_state(lambda s: s[index], state)


def cat(states: "list[State]") -> State:
    """Concatenate states along the batch axis, for example to batch several streams."""
    first, *rest = states
    return map_state(lambda *parts: torch.cat(parts), first, *rest)


def select(mask: Tensor, new: State, old: State) -> State:
    """Select the rows of `new` where `mask`, bool [B], is True, and those of `old` elsewhere."""

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *[1] * (a.dim() - 1)), a, b)

    return map_state(pick, new, old)
