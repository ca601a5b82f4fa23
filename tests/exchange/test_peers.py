"""Dialects and exported files in the libraries themselves; each runs where its library is installed."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dendrix.bench import nir, nir_peers, nir_worker
from dendrix.bench.nir_files import random_graph
from dendrix.bench.nir_peers import FAMILIES, Family, environments, measured
from support.paths import DOCS, ROOT


@pytest.mark.extended
def test_not_one_spike_differs() -> None:
    """Two random graphs for each library and type of neurons, and every file, in this environment."""
    found = measured([sys.executable], 2, 600, lambda _: None)
    if not any(peer["random"] for peer in found.values()):
        pytest.skip("needs norse, snntorch, spikingjelly, sinabs, rockpool or nengo: make bench")
    for name, peer in found.items():
        for family, outcome in peer["random"].items():
            # In rockpool's float32 a membrane near its threshold may fall to either side, and the spikes after it with it.
            assert outcome["differ"] <= (5e-3 * outcome["values"] if name == "rockpool" else 0), (name, family)
            assert outcome["spikes"] or family == "LIF", (name, family)


def test_an_interpreter_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"pythons: expected interpreters with numpy, got .*gone"):
        environments([str(tmp_path / "gone")])


def test_a_slow_file_is_not_finished_and_the_next_one_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(path: str, _dt: float, x: np.ndarray) -> np.ndarray:
        while path.endswith("slow"):
            with contextlib.suppress(Exception):  # as a library that catches errors of its own
                time.sleep(1)
        return x

    monkeypatch.setitem(nir_worker.LIBRARIES, "norse", slow)
    np.save(tmp_path / "x.npy", np.ones((1, 2)))
    cases = [{"name": name, "library": "", "file": name, "input": "x.npy", "dt": 1e-3} for name in ("slow", "fast")]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    nir_worker.main("norse", tmp_path, 1)
    told = json.loads((tmp_path / "norse.json").read_text())
    assert told["slow"] == {"unfinished": 1}
    assert np.load(tmp_path / told["fast"]["output"]).shape == (1, 2)


def test_a_library_that_is_stopped_leaves_what_it_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [{"name": name, "library": ""} for name in ("a", "b")]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "norse.json").write_text(json.dumps({"a": {"error": "ValueError: no"}}))

    def stopped(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(subprocess, "run", stopped)
    told: list[str] = []
    assert nir_peers._run("python", "norse", tmp_path, 7, told.append) == (
        {},
        {"a": {"error": "ValueError: no"}, "b": {"unfinished": 7}},
    )
    assert told == ["nir: norse", "nir: norse was stopped"]


def test_every_family_has_graphs_of_its_own() -> None:
    assert len({(family.library, family.name) for family in FAMILIES}) == len(FAMILIES)
    assert random_graph("LIF", 0).nodes["w"].params["weight"].shape == (8, 3)
    looped = Family("spyx", "LIF with feedback").graph(1)
    assert ("back", "n") in looped.edges


def test_the_page_has_the_stored_tables() -> None:
    """What `dendrix bench nir` measured stands in benchmarks/nir.json, and its tables in the documentation."""
    record = json.loads((ROOT / "benchmarks" / "nir.json").read_text())["nir"]
    page = (DOCS / "howto" / "nir.md").read_text()
    for table in (nir.pack_table(record["pack"]), nir.delays_table(record["delays"])):
        assert table in page
    for table in (nir.files_table(record["peers"]), nir.random_table(record["peers"])):
        assert table in page
    assert all(row["round_trip"] for row in record["pack"])
    assert all(row["equal"] for row in record["delays"])


def test_outcomes_in_words() -> None:
    peer = {
        "version": "1.0",
        "random": {
            "LIF": {"graphs": 2, "spikes": 30, "values": 3200, "differ": 0},
            "IF": {"refuses": "KeyError: 'x'"},
            "CubaLIF": {"unfinished": 9},
        },
        "files": {
            "a": {"refuses": "ValueError: Unknown node type <class 'nir.ir.delay.Delay'>, no"},
            "b": {"refuses": "KeyError: 'x'"},
            "c": {"differ": 3, "values": 10, "differ from dialect": 0},
            "d": {"differ": 3, "values": 10, "differ from dialect": "node 'd': expected another"},
            "e": {"differ": 0, "values": 10, "differ from dialect": 0},
            "f": {"differ": None, "values": 10, "differ from dialect": 0},
            "g": {"unfinished": 120},
        },
    }
    cells = [line.split(" | ")[1].rstrip(" |") for line in nir.files_table({"norse": peer}).splitlines()[2:]]
    assert cells == [
        "refuses Delay",
        "fails: KeyError",
        "3 of 10 differ, as its dialect",
        "3 of 10 differ, without a word",
        "the same",
        "puts out another shape",
        "not finished in 120 s",
    ]
    assert "| norse 1.0 | LIF | 2 | 30 | 0 of 3,200 |" in nir.random_table({"norse": peer})
    assert "refused: KeyError" in nir.random_table({"norse": peer})
    assert "| CubaLIF | | | not finished in 9 s |" in nir.random_table({"norse": peer})
