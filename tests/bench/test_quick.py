"""Comparison before and after a change: verdicts, records that cannot be compared, and one measurement of a small case."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dendrix.bench import run_quick
from dendrix.bench.quick import CASES, changed, compared, expect_record, markdown
from dendrix.bench.suite import find
from dendrix.cli import main

MACHINE = {"cpu": "A", "torch": "2"}


def record(factor: float = 1.0, spread: float = 0.01, seed: int = 0, **cases: dict[str, int]) -> dict[str, Any]:
    """A record whose samples are about `factor`, with processes and rounds that differ by `spread`."""
    generator = np.random.default_rng(seed)
    samples = factor * (1 + spread * generator.standard_normal((5, 1))) * (1 + spread * generator.standard_normal((5, 4)))
    one = {"samples": samples.tolist(), "seconds": [0.01] * 5}
    return {
        "format": 2,
        "machine": dict(MACHINE),
        "cases": {name: {"size": size, **one} for name, size in (cases or {"lif": {"T": 8}}).items()},
    }


@pytest.mark.parametrize(("factor", "verdict"), [(0.8, "faster"), (1.25, "slower"), (1.0, "within noise"), (1.02, "within noise")])
def test_a_change_beyond_the_noise_has_a_verdict(factor: float, verdict: str) -> None:
    [found] = compared(record(seed=1), record(factor, seed=2))
    assert found["verdict"] == verdict
    assert found["ratio"] == pytest.approx(factor, rel=0.03)
    assert found["low"] <= found["ratio"] <= found["high"]


def test_what_differs_from_process_to_process_is_noise() -> None:
    """A tenth slower is found where processes differ by one hundredth, and not where they differ by a fifth."""
    assert compared(record(seed=1), record(1.1, seed=2))[0]["verdict"] == "slower"
    assert compared(record(spread=0.2, seed=1), record(1.1, spread=0.2, seed=2))[0]["verdict"] == "within noise"


def test_the_same_code_is_rarely_told_apart() -> None:
    verdicts = [compared(record(seed=n), record(seed=n + 1000))[0]["verdict"] for n in range(40)]
    assert verdicts.count("within noise") >= 39


def test_only_cases_of_the_same_size_are_compared() -> None:
    found = compared(record(lif={"T": 8}, wkv={"T": 4}), record(lif={"T": 8}, wkv={"T": 5}, sdr={"n": 2}))
    assert [one["name"] for one in found] == ["lif"]
    with pytest.raises(ValueError, match="Measure the same cases"):
        compared(record(lif={"T": 8}), record(lif={"T": 9}))


def test_another_processor_is_refused_and_other_versions_are_named() -> None:
    other = record()
    other["machine"]["torch"] = "3"
    assert changed(record(), other) == ["torch: 2 before, 3 now"]
    other["machine"]["cpu"] = "B"
    with pytest.raises(ValueError, match="expected a record of this processor, B, got one of A"):
        compared(record(), other)


@pytest.mark.parametrize(
    "samples", [[], [[]], [1, 2], [[1], [1, 2]], [["a"]], [[0.0]], [[-1.0]], [[float("nan")]], None, {"a": 1}], ids=str
)
def test_damaged_records_are_refused(samples: object) -> None:
    broken = record()
    broken["cases"]["lif"]["samples"] = samples
    with pytest.raises(ValueError, match=r"expected a record of `dendrix bench --quick --out`"):
        expect_record(broken, "before.json")


def test_another_file_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text('{"machine": {}, "cases": []}')
    with pytest.raises(ValueError, match=r"before\.json: expected a record"):
        run_quick(against=tmp_path / "before.json", out=tmp_path / "after.json")
    (tmp_path / "before.json").write_text(json.dumps(record()))
    with pytest.raises(ValueError, match=r"before\.json: expected a record of this processor"):
        run_quick(against=tmp_path / "before.json", out=tmp_path / "after.json")
    with pytest.raises(FileNotFoundError):
        run_quick(against=tmp_path / "none.json", out=tmp_path / "after.json")
    assert not (tmp_path / "after.json").exists()


def test_cases_without_times_are_refused() -> None:
    with pytest.raises(ValueError, match="delay-memory-first"):
        run_quick(("delay-memory-first",))


def test_the_default_cases_exist() -> None:
    assert [find(name).name for name in CASES] == list(CASES)


def test_the_table_has_a_row_for_each_case() -> None:
    before, after = record(seed=1), record(0.5, seed=2)
    row = markdown(after, compared(before, after)).splitlines()[2]
    assert row.startswith("| lif | 10.00 | 0.")
    assert row.endswith("| faster |")
    assert markdown(after).splitlines()[2].startswith("| lif | 10.00 |")


@pytest.mark.extended
def test_a_measurement_is_written_and_compared_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "before.json"
    made, _ = run_quick(("delay-kernel",), out=path, json=True)
    assert json.loads(capsys.readouterr().out) == {"record": made, "verdicts": []}
    assert json.loads(path.read_text()) == made
    case = made["cases"]["delay-kernel"]
    assert np.shape(case["samples"]) == (5, 4)
    assert max(case["errors"].values()) < 1e-5
    assert compared(made, made)[0]["ratio"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--quick --smoke", "--quick: expected one of these options, got also --smoke"),
        ("--against before.json", "--against: expected --quick or --profile with it"),
        ("--quick --threads 1 2", "--quick: expected no --threads with it, got (1, 2)."),
        ("--quick --batch 0", "--quick: expected no --batch with it, got 0."),
        ("--profile --limit-s 3", "--profile: expected no --limit-s with it, got 3."),
        ("--tables lif", "--tables: expected no names with it, got ('lif',)."),
        ("--quick exits lif-100", "expected cases that are timed on the CPU, got exits."),
        ("--quick nothing", "benchmark: expected one of"),
        ("--profile nothing", "recipe"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *options.split()]) in (1, 2)
    assert said in capsys.readouterr().err.replace("\n", " ")
