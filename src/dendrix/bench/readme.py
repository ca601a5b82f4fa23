"""Rows of the README about speed, from the stored record of the benchmarks."""

import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from .parts import labelled

Record = dict[str, Any]

_ROWS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "LIF, forward and backward": (("lif-100", "lif-250", "lif-1024"), "SpikingJelly", ".0f"),
    "Learned delays, training step": (("delay-training",), "DCLS", ".1f"),
}
"""By the text of the link: the cases, on one thread, the other library, and the format of ratios."""


def written(page: str, record: Record, release: str = "") -> str:
    """The README with the rows about speed as the record has them.

    Args:
        page: the README.
        record: the record of the benchmarks; without the cases of a row, the row stays.
        release: version of dendrix, by default that of this one; the rows say if a case was measured on an earlier release.
    """
    now = _release(release or metadata.version("dendrix"))
    record = labelled(record)
    for link, (names, other, digits) in _ROWS.items():
        cases = [case for case in record["cases"] if case["name"] in names and case["threads"] == 1]
        ratios = [case["contenders"].get(other, {}).get("ratio") for case in cases]
        if len(ratios) == len(names) and None not in ratios:
            old = {_release(record["measured"][case["measured"]]["dendrix"]) for case in cases} != {now}
            said = f"{_range(ratios, digits)} times faster than" if min(ratios) >= 1 else f"{_range(ratios, '.1f')} times the speed of"
            cell = f"{said} {other}{', on an earlier version' * old}"
            row = rf"^(\| \[{re.escape(link)}\]\([^)]*\) \| ).* \|$"
            page = re.sub(row, rf"\g<1>{cell} |", page, flags=re.MULTILINE)
    return page


def _range(ratios: Sequence[float], digits: str) -> str:
    ends = sorted({f"{ratio:{digits}}" for ratio in (min(ratios), max(ratios))}, key=float)
    return " to ".join(ends)


def _release(version: str) -> str:
    return version.split(".dev")[0]
