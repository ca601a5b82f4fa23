"""Room Sparse codes: the compiled theory equals dendrix.sdr, simulations agree with it, and commands are those of the command line."""

import importlib.util
import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dendrix.cli import main
from dendrix.page.compile import BUILDS, ENGINES, build_engine
from dendrix.sdr import false_negative, false_positive, theta_window, union_false_negative, union_false_positive
from support.browser import Visitor, needs_browser
from support.exports import NODE, needs_node

SEGMENTS = [
    *((n, a, s, v) for n in (64, 2048, 65536) for a in (8, 32) for s in (1, 5, 8, 24) for v in (0, 3, 8) if s <= a),
    (100, 60, 50, 30), (131072, 2048, 256, 1000), (1024, 1000, 256, 20), (300, 256, 256, 44), (2048, 40, 40, 40), (20, 20, 7, 0),
]  # fmt: skip
UNIONS = [
    (2048, 40, 20, 12, 1, 5), (2048, 40, 20, 12, 10, 5), (2048, 40, 20, 12, 300, 10), (512, 20, 8, 6, 40, 0), (128, 16, 16, 9, 3, 16),
    (65536, 1000, 60, 40, 25, 400), (131072, 64, 20, 15, 4096, 9), (65536, 256, 200, 150, 12, 60), (32, 32, 8, 4, 5, 0),
    (64, 10, 4, 4, 1000, 2),
]  # fmt: skip
SCRIPT = """
import { readFileSync } from "node:fs";
import { Codes, Simulation, window } from "./lib/codes.js";
const codes = new Codes(new WebAssembly.Module(readFileSync(new URL("./engines/codes.wasm", import.meta.url))));
const { segments, unions, drawn } = JSON.parse(process.argv[2]);
const plain = (logs) => [...logs].map((value) => (value === -Infinity ? null : value));
console.log(JSON.stringify({
  segments: segments.map(([n, a, s, v]) => {
    const [positive, negative] = [codes.falsePositive(n, a, s), codes.falseNegative(a, s, v)];
    return { positive: plain(positive), negative: plain(negative), window: window(positive, negative, s, 1e-6, 1e-3) };
  }),
  unions: unions.map(([n, a, s, theta, m, v]) => {
    const { rates, byPatterns } = codes.unionFalsePositive(n, a, s, m, theta);
    return { rates: plain(rates), byPatterns: plain(byPatterns), negative: plain(codes.unionFalseNegative(n, a, s, v, m)) };
  }),
  refused: [[64, 65, 8], [64, 8, 9000], [-1, 0, 0]].map(([n, a, s]) => {
    try {
      return codes.falsePositive(n, a, s).length;
    } catch (error) {
      return error.message;
    }
  }),
  drawn: drawn.map(([n, a, s, v, m]) => {
    const simulation = new Simulation(n, a, s, v, m, 7);
    for (let i = 0; i < 4000; i++) simulation.draw();
    return { random: [...simulation.random_overlaps], stored: [...simulation.stored_overlaps] };
  }),
}));
"""
DRAWN = [(64, 12, 6, 4, 1), (64, 12, 6, 4, 3), (128, 20, 10, 8, 2)]


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    script = folder / "codes_test.mjs"
    script.write_text(SCRIPT)
    given = json.dumps({"segments": SEGMENTS, "unions": UNIONS, "drawn": DRAWN})
    try:
        done = subprocess.run([str(NODE), str(script), given], check=True, capture_output=True, text=True)
    finally:
        script.unlink()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def close(got: list[float | None], expected: Any) -> None:
    """Equal to 1e-12: relative in the logarithm, where it is large, and in the probability, where that is."""
    logs = np.array([-np.inf if value is None else value for value in got])
    expected = np.asarray(expected, np.float64)
    assert logs.shape == expected.shape
    finite = np.isfinite(expected)
    assert (np.isfinite(logs) == finite).all()
    logs, expected = logs[finite], expected[finite]
    assert (np.abs(logs - expected) <= 1e-12 * np.maximum(1, np.abs(expected))).all()


