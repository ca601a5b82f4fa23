"""Loops of the overlap search, to be compiled by `compiled`. Unsigned indices avoid the test for negative ones."""

from typing import Any

import numpy as np

_PAIRS, _QUADS, _BYTES, _SUM = 0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101
_LINE = 64


def transpose(starts: Any, items: Any, begins: Any, owners: Any) -> None:
    """Invert lists: owners[begins[i]:begins[i + 1]] becomes the ascending indices of the lists that contain item i."""
    place = begins[:-1].copy()
    for owner in range(len(starts) - 1):
        for j in range(starts[owner], starts[owner + 1]):
            item = items[j]
            owners[place[item]] = owner
            place[item] += 1


def count_lists(starts: Any, cells: Any, n: int, probe_starts: Any, probe_cells: Any, counts: Any, first: int) -> None:
    """Add the overlaps of each probe with segments in the layout `Lists` to counts[:, first:]."""
    active = np.zeros(n, np.uint8)
    for q in range(len(probe_starts) - 1):
        probe = probe_cells[probe_starts[q] : probe_starts[q + 1]]
        for i in range(len(probe)):
            active[probe[i]] = 1
        for m in range(len(starts) - 1):
            total = 0
            for j in range(starts[m], starts[m + 1]):
                total += active[cells[j]]
            counts[q, first + m] += total
        for i in range(len(probe)):
            active[probe[i]] = 0


def count_postings(begins: Any, owners: Any, probe_starts: Any, probe_cells: Any, counts: Any, first: int) -> None:
    """Add the overlaps of each probe with segments in the layout `Postings` to counts[:, first:]."""
    for q in range(len(probe_starts) - 1):
        row = counts[q, first:]
        for i in range(probe_starts[q], probe_starts[q + 1]):
            cell = probe_cells[i]
            for j in range(np.uint64(begins[cell]), np.uint64(begins[cell + 1])):
                row[owners[j]] += 1


def count_packed(words: Any, probes: Any, counts: Any, first: int) -> None:
    """Add the overlaps of packed probes with segments in the layout `Packed` to counts[:, first:] by parallel bit counting."""
    pairs, quads, bytewise, summed = np.uint64(_PAIRS), np.uint64(_QUADS), np.uint64(_BYTES), np.uint64(_SUM)
    one, two, four, top = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
    for q in range(len(probes)):
        probe = probes[q]
        for m in range(len(words)):
            segment = words[m]
            total = np.uint64(0)
            for k in range(len(probe)):
                x = probe[k] & segment[k]
                x -= (x >> one) & pairs
                x = (x & quads) + ((x >> two) & quads)
                x = (x + (x >> four)) & bytewise
                total += (x * summed) >> top
            counts[q, first + m] += np.int64(total)


def number_reached(counts: Any, theta: int) -> int:
    """Return the number of counts >= theta."""
    number = 0
    for q in range(len(counts)):
        row = counts[q]
        for m in range(len(row)):
            number += row[m] >= theta
    return number


def collect(counts: Any, theta: int, probe: Any, segment: Any, overlap: Any) -> None:
    """List the counts >= theta row by row. Most rows have few, so lines of 64 counts are tested by their maximum first."""
    found = 0
    width = counts.shape[1]
    for q in range(len(counts)):
        row = counts[q]
        for low in range(0, width, _LINE):
            line = row[low : min(low + _LINE, width)]
            most = line[0]
            for m in range(len(line)):
                most = max(most, line[m])
            if most >= theta:
                for m in range(len(line)):
                    if line[m] >= theta:
                        probe[found], segment[found], overlap[found] = q, low + m, line[m]
                        found += 1
