"""Decoding on the CPU: compiles the loops of one kind of SpikeGPT and runs them, rows shared out among threads."""

from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import kernel
from ..available import HAS_NUMBA
from .pool import in_parts


def _refuses(packed: Any, *_: Any) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if packed.spec.halve_stream or not packed.spec.layers:
        return "the stream is halved, as in the released generator, or there are no blocks"
    return None


@cache
def _compiled(spikes: str, weights: str) -> Any:
    """The loop for one kind of network; numba compiles it when it is first called."""
    from . import decode_loops, decode_rows, product_loops, scalars
    from .specialise import specialise

    flags = dict(bits_in=spikes == "input", bits_out=spikes == "output", exponential=specialise(scalars.exp_of_negative, contract=True))
    same = specialise(scalars.same)
    load = specialise(scalars.widen) if weights == "bfloat16" else same
    parts: dict[str, Any] = {
        "find_active": specialise(product_loops.find_active),
        "add_pair": specialise(product_loops.add_pair, contract=True),
        "add_inputs": specialise(product_loops.add_inputs, contract=True, load=load),
        "add_inputs_widened": specialise(product_loops.add_inputs, contract=True, load=same),
    }
    parts["add_rows"] = specialise(product_loops.add_rows, contract=True, load=load, **parts)
    parts["product"] = specialise(product_loops.product, contract=True, **parts)
    parts["normalise"] = specialise(decode_rows.normalise, any_order=True)
    rows = decode_rows.fire, decode_rows.mix, decode_rows.average, decode_rows.gate, decode_rows.square
    loops = (
        decode_loops.shift,
        decode_loops.finish,
        decode_loops.rooms,
        decode_loops.time_mix,
        decode_loops.channel_mix,
        decode_loops.answer,
    )
    part: Any
    for part in (*rows, *loops):  # each uses those before it
        parts[part.__name__] = specialise(part, contract=True, **flags, **parts)
    return specialise(decode_loops.advance, contract=True, **flags, **parts)


@kernel("decode", "cpu", refuses=_refuses)
def decode(packed: Any, tokens: Tensor, state: Tensor, valid: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Read tokens [B, T] where they are valid.

    Args:
        packed: the network, as `generate.packing` lays it out.
        tokens: int64 or int32, all in the vocabulary.
        state: float32 [B, N].
        valid: bool [B, T].
        wanted: bool [B, T], the valid tokens whose successor is asked for.
    Returns:
        logits, one row for each wanted token, and the next state.
    """
    after = state.clone(memory_format=torch.contiguous_format)
    owners = valid.nonzero()[:, 0]
    wanted = wanted[valid]
    answers = torch.where(wanted, wanted.cumsum(0) - 1, -1)
    logits = state.new_empty(int(wanted.sum()), packed.spec.vocab_size)
    arrays = [x.numpy() for x in (tokens[valid].long(), owners, answers)]
    borders = _shares(arrays[1], min(torch.get_num_threads(), len(state)))
    network = packed.vectors, packed.table, packed.weights, packed.scales, np.float32(packed.spec.v_threshold)
    loop = _compiled(packed.spec.spikes, packed.kind)
    work = partial(loop, *arrays, borders, packed.embedding, packed.ends, packed.places, network, after.numpy(), logits.numpy())
    in_parts(work, len(borders) - 1)
    return logits, after


def _shares(owners: Any, threads: int) -> Any:
    """Where each thread's share of the tokens begins: about as many for each, and no row in two."""
    fair = [len(owners) * i // threads for i in range(1, threads)]
    starts = np.searchsorted(owners, owners[fair])
    return np.unique(np.concatenate([[0], starts, [len(owners)]]).astype(np.int64))