@needs_node
def test_segments_equal_the_theory(found: dict[str, Any]) -> None:
    smallest = 0.0
    for (n, a, s, v), one in zip(SEGMENTS, found["segments"], strict=True):
        theta = np.arange(s + 2)
        expected = false_positive(n, a, s, theta, log=True)
        close(one["positive"], expected)
        close(one["negative"], false_negative(a, s, v, theta, log=True))
        smallest = min(smallest, float(np.min(expected[np.isfinite(expected)])))
    assert smallest < -1000  # far below the smallest float


@needs_node
def test_impossible_codes_are_refused(found: dict[str, Any]) -> None:
    assert all("Expected cells of one code" in one for one in found["refused"])


@needs_node
def test_unions_equal_the_theory(found: dict[str, Any]) -> None:
    for (n, a, s, theta, m, v), one in zip(UNIONS, found["unions"], strict=True):
        thetas = np.arange(min(a, s, 256) + 1)
        chosen = np.unique(np.linspace(0, thetas[-1], 7).astype(int))  # the definition runs a chain for each
        close([one["rates"][k] for k in chosen], union_false_positive(n, a, s, chosen, m, log=True))
        close([one["negative"][k] for k in chosen], union_false_negative(n, a, s, v, chosen, m, log=True))
        counts = np.unique(np.linspace(0, m, 5).astype(int))
        close([one["byPatterns"][k] for k in counts], union_false_positive(n, a, s, theta, counts, log=True))


@needs_node
def test_the_window_is_that_of_the_library(found: dict[str, Any]) -> None:
    windows = 0
    for (n, a, s, v), one in zip(SEGMENTS, found["segments"], strict=True):
        low, high = one["window"]["low"], one["window"]["high"]
        if low is None or low > high:
            with pytest.raises(ValueError, match="theta"):
                theta_window(n, a, s, v, 1e-6, 1e-3)
            continue
        expected = theta_window(n, a, s, v, 1e-6, 1e-3)
        assert (low, high) == (expected.min_theta, expected.max_theta)
        windows += 1
    assert windows > 5


@needs_node
def test_simulations_agree_with_the_theory(found: dict[str, Any]) -> None:
    """Every count within 4.5 standard deviations."""
    for (n, a, s, v, m), one in zip(DRAWN, found["drawn"], strict=True):
        theta = np.arange(a + 1)
        positive = np.asarray(union_false_positive(n, a, s, theta, m))
        negative = np.asarray(union_false_negative(n, a, s, v, theta, m))
        for counts, rate in ((one["random"], positive), (one["stored"], 1 - negative)):
            draws = sum(counts)
            assert draws == 4000
            at_least = np.cumsum(counts[::-1])[::-1]
            spread = np.sqrt(draws * rate * (1 - rate)) + 1
            assert (np.abs(at_least - draws * rate) < 4.5 * spread).all()


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang")
@pytest.mark.parametrize("name", BUILDS)
def test_shipped_engines_are_those_of_the_sources(name: str, tmp_path: Path) -> None:
    build_engine(tmp_path / "built.wasm", name)
    assert (tmp_path / "built.wasm").read_bytes() == (ENGINES / name).read_bytes(), "run `make page`"


@needs_browser
@pytest.mark.extended
def test_every_command_gives_what_the_page_shows(visit: Callable[..., Visitor], capsys: pytest.CaptureFixture[str]) -> None:
    page = visit().open("codes")
    for label, value in {
        "Cells n": 11,
        "Active cells a": 48,
        "Synapses s": 22,
        "Cells moved by noise v": 15,
        "Patterns on the segment m": 4,
    }.items():
        page.get_by_label(label, exact=False).first.fill(str(value))
    page.get_by_label("Threshold θ").fill("11")
    rows = page.locator("#codes tr[data-log10]").evaluate_all("rows => rows.map((row) => [row.dataset.log10, row.dataset.command])")
    assert len(rows) == 4
    for shown, command in rows:
        words = shlex.split(command)
        assert words[0] == "dendrix"
        assert main([*words[1:], "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert float(shown) == pytest.approx(answer["log10"], rel=1e-11)
