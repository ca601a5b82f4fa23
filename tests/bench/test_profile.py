"""Profiles of trainings: operations, their limits, and records that are not profiles."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dendrix.bench import run_profile, write_tables
from dendrix.bench.command import stored_table
from dendrix.bench.profile import costs, markdown, profiled, readable
from dendrix.recipes import find_recipe


def recipe() -> Any:
    whole: Any = find_recipe("digits-delays")()
    return replace(whole, budget=replace(whole.budget, batch_size=32))


def test_a_profile_has_the_time_and_the_limit_of_every_operation(tmp_path: Path) -> None:
    found = run_profile({"digits-delays": recipe()}, out=tmp_path, steps=2)
    [one] = found["profiles"]
    assert (one["recipe"], one["threads"], one["items"], one["steps"], one["data"]) == ("digits-delays", 1, 32, 2, "as recorded")
    assert one["seconds"] > 0
    assert one["processor_seconds"] > 0
    seconds = [row["seconds"] for row in one["operations"]]
    assert seconds[:-1] == sorted(seconds[:-1], reverse=True)
    assert one["operations"][-1]["name"].endswith(" others")
    assert all(row["calls"] > 0 and row["of_limit"] >= 0 for row in one["operations"])
    assert any(row["name"].startswith("dendrix::fused_scan") for row in one["operations"])
    assert (tmp_path / "profile.md").read_text() == markdown(found) == stored_table(found)


def test_more_steps_than_there_are_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 2002 training steps or more in 6 epochs"):
        profiled(recipe(), 1000)


def test_before_and_now_stand_side_by_side() -> None:
    one = {"recipe": "r", "threads": 1, "items": 8, "data": "d", "gflops": 1.0, "gigabytes": 1.0, "seconds": 2.0, "processor_seconds": 1.0}
    one["operations"] = [{"name": "mm", "calls": 1.0, "seconds": 1.0, "of_limit": 0.5}]
    table = markdown({"machine": {"cores": 2}, "profiles": [{**one, "processor_seconds": 0.5}], "before": [one]})
    assert "| r | 1 | 8.0 | 16.0 | 2.00 |" in table
    assert "## r, 1 threads before" in table
    assert "| `mm` | 100.0% | 1000.00 | 1 | 0.50 |" in table


@pytest.mark.parametrize("text", ["{}", '{"profiles": 3}', '{"profiles": [{"recipe": "r"}]}', "[", "[]"])
def test_other_files_are_no_profiles_to_compare_with(text: str, tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text(text)
    with pytest.raises(ValueError, match=r"before\.json: expected"):
        run_profile({"digits-delays": recipe()}, out=tmp_path / "new", against=tmp_path / "before.json")
    assert not (tmp_path / "new").exists()


def test_products_are_counted_by_their_sizes() -> None:
    assert costs("aten::mm", [[3, 4], [4, 5]]) == (2 * 3 * 4 * 5, 4 * (12 + 20 + 15))
    assert costs("aten::baddbmm_", [[2, 3, 5], [2, 3, 4], [2, 4, 5], [], []])[0] == 2 * 2 * 3 * 4 * 5
    assert costs("aten::mkldnn_convolution", [[2, 3, 8, 8], [16, 3, 3, 3], [16]])[0] == 2 * 2 * 64 * 16 * 27
    assert costs("aten::convolution_backward", [[2, 16, 8, 8], [2, 3, 8, 8], [16, 3, 3, 3]])[0] == 2 * 2 * 2 * 64 * 16 * 27
    assert costs("aten::mul", [[2, 3], []]) == (0, 4 * (6 + 6))
    assert costs("Optimizer.step", []) == (0, 0)


def test_names_of_operations_are_readable() -> None:
    assert readable("aten::mm") == "mm"
    assert readable("dendrix::delay_conv_backward") == "dendrix::delay_conv_backward"
    assert readable("GeneratedBackwardFor_dendrix_delay_conv_default") == "dendrix::delay_conv"
    assert readable("GeneratedBackwardFor_dendrix_delay_conv_defaultBackward") == "dendrix::delay_conv, autograd"


def test_tables_are_written_again_from_their_records(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text('{"machine": {"cores": 2}, "profiles": []}')
    (tmp_path / "one.md").write_text("old")
    assert write_tables(tmp_path) == [tmp_path / "one.md"]
    assert (tmp_path / "one.md").read_text().startswith("# Where a training goes")
    assert not (tmp_path / "two.md").exists()


def test_a_damaged_record_leaves_all_tables_as_they_are(tmp_path: Path) -> None:
    for name, text in (("a", '{"machine": {}, "profiles": []}'), ("b", "{")):
        (tmp_path / f"{name}.json").write_text(text)
        (tmp_path / f"{name}.md").write_text("old")
    with pytest.raises(ValueError, match=r"b\.json: expected JSON"):
        write_tables(tmp_path)
    assert (tmp_path / "a.md").read_text() == "old"


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"NAME\.json beside NAME\.md"):
        write_tables(tmp_path)
