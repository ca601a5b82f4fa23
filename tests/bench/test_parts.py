"""Benchmarks measured in parts: what is measured again replaces the earlier result, and every result keeps its commit and machine."""

import json
from pathlib import Path
from typing import Any

import pytest

from dendrix.bench import command, readme, run, write_tables
from dendrix.bench.parts import add_cases, add_section, merged, opened, started
from dendrix.bench.report import markdown

ROOT = Path(__file__).parents[2]
OLD = {"cpu": "A", "dendrix": "0.1.0"}
ORDER = ["one", "two", "three"].index


def case(name: str, ratio: float, other: str = "peer") -> dict[str, Any]:
    contenders = {
        "dendrix": {"errors": {}},
        other: {"errors": {}, "seconds": 1.0, "ratio": ratio, "ratio_least": 1.0, "ratio_greatest": 9.0},
    }
    sizes = dict(size={}, exact=None, coarse=None, tolerance=1e-6, repeats=1)
    return {"name": name, "about": "", "threads": 1, "contenders": contenders, "refused": {}, **sizes}


def growth(about: str, p: float) -> dict[str, Any]:
    return {"about": about, "sizes": [1, 2], "exponents": {"dendrix": p}}


def part(*cases: dict[str, Any], before: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    record = started(False, before)
    add_cases(record, list(cases))
    for name, found in sections.items():
        add_section(record, name, found)
    return record


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, Any]:
    """A record in the form of version 0.1."""
    stored = {"format": 1, "quick": False, "machine": OLD, "cases": [case("one", 2.0), case("three", 3.0)]}
    stored |= {"growth": [growth("time", 1.0), growth("batch", 1.1)]}
    (tmp_path / "results.json").write_text(json.dumps(stored))
    found = opened(tmp_path / "results.json", smoke=False)
    assert found
    return found


def test_a_part_replaces_what_it_measured_and_keeps_the_rest(earlier: dict[str, Any]) -> None:
    found = merged(earlier, part(case("two", 5.0), case("three", 4.0), growth=[growth("batch", 1.2)]), ORDER)
    [new] = set(found["measured"]) - {"dendrix 0.1.0"}
    assert [(c["name"], c["contenders"]["peer"]["ratio"], c["measured"]) for c in found["cases"]] == [
        ("one", 2.0, "dendrix 0.1.0"),
        ("two", 5.0, new),
        ("three", 4.0, new),
    ]
    assert found["growth"] == [growth("time", 1.0), growth("batch", 1.2)]
    assert found["sections"]["growth"] == {"time": "dendrix 0.1.0", "batch": new}
    table = markdown(found)
    assert "- dendrix 0.1.0: cpu A, dendrix 0.1.0\n" in table
    assert "Measured at dendrix 0.1.0 (time); " in table
    assert table.count(f"Measured at {new}.") == 2


def test_parts_that_were_all_replaced_are_no_longer_named(earlier: dict[str, Any]) -> None:
    found = merged(earlier, part(case("one", 1.0), case("three", 1.0), growth=[growth("time", 1.0), growth("batch", 1.0)]), ORDER)
    assert len(found["measured"]) == 1
    assert "dendrix 0.1.0" not in found["measured"]
    assert "Measured at" not in markdown(found)


def test_sections_that_are_measured_as_a_whole_are_replaced_as_a_whole(earlier: dict[str, Any]) -> None:
    first = merged(earlier, part(nir={"a": 1, "b": 2}), ORDER)
    second = merged(first, part(nir={"a": 3}), ORDER)
    assert first["nir"] == {"a": 1, "b": 2}
    assert second["nir"] == {"a": 3}
    assert merged(second, part(case("two", 1.0)), ORDER)["nir"] == {"a": 3}


def test_other_threads_and_other_sizes_of_decoding_stay(earlier: dict[str, Any]) -> None:
    small, large = ({"size": size, "batch": 1} for size in ("1M", "46M"))
    first = merged(earlier, part({**case("one", 5.0), "threads": 2}, decode={"speeds": [small, large], "sparse": [large]}), ORDER)
    assert [(c["name"], c["threads"]) for c in first["cases"]] == [("one", 1), ("one", 2), ("three", 1)]
    again = {**small, "batch": 16}
    second = merged(first, part(decode={"speeds": [again], "sparse": []}), ORDER)
    assert second["decode"] == {"speeds": [large, again], "sparse": [large]}
    assert second["sections"]["decode"].keys() == {"1M", "46M"}
    other = {**case("one", 6.0), "size": {"B": 8}}
    assert [c["size"] for c in merged(second, part(other), ORDER)["cases"]] == [{"B": 8}, {}]


