"""The loop over events in threads: over rows of a batch, or over blocks of neurons where there are fewer rows than threads."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...lowering.event_tables import EventTables
from ..numba.pool import in_parts

_CHUNK = 128
"""Steps that a layer runs before the next one, at most."""
_ROOM = 2_000_000
"""Spikes for which there is room between two layers, which bounds the steps of a chunk of a large network."""
_NO_ROWS, _NO_UNTILS = np.empty((0, 1), np.int64), np.empty((0, 1, 1), np.int64)
_NO_EVENTS = np.empty(0, np.uint32), np.empty(0, np.float32)


class EventLists(NamedTuple):
    """Events of the rows of a batch, by row and step."""

    begin: NDArray[np.int64]
    """Where the events of each row start, [B]."""
    until: NDArray[np.int64]
    """Number of events of a row up to and including each step, [B, T]."""
    channel: NDArray[np.uint32]
    """[N]"""
    value: NDArray[np.float32]
    """[N]"""


def run_events(tables: EventTables, x: Any, events: EventLists | None, valid: Any, memory: Any, steps: Any, y: Any) -> None:
    """Run a network over the steps of all rows: changes `memory` [B, S] and `steps` [B], and writes y [B, T, K].

    Args:
        tables: the network.
        x: inputs, float32 [B, T, C]; without values, [B, T, 0], if there are events.
        events: inputs as events.
        valid: bool [B, T]; other steps change nothing and give zero.
        memory, steps: state of the rows, and the number of steps that each has run.
    """
    rows, length = valid.shape
    blocks = tables.stages[:, 1] - tables.stages[:, 0]
    widest = int(tables.blocks[:, 1].max() * blocks.max())
    chunk = max(1, min(_CHUNK, _ROOM // widest))
    split = min(rows, len(tables.blocks)) if rows < torch.get_num_threads() else 0
    arrays = tables[:-1]
    for low in range(0, length, chunk):
        high = min(length, low + chunk)
        came = (_NO_ROWS, _NO_UNTILS, *_NO_EVENTS)
        if events is not None:
            came = _steps_of(events, low, high)
        if split:
            _in_blocks(tables, x, came, valid, memory, steps, low, high, y)
        else:
            _rows()(rows, partial(_loops().run_rows, x, *came, *arrays, memory, steps, valid, low, high, y))
        steps += valid[:, low:high].sum(1)


def _steps_of(events: EventLists, low: int, high: int) -> tuple[Any, ...]:
    before = events.until[:, low - 1] if low else np.zeros_like(events.begin)
    until = events.until[:, low:high] - before[:, None]
    return (events.begin + before)[:, None], np.ascontiguousarray(until)[:, None], events.channel, events.value


def _rows() -> Any:
    return lambda rows, work: in_parts(work, rows)


def _loops() -> Any:
    from ...lowering import event_loops  # numba loads in 0.4 s

    return event_loops


def _in_blocks(tables: EventTables, x: Any, came: tuple[Any, ...], valid: Any, memory: Any, steps: Any, low: int, high: int, y: Any) -> None:
    """One layer after another, each in parts over rows and blocks."""
    loops, rows, length = _loops(), len(valid), high - low
    counts = tables.stages[:, 1] - tables.stages[:, 0]
    widths = tables.blocks[tables.stages[:, 0], 1]
    if not len(came[0]):
        channels = x.shape[2]
        which, value = np.empty(rows * length * channels, np.uint32), np.empty(rows * length * channels, np.float32)
        begins, untils = np.arange(rows).reshape(-1, 1) * (length * channels), np.empty((rows, 1, length), np.int64)
        for b in range(rows):
            loops.list_events(x, b, low, high, begins[b, 0], untils[b, 0], which, value)
        came = begins, untils, which, value
    for k, (parts, width) in enumerate(zip(counts.tolist(), widths.tolist(), strict=True)):
        untils = np.empty((rows, parts, length), np.int64)
        spikes = np.empty((rows, parts, length * width), np.uint32)
        work = partial(
            loops.run_stage, k, *came, *tables[:-1], memory, steps, valid, low, high, 0, rows, untils, spikes, y
        )
        in_parts(work, parts * rows)
        begins = np.arange(rows * parts).reshape(rows, parts) * (length * width)
        came = begins, untils, spikes.reshape(-1), came[3]
