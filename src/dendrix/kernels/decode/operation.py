"""Decoding on the CPU: compiles the loops of one kind of SpikeGPT and runs them with the rows divided among threads."""

from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import kernel
from ..available import HAS_NUMBA
from ..numba.pool import in_parts


def _refuses(packed: Any, *_: Any) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if packed.config.halve_stream or not packed.config.layers:
        return "halve_stream is used, or the network has no blocks"
    return None


@cache
def _compiled(spikes: str, weights: str) -> Any:
    """Return the loop for one kind of network, which numba compiles at its first call."""
    from ..numba import scalars
    from ..numba.specialise import specialise
    from . import loops, product_loops, rows, spike_loops

    flags = dict(bits_in=spikes == "input", bits_out=spikes == "output", exponential=specialise(scalars.exp_of_negative, contract=True))
    same = specialise(scalars.same)
    narrow = weights == "int8"
    load = specialise(scalars.widen) if weights == "bfloat16" else same
    parts: dict[str, Any] = {
        "find_active": specialise(product_loops.find_active),
        "add_pair": specialise(product_loops.add_pair, contract=True),
        "add_all": specialise(product_loops.add_all, contract=True, load=load, narrow=narrow),
        "add_inputs": specialise(product_loops.add_inputs, contract=True, load=load),
        "add_inputs_widened": specialise(product_loops.add_inputs, contract=True, load=same),
        "add_active": specialise(spike_loops.add_active),
        "widen": specialise(spike_loops.widen),
    }
    parts["add_spikes"] = specialise(spike_loops.add_spikes, **parts)
    parts["spike_product"] = specialise(spike_loops.spike_product, **parts)
    parts["add_rows"] = specialise(product_loops.add_rows, contract=True, load=load, **parts)
    parts["product"] = specialise(product_loops.product, contract=True, narrow=narrow, **parts)
    parts["normalise"] = specialise(rows.normalise, any_order=True)
    of_rows = rows.fire, rows.mix, rows.average, rows.gate, rows.square
    of_blocks = loops.shift, loops.finish, loops.rooms, loops.time_mix, loops.channel_mix, loops.answer
    part: Any
    for part in (*of_rows, *of_blocks):  # each uses the earlier ones
        parts[part.__name__] = specialise(part, contract=True, **flags, **parts)
    return specialise(loops.advance, contract=True, **flags, **parts)


@kernel("decode", "cpu", refuses=_refuses)
def decode(packed: Any, tokens: Any, owners: Any, answers: Any, state: Tensor) -> tuple[Tensor, Tensor]:
    """Process tokens of several rows.

    Args:
        packed: network, repacked by `generate.packing`.
        tokens: token ids, int64 [P].
        owners: row of each token, ascending, [P]; the tokens of a row are in order.
        answers: row of the logits for each token, ascending from 0, or -1 for none, [P].
        state: float32 [B, N].
    Returns:
        logits, and the next state.
    """
    after = state.clone(memory_format=torch.contiguous_format)
    logits = state.new_empty(int(answers.max(initial=-1)) + 1, packed.config.vocab_size)
    borders = _shares(owners, min(torch.get_num_threads(), len(state)))
    # A single memory layout, because loops compiled for different layouts may round differently.
    tokens, owners, answers = (np.ascontiguousarray(each) for each in (tokens, owners, answers))
    network = packed.vectors, packed.inner, packed.table, packed.weights, packed.scales, np.float32(packed.config.v_threshold)
    arrays = tokens, owners, answers, borders, packed.embedding, packed.ends, packed.places
    in_parts(partial(_compiled(packed.config.spikes, packed.kind), *arrays, network, after.numpy(), logits.numpy()), len(borders) - 1)
    return logits, after


def _shares(owners: Any, threads: int) -> Any:
    """Return the borders of the parts of the tokens for each thread: about equal sizes, no row in two parts."""
    fair = [len(owners) * i // threads for i in range(1, threads)]
    starts = np.searchsorted(owners, owners[fair]) if fair else []
    return np.array(sorted({0, *starts, len(owners)}))
