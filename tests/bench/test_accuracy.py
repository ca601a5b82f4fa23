"""Whole trainings before and after: the page has the stored figures, and the accuracy is the same."""

import importlib.util
import json
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).parents[2]
STORED = json.loads((ROOT / "benchmarks" / "accuracy-before-after.json").read_text())


def table(results: dict[str, Any]) -> str:
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.table(results))


def test_the_page_has_the_stored_figures() -> None:
    assert table(STORED) in (ROOT / "docs" / "howto" / "train.md").read_text()


def test_speed_does_not_cost_accuracy() -> None:
    for found in STORED.values():
        before, after = ([run["test_accuracy"] for run in found[side]["runs"]] for side in ("before", "after"))
        assert len(before) == len(after) >= 3
        assert abs(mean(before) - mean(after)) < 0.01


def test_seeds_that_only_one_version_has_do_not_count() -> None:
    runs = [{"test_accuracy": right, "clips_per_second": rate} for right, rate in ((0.9, 100), (0.8, 200), (0.1, 900))]
    assert table({"a": {"before": {"runs": runs[:2]}, "after": {"runs": runs}}}).endswith(
        "| a | 2 | 85.0 ± 7.1 % | 85.0 ± 7.1 % | 150 | 150 | 1.00 |\n"
    )