def test_another_machine_on_the_same_day_has_its_own_name(earlier: dict[str, Any]) -> None:
    first = part(case("one", 1.0))
    [label] = first["measured"]
    first["measured"] = {label: {**first["measured"][label], "cpu": "B"}}
    stored = merged(earlier, first, ORDER)
    found = merged(stored, part(case("two", 1.0), before=stored), ORDER)
    assert list(found["measured"]) == ["dendrix 0.1.0", label, f"{label} (another machine)"]


def test_runs_in_parts_make_one_record_and_one_page(tmp_path: Path) -> None:
    for name in ("lif-1024", "delay-kernel", "lif-1024"):
        run((name,), threads=(1,), smoke=True, out=tmp_path)
    record = json.loads((tmp_path / "results.json").read_text())
    assert [c["name"] for c in record["cases"]] == ["lif-1024", "delay-kernel"]
    assert (tmp_path / "results.md").read_text() == markdown(record)


def test_a_run_that_ends_early_keeps_the_cases_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = command.measure

    def stopped(case: Any) -> Any:
        if case.name == "delay-kernel":
            raise KeyboardInterrupt
        return measure(case)

    monkeypatch.setattr(command, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(("lif-1024", "delay-kernel"), threads=(1,), smoke=True, out=tmp_path)
    assert [c["name"] for c in json.loads((tmp_path / "results.json").read_text())["cases"]] == ["lif-1024"]


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        "not JSON",
        '{"cases": []}',
        '{"cases": 3, "machine": {}}',
        '{"cases": [], "machine": null}',
        '{"cases": [{"threads": 1}], "machine": {"dendrix": "1"}}',
        '{"cases": [], "format": 2, "measured": [], "sections": {}}',
        '{"cases": [], "format": 2, "measured": {}}',
        '{"cases": [], "format": 3, "measured": {}, "sections": {}}',
        '{"cases": [], "format": 2, "measured": {}, "sections": {}, "growth": [{"about": "time"}]}',
    ],
)
def test_another_file_is_refused_before_anything_is_measured(content: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=r"results\.json"):
        run(("lif-1024",), threads=(1,), smoke=True, out=tmp_path)
    (tmp_path / "results.md").write_text("tables")
    with pytest.raises(ValueError, match=r"results\.json"):
        write_tables(tmp_path)
    assert (tmp_path / "results.json").read_text() == content


@pytest.mark.usefixtures("earlier")
def test_small_sizes_do_not_go_into_a_record_of_full_sizes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a record at small sizes, got one at full sizes"):
        run(("lif-1024",), threads=(1,), smoke=True, out=tmp_path)


ROWS = "| [LIF, forward and backward](a.md) | 1 |\n| [Learned delays, training step](a.md) | 2 |\n| [Other](a.md) | 3 |\n"


def test_the_readme_states_the_ratios_and_whether_they_are_of_an_earlier_release() -> None:
    cases = [case(name, ratio, "SpikingJelly") for name, ratio in (("lif-100", 4.6), ("lif-250", 9.0), ("lif-1024", 31.4))]
    record = {"machine": OLD, "cases": [*cases, case("delay-training", 5.55, "DCLS")]}
    first, second, third = readme.written(ROWS, record, "0.1.0").splitlines()
    assert first == "| [LIF, forward and backward](a.md) | 5 to 31 times faster than SpikingJelly |"
    assert second == "| [Learned delays, training step](a.md) | 5.5 times faster than DCLS |"
    assert third == "| [Other](a.md) | 3 |"
    assert readme.written(ROWS, record, "0.2.0.dev0").count(", on an earlier version |") == 2
    assert readme.written(ROWS, {**record, "cases": cases[1:]}, "0.1.0") == ROWS
    slower = readme.written(ROWS, {"machine": OLD, "cases": [case("delay-training", 0.42, "DCLS")]}, "0.1.0")
    assert "| 0.4 times the speed of DCLS |" in slower


def test_the_readme_has_the_figures_of_the_stored_record() -> None:
    """If this fails: dendrix bench --tables."""
    page = (ROOT / "README.md").read_text()
    assert readme.written(page, json.loads((ROOT / "benchmarks" / "results.json").read_text())) == page
    assert "times faster than SpikingJelly" in page


def test_tables_also_writes_the_readme_beside_the_folder(earlier: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    record = {**earlier, "cases": [{**case("delay-training", 5.55, "DCLS"), "measured": "dendrix 0.1.0"}]}
    (folder / "results.json").write_text(json.dumps(record))
    (folder / "results.md").write_text("")
    (tmp_path / "README.md").write_text(ROWS)
    assert write_tables(folder) == [folder / "results.md", tmp_path / "README.md"]
    assert "5.5 times faster than DCLS, on an earlier version" in (tmp_path / "README.md").read_text()
