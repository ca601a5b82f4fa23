"""`dendrix bench`: its files, its errors, its memory measurement and its stored results."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.bench import run
from dendrix.bench.command import stored_table
from dendrix.bench.harness import Case, Contender, Outcome, Timing, measure
from dendrix.bench.memory import Footprint, footprint
from dendrix.bench.report import case_record, markdown
from dendrix.bench.suite import find, groups, names, select


def test_a_smoke_run_writes_its_record_and_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    record = run(("lif-1024", "delay-kernel"), threads=(1,), smoke=True, out=tmp_path / "new", json=True)
    assert torch.get_num_threads() == threads
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "new" / "results.json").read_text()) == record
    assert [case["name"] for case in record["cases"]] == ["lif-1024", "delay-kernel"]
    for case in record["cases"]:
        assert case["contenders"]["dendrix"]["ratio"] == 1
        assert max(case["contenders"]["dendrix"]["errors"].values()) <= case["tolerance"]
    table = (tmp_path / "new" / "results.md").read_text()
    assert "## lif-1024" in table
    assert "| dendrix | 1.00 (1.00 to 1.00) |" in table


def test_unknown_names_suggest_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean 'delay-training'"):
        run(("delay-traning",), out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_gpu_cases_run_only_if_named_and_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [case for case in select(()) if case.name.startswith("gpu")]
    assert [case.name for case in select(("gpu",))] == ["gpu-lif-100", "gpu-lif-250", "gpu-lif-1024"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused = measure(find("gpu-lif-100")).refused
    assert refused["torch loop (unbind)"] == "no CUDA device was found"
    assert refused.keys() == {"torch loop (unbind)", "dendrix", "SpikingJelly, Triton"}


FOLDER = Path(__file__).parents[2] / "benchmarks"
TABLES = sorted(path.stem for path in FOLDER.glob("*.md"))


@pytest.mark.parametrize("name", TABLES)
def test_the_stored_tables_are_those_of_the_stored_record(name: str) -> None:
    """If this fails: dendrix bench --tables."""
    assert (FOLDER / f"{name}.md").read_text() == stored_table(json.loads((FOLDER / f"{name}.json").read_text()))


def test_stored_tables_are_found() -> None:
    assert {"results", "nir", "deploy"} <= set(TABLES)


@pytest.mark.parametrize("threads", [(), (0,), (1, -2)])
def test_threads_must_be_positive(threads: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        run(("lif",), threads=threads)


def test_a_batch_must_be_positive() -> None:
    with pytest.raises(ValueError, match="batch: expected a whole number"):
        run(("exits-fsdd",), batch=0)


def test_every_case_has_its_own_name_and_a_dendrix_with_something_to_equal() -> None:
    cases = [case for group in groups().values() for case in group]
    assert len(set(names())) == len(names())
    for case in cases:
        contenders = {contender.name: contender for contender in case.contenders}
        assert contenders["dendrix"].equals in contenders
        assert case.size.keys() == case.warm.keys()


@pytest.mark.extended
def test_memory_is_that_of_one_step_in_a_fresh_process() -> None:
    case = replace(find("lif-100"), size=dict(T=100, B=128, C=256))
    loop = footprint(case, case.contenders[0], threads=1)
    tensor = 100 * 128 * 256 * 4
    assert loop.results == 2 * tensor
    # The loop keeps a graph of several tensors per step; inputs and code do not count.
    assert 3 * tensor < loop.peak < 40 * tensor
    assert loop.overhead == loop.peak - loop.results
    assert loop.kernels == {"lif_step on cpu": "reference (reference forced)"}


def build(N: int) -> None:
    raise AssertionError(f"a record builds nothing, asked for {N}")


CASE = Case("test", "a test", dict(N=8), dict(N=2), tuple(Contender(name, build) for name in ("dendrix", "peer", "limit")), 1e-6)


def test_a_record_has_ratios_in_time_of_dendrix_and_memory_in_mib() -> None:
    timings = {"dendrix": Timing((1.0, 2.0, 4.0)), "limit": Timing((0.5, 0.5, 0.5))}
    outcome = Outcome({"dendrix": {"y": 1e-7}}, timings, {"peer": "spikes is off by 1e+00, allowed 1e-06"})
    record = case_record(CASE, outcome, 2, {"dendrix": Footprint(3 << 20, 1 << 20, {"lif_step on cpu": "fast"})})
    ours, limit = record["contenders"]["dendrix"], record["contenders"]["limit"]
    assert (limit["ratio"], limit["ratio_least"], limit["ratio_greatest"]) == (0.25, 0.125, 0.5)
    assert (ours["peak_mib"], ours["overhead_mib"]) == (3, 2)
    assert "peer" not in record["contenders"]
    table = markdown({"machine": {"cores": 2}, "cases": [record], "growth": [], "exits": [], "serve": [], "trouble": {}, "decode": {}})
    assert "| dendrix | 1.00 (1.00 to 1.00) | 0.25 | 3.0 | 2.0 | 1e-07 |" in table
    assert "No result for peer: spikes is off by 1e+00, allowed 1e-06" in table


def test_without_a_right_dendrix_there_is_no_ratio() -> None:
    record = case_record(CASE, Outcome({}, {"limit": Timing((1.0,))}, {"dendrix": "wrong", "peer": "absent"}), 1, {})
    assert "ratio" not in record["contenders"]["limit"]
