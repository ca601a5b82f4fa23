"""The state of a SpikeGPT as one tensor with one row per text, so that texts can be stacked, selected and saved."""

import torch
from torch import Tensor

from ..core import State, leaves, map_state
from ..errors import InputError
from ..layers.rwkv.wkv import WKVState
from ..models.spikegpt.attention import QUERY, LocalState, head_count
from ..models.spikegpt.blocks import BlockState, ChannelMixState, MixState, TimeMixState
from ..models.spikegpt.network import SpikeGPTConfig
from ..neurons.lif import LIFState

_NOTHING = -1e38
"""Exponent of an empty past, as in `layers.rwkv.wkv`."""


def rest(config: SpikeGPTConfig, batch: int = 1) -> State:
    """Return the initial state of a `SpikeGPT`.

    Args:
        config: configuration of the network.
        batch: number of texts, B.
    """

    def zeros(times: int = 1) -> Tensor:
        return torch.zeros(batch, times * config.width)

    separate = config.neurons.separate
    before = {"output": (1,), "input": (1,) * (4 if separate else 2), "none": ()}[config.spikes]
    hidden = {"output": (1,), "input": (1, 1, 4) if separate else (1, 4), "none": ()}[config.spikes]

    def membranes(sizes: tuple[int, ...]) -> tuple[LIFState, ...]:
        return tuple(LIFState(zeros(size)) for size in sizes)

    def local() -> LocalState | tuple[()]:
        if not config.window:
            return ()
        heads = head_count(config.width)
        keys, values = (torch.zeros(batch, config.window - 1, size) for size in (heads * QUERY, config.width))
        return LocalState(keys, values, LIFState(torch.zeros(batch, heads)) if config.spikes != "none" else ())

    def block(index: int) -> BlockState:
        channel = ChannelMixState(zeros(), membranes(hidden))
        sums = WKVState(zeros(), zeros(), torch.full_like(zeros(), _NOTHING))
        first: MixState = TimeMixState(zeros(), membranes(before), sums, local())
        if config.channel_first and index == 0:
            first = ChannelMixState(zeros(), membranes(hidden))
        return BlockState(first, channel)

    return tuple(block(i) for i in range(config.layers))


def pack(state: State, batch: int) -> Tensor:
    """Concatenate the tensors of a state to rows, [B, N].

    Args:
        state: state of a `SpikeGPT`.
        batch: number of texts, B.
    """
    return torch.cat([torch.zeros(batch, 0), *(part.flatten(1) for part in leaves(state))], 1)


def unpack(rows: Tensor, config: SpikeGPTConfig) -> State:
    """Restore a state from the rows of `pack`.

    Args:
        rows: [B, N].
        config: configuration of the network.
    Raises:
        InputError: the rows have another size, as for another model.
    """
    empty = rest(config)
    sizes = [part[0].numel() for part in leaves(empty)]
    if rows.dim() != 2 or rows.shape[1] != sum(sizes):
        raise InputError(f"state: expected rows of {sum(sizes)} numbers, got {list(rows.shape)}. Is it of another model?")
    parts = iter(torch.split(rows, sizes, 1))
    return map_state(lambda part: next(parts).reshape(-1, *part.shape[1:]), empty)
