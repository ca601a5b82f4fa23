"""NIR: the graphs of the data pack, the forms of delays, and other libraries. Its tables stand in docs/howto/nir.md."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..data.pack import data_root
from . import nir_delays, nir_pack, nir_peers

Record = dict[str, Any]
_BY_HAND = ("nengo", "lava")
"""Libraries without an import of NIR."""


LIMIT_S = 120
_GRAPHS = 4
"""Random graphs of each type of neurons for each library."""
_DIGITS = 16
"""Recordings of digits that train the convolutional network."""


def measured(smoke: bool, tell: Callable[[str], None], pythons: Sequence[str] = (), limit_s: int = LIMIT_S) -> Record:
    """All three, the pack only where DENDRIX_DATA names its folder.

    Args:
        smoke: few graphs and recordings.
        tell: told about progress.
        pythons: interpreters of other environments that have some of the libraries; this one counts as well.
        limit_s: seconds after which a file in a library counts as not finished.
    """
    found: Record = {"pack": [], "delays": [], "peers": {}}
    found["peers"] = nir_peers.measured([sys.executable, *pythons], 1 if smoke else _GRAPHS, limit_s, tell)
    tell("nir: forms of delays")
    found["delays"] = nir_delays.measured()
    if os.environ.get("DENDRIX_DATA"):
        found["pack"] = nir_pack.measured(data_root(None, "the graphs of NIR", "Get the data pack"), 4 if smoke else _DIGITS, tell)
    else:
        tell("nir: DENDRIX_DATA names no folder, so the graphs of the pack are left out")
    return found


def table(record: Record) -> str:
    """The tables in Markdown."""
    parts = ["## NIR", *([record["note"]] if record.get("note") else [])]
    if record["pack"]:
        parts += ["Graphs of the data pack:", pack_table(record["pack"])]
    parts += ["128 x 128 synapses with delays of 0 to 25 steps, on one core:", delays_table(record["delays"])]
    parts += ["Our files in other libraries:", files_table(record["peers"])]
    parts += ["Random graphs in other libraries, beside their dialects:", random_table(record["peers"])]
    return "\n\n".join(parts) + "\n"


def pack_table(rows: list[Record]) -> str:
    """What became of each graph of the pack."""
    lines = ["| graph | loads | spikes on random input | compared with the pack | an epoch more | goes out as it came |", "|---" * 6 + "|"]
    for row in rows:
        loads = "leniently: " + "; ".join(_short(note) for note in row["assumed"]) if row["assumed"] else "strictly"
        trained = row["trained"]
        form = "{:.0%}" if trained["figure"] == "accuracy" else "{:.3g}"
        change = " to ".join(form.format(trained[key]) for key in ("before", "after"))
        trained_told = f"{trained['figure']} {change} ({trained['on']})"
        same = "yes" if row["round_trip"] else "no"
        lines.append(f"| {row['file']} | {loads} | {row['spikes']:,} | {row['checked']} | {trained_told} | {same} |")
    return "\n".join(lines)


def _short(note: str) -> str:
    return note.partition("Assumed: ")[2].rstrip(".") or note


def delays_table(rows: list[Record]) -> str:
    """Sizes and times of each form."""
    heads = (
        "delays",
        "construction",
        "nodes",
        "values",
        "file, kB",
        "with the layer in its metadata, kB",
        "export, s",
        "60 steps, ms",
        "equal",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        sizes = f"{row['values']:,} | {row['bytes'] / 1e3:.0f} | {row['bytes_with_metadata'] / 1e3:.0f}"
        times = f"{row['export_s']:.2f} | {row['steps_s'] * 1e3:.1f}"
        equal = "to the bit" if row["equal"] else "no"
        lines.append(f"| {row['granularity']} | {row['construction'] or '-'} | {row['nodes']} | {sizes} | {times} | {equal} |")
    return "\n".join(lines)


def files_table(peers: Record) -> str:
    """What each library with an import does with each file: how many values differ from ours."""
    shown = {name: peer for name, peer in peers.items() if name not in (*_BY_HAND, "nirtorch")}
    heads = ["file", *(f"{_title(name)} {peer['version']}" for name, peer in shown.items())]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for file in next(iter(peers.values()))["files"]:
        lines.append(f"| {file} | {' | '.join(_cell(peer['files'][file]) for peer in shown.values())} |")
    return "\n".join(lines)


def _title(name: str) -> str:
    return "nirtorch with our maps," if name == "nirtorch-dendrix" else name


def _cell(outcome: Record) -> str:
    if "unfinished" in outcome:
        return _unfinished(outcome)
    if "refuses" in outcome:
        unknown = re.search(r"nir\.ir\.\w+\.(\w+)'", outcome["refuses"])
        return f"refuses {unknown.group(1)}" if unknown else f"fails: {outcome['refuses'].partition(':')[0]}"
    if outcome["differ"] is None:
        return "puts out another shape"
    if not outcome["differ"]:
        return "the same"
    by_dialect = outcome["differ from dialect"]
    note = ", without a word" if isinstance(by_dialect, str) else ", as its dialect" if by_dialect == 0 else ""
    return f"{outcome['differ']} of {outcome['values']} differ{note}"


def _unfinished(outcome: Record) -> str:
    return f"not finished in {outcome['unfinished']} s"


def random_table(peers: Record) -> str:
    """How many spikes of each library differ from those of its dialect."""
    lines = ["| library | neurons | graphs | spikes | differ from the dialect |", "|---" * 5 + "|"]
    for name, peer in peers.items():
        for family, found in peer["random"].items():
            if "graphs" in found:
                differ = f"{found['differ']:,} of {found['values']:,}"
                lines.append(f"| {name} {peer['version']} | {family} | {found['graphs']} | {found['spikes']:,} | {differ} |")
            else:
                why = _unfinished(found) if "unfinished" in found else f"refused: {next(iter(found.values()))}"
                lines.append(f"| {name} {peer['version']} | {family} | | | {why} |")
    return "\n".join(lines)
