"""The tables of the page on sessions are the stored results."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/sessions.md").read_text()
FOUND = json.loads((ROOT / "benchmarks/sessions.json").read_text())["sessions"]


def test_late_turns() -> None:
    assert len(FOUND["turns"]) == 5
    for turn in FOUND["turns"]:
        one, other = turn["session"], turn["whole"]
        ratios = other["first_text_s"] / one["first_text_s"], other["cpu_s"] / one["cpu_s"]
        times = f"{one['first_text_s']:.3f} | {other['first_text_s']:.2f} | {ratios[0]:,.0f}"
        assert f"| {turn['tokens']:,} | {times} | {one['cpu_s']:.4f} | {other['cpu_s']:.3f} | {ratios[1]:,.0f} |" in PAGE
        assert 13_700 < turn["bytes_of_turn"] < 13_730


def test_throughput() -> None:
    assert "nothing kept" in FOUND["throughput"]["setups"]
    for name, each in FOUND["throughput"]["setups"].items():
        speeds = f"{each['tokens_per_s']:,.0f} | {each['tokens_per_s_ratio']:.2f}"
        assert f"| {name} | {speeds} | {each['tokens_per_cpu_s']:,.0f} | {each['tokens_per_cpu_s_ratio']:.2f} |" in PAGE
