"""Energy counters of a processor: readings, overflow, and why there are none."""

import itertools
from pathlib import Path

import pytest

from dendrix.bench import energy_rapl


def counters(folder: Path, value: str = "1000") -> Path:
    """A folder as Linux has it, with one package."""
    package = folder / "intel-rapl:0"
    package.mkdir()
    (package / "energy_uj").write_text(value)
    (package / "max_energy_range_uj").write_text("1999999")
    return folder


def test_energy_between_two_readings_and_over_an_overflow(tmp_path: Path) -> None:
    found = energy_rapl.Counters(counters(tmp_path))
    assert found.read() == [1000]
    assert found.joules([1000], [501_000]) == pytest.approx(0.5)
    assert found.joules([1_900_000], [400_000]) == pytest.approx(0.5)


def test_the_energy_of_an_input_is_that_above_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = itertools.count(0, 250_000)
    monkeypatch.setattr(energy_rapl.Counters, "read", lambda self: [next(readings)])
    found = energy_rapl.measured(0.2, counters(tmp_path))
    assert found["watts"] == pytest.approx(found["idle_watts"], rel=0.9)
    assert found["millijoules"] == pytest.approx(1e3 * (found["watts"] - found["idle_watts"]) / found["inputs_per_second"], rel=1e-6)
    assert "mJ for an input above idle" in energy_rapl.table(found)


def test_without_counters_there_is_a_sentence(tmp_path: Path) -> None:
    assert "shows no energy counters" in energy_rapl.table(energy_rapl.measured(0.1, tmp_path))
    folder = counters(tmp_path)
    (folder / "intel-rapl:0" / "energy_uj").unlink()
    assert "cannot be read (No such file or directory)" in energy_rapl.table(energy_rapl.measured(0.1, folder))
