"""The tables of speed on the page of early exits are those of the stored record."""

import json
from pathlib import Path

from dendrix.bench import exits, exits_growth

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "benchmarks/exits.json").read_text())
PAGE = (ROOT / "docs/howto/exits.md").read_text()


def rows(table: str) -> str:
    return "\n".join(line for line in table.splitlines() if line.startswith("|"))


def test_the_tables_are_those_of_the_record() -> None:
    assert rows(exits.table(FOUND["exits"])) in PAGE
    assert rows(exits_growth.table(FOUND["exits_growth"])) in PAGE


def test_the_compiled_loop_keeps_its_promise() -> None:
    """On one thread: nothing is slower than whole inputs in one call, and the ideal is reached within a twentieth."""
    compiled = [speed for speed in FOUND["exits"] if speed["runs_on"] == "compiled loop" and speed["threads"] == 1]
    assert {speed["subject"] for speed in compiled} == set(exits.NAMES)
    for speed in compiled:
        assert speed["agreement"] > 0.98
        assert speed["speedup"]["rows"] > max(1, 0.95 * speed["ideal"])
