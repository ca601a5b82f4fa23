"""The loop over events in threads: over rows of a batch, or over blocks of neurons where there are fewer rows than threads."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.threads import in_parts
from .event_tables import EventTables

_CHUNK = 128
"""Steps that a layer runs before the next one, at most."""
_ROOM = 4_000_000
"""Spikes for which a thread has room between two layers. It bounds the steps of a chunk of a large network."""


_SMALLEST = 15_000_000
"""Synapses times steps below which the start of threads for every layer takes longer than they save."""


class EventLists(NamedTuple):
    """Events of the rows of a batch, by row and step."""

    begin: NDArray[np.int64]
    """Where the events of each row start, [B, 1]."""
    until: NDArray[np.int64]
    """Number of events of a row up to and including each step, [B, 1, T]."""
    channel: NDArray[np.uint32]
    """[N]"""
    value: NDArray[np.float32]
    """[N]"""


_NONE = EventLists(np.empty((0, 1), np.int64), np.empty((0, 1, 1), np.int64), np.empty(0, np.uint32), np.empty(0, np.float32))


class EventLoop:
    """A network as tables and the loop over them."""

    def __init__(self, tables: EventTables):
        self.tables = tables
        self._blocks = [(last - first, int(tables.blocks[first, 1])) for first, last, *_ in tables.stages.tolist()]
        """Number of blocks and neurons per block of each layer."""
        self._widest = max(blocks * width for blocks, width in self._blocks)

    def run(self, x: Any, events: EventLists | None, valid: Any, memory: Any, steps: Any, y: Any, fresh: bool) -> None:
        """Run the network over the steps of all rows: changes `memory` [B, S] and `steps` [B], and writes y [B, T, K].

        Args:
            x: inputs, float32 [B, T, C]; not read if there are events.
            events: inputs as events.
            valid: bool [B, T]; other steps change nothing and give zero.
            memory: state of the rows.
            steps: number of steps that each has run.
            fresh: no row has run, and `memory` holds nothing yet.
        """
        from .event_loops import GROUP, run_rows  # numba loads in 0.4 s

        rows, length = valid.shape
        chunk = max(1, min(_CHUNK, _ROOM // (self._widest * min(rows, GROUP))))
        in_blocks = rows < torch.get_num_threads() and len(self.tables.weights) * min(length, chunk) >= _SMALLEST
        if fresh and in_blocks:
            memory[:] = self.tables.rest
        for low in range(0, length, chunk):
            high = min(length, low + chunk)
            came = _NONE if events is None else _between(events, low, high)
            if in_blocks:
                self._run_layers(x, came, valid, memory, steps, low, high, y)
            else:
                in_parts(partial(run_rows, x, *came, *self.tables, fresh and low == 0, memory, steps, valid, low, high, y), rows)
            steps += valid[:, low:high].sum(1)

    def _run_layers(self, x: Any, came: EventLists, valid: Any, memory: Any, steps: Any, low: int, high: int, y: Any) -> None:
        """One layer after another, each in parts over its blocks."""
        from .event_loops import run_stage

        rows, length = len(valid), high - low
        if not len(came.begin):
            came = _listed(x, low, high)
        for k, (blocks, width) in enumerate(self._blocks):
            until, spikes = np.empty((rows, blocks, length), np.int64), np.empty((rows, blocks, length * width), np.uint32)
            in_parts(
                partial(run_stage, k, *came, *self.tables[:-1], memory, steps, valid, low, high, 0, rows, until, spikes, y), blocks * rows
            )
            begin = np.arange(rows * blocks).reshape(rows, blocks) * (length * width)
            came = EventLists(begin, until, spikes.reshape(-1), came.value)


def _between(events: EventLists, low: int, high: int) -> EventLists:
    """The events of steps low to high."""
    before = events.until[..., low - 1] if low else np.zeros_like(events.begin)
    until = np.ascontiguousarray(events.until[..., low:high] - before[..., None])
    return events._replace(begin=events.begin + before, until=until)


def _listed(x: Any, low: int, high: int) -> EventLists:
    """Steps low to high of x [B, T, C] as events."""
    from .event_loops import list_events

    rows, length, most = len(x), high - low, (high - low) * x.shape[2]
    found = EventLists(
        np.arange(rows).reshape(-1, 1) * most, np.empty((rows, 1, length), np.int64),
        np.empty(rows * most, np.uint32), np.empty(rows * most, np.float32),
    )  # fmt: skip
    for b in range(rows):
        list_events(x, b, low, high, b * most, found.until[b, 0], found.channel, found.value)
    return found
