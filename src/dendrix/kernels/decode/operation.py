"""Decoding on the CPU: compiles the loops of one kind of SpikeGPT and runs them with the rows divided among threads."""

import os
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import kernel
from ..available import HAS_NUMBA
from ..numba.pool import in_parts

_DENSE_ALONE = {"float32": 0.5, "bfloat16": 0.5, "int8": 0.3}
"""Fractions of active inputs above which a single row uses all inputs, because contiguous reads are faster."""


def _refuses(packed: Any, *_: Any) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return "NUMBA_DISABLE_JIT is set, and its inner loops exist only compiled"
    config = packed.config
    if config.halve_stream or not config.layers:
        return "halve_stream is used, or the network has no blocks"
    if config.decay_rank or config.window:
        return "the decay depends on the data, or there is local attention"
    if config.neurons.scales:
        return "neurons have thresholds and amplitudes that cannot be folded into weights"
    return None


@cache
def _compiled(spikes: str, weights: str, normed: bool, separate: bool, levels: int, signed: bool) -> Any:
    """Return the loop for one kind of network, which numba compiles at its first call."""
    from ..numba import scalars
    from ..numba.specialise import specialise
    from . import loops, product_loops, rows, spike_loops, tiles

    flags: dict[str, Any] = dict(bits_in=spikes == "input", bits_out=spikes == "output", normed=normed, levels=levels, signed=signed)
    flags |= dict(separate=separate, signs=1 + signed, exponential=specialise(scalars.exp_of_negative))
    sizes = tiles.sizes()
    parts: dict[str, Any] = dict(
        **sizes,
        dense_alone=_DENSE_ALONE[weights],
        whole=weights == "int8",
        all_wide=tiles.all_inputs(weights, 1, sizes["wide"]),
        all_narrow=tiles.all_inputs(weights, 1, sizes["narrow"]),
        all_several=tiles.all_inputs(weights, sizes["several"], sizes["narrow"]),
        active_wide=tiles.active_inputs(weights, sizes["wide"]),
        active_narrow=tiles.active_inputs(weights, sizes["narrow"]),
        spikes_wide=tiles.spikes(sizes["wide_of_spikes"]),
        spikes_half=tiles.spikes(sizes["wide_of_spikes"] // 2),
        spikes_narrow=tiles.spikes(sizes["narrow_of_spikes"]),
        bits_above=tiles.bits_above,
        lowest_bit=tiles.lowest_bit,
        read_ahead=tiles.read_ahead,
        ahead=tiles.AHEAD,
    )
    part: Any
    for part in (spike_loops.room_for_places, loops.rooms):
        parts[part.__name__] = specialise(part, **flags, **parts)
    borrowing = partial(specialise, borrows=True)
    of_products = product_loops.find_active, product_loops.within, product_loops.add_all, product_loops.add_active
    of_spikes = spike_loops.list_places, spike_loops.enlist, spike_loops.add_spikes, spike_loops.spike_product
    for part in (*of_products, *of_spikes, product_loops.prepare, product_loops.product):
        parts[part.__name__] = borrowing(part, **flags, **parts)  # each uses the earlier ones
    parts["moments"] = borrowing(rows.moments, any_order=True)
    parts["fire"] = borrowing(rows.fire_counts if levels > 1 or signed else rows.fire, **flags)
    of_rows = rows.normalise, rows.mix, rows.average, rows.gate, rows.square
    for part in (*of_rows, loops.shift, loops.finish, loops.time_mix, loops.channel_mix, loops.answer):
        parts[part.__name__] = borrowing(part, **flags, **parts)
    return specialise(loops.advance, **flags, **parts)


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
    config, kind = packed.config, packed.config.neurons
    network = packed.vectors, packed.neurons, packed.table, packed.weights, packed.scales, np.float32(config.v_threshold)
    arrays = tokens, owners, answers, borders, packed.embedding, packed.ends, packed.places
    loop = _compiled(config.spikes, packed.kind, kind.norm, kind.separate, kind.levels, kind.signed)
    in_parts(partial(loop, *arrays, network, after.numpy(), logits.numpy()), len(borders) - 1)
    return logits, after


def _shares(owners: Any, threads: int) -> Any:
    """Return the borders of the parts of the tokens for each thread: about equal sizes, no row in two parts."""
    fair = [len(owners) * i // threads for i in range(1, threads)]
    starts = np.searchsorted(owners, owners[fair]) if fair else []
    return np.array(sorted({0, *starts, len(owners)}))
