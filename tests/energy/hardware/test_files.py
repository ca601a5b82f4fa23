"""Hardware models: those that come with dendrix, and refused files."""

from pathlib import Path

import pytest

from dendrix.energy import Range, hardware_names, load_hardware

GOOD = """
title = "a machine"
source = "a paper, table 1"
[operations.int8]
mac_pj = [0.2, 0.4]
ac_pj = 0.1
[[memory]]
name = "DRAM"
access_bytes = 8
access_pj = 100
[[memory]]
name = "SRAM"
bytes = 1024
access_bytes = 8
access_pj = 8
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def test_a_file_of_the_user(tmp_path: Path) -> None:
    found = load_hardware(written(tmp_path, GOOD))
    assert (found.name, found.default_numbers(), found.reuse) == ("own", "int8", "full")
    assert [(level.name, level.pj_per_byte) for level in found.memory] == [("SRAM", Range(1, 1)), ("DRAM", Range(12.5, 12.5))]
    assert found.costs("int8").mac_pj == Range(0.2, 0.4)
    assert found.static_mw is None


@pytest.mark.parametrize("name", hardware_names())
def test_those_that_come_with_dendrix_have_a_source(name: str) -> None:
    found = load_hardware(name)
    assert found.source
    assert (found.static_mw is None) == any(part in found.left_out for part in ("static power", "baseline power"))
    assert bool(found.memory) != found.memory_included


def test_figures_of_the_sources() -> None:
    """Horowitz (2014), figure 1.1.9, Davies et al. (2018), table 2: as printed there."""
    older = load_hardware("45nm")
    assert older.costs("float32").ac_pj.low == 0.9
    assert older.costs("float32").mac_pj == pytest.approx((3.7 + 0.9,) * 2)
    assert [level.pj_per_byte.low * 8 for level in older.memory] == [10, 20, 100, 1300]
    loihi = load_hardware("loihi").costs("int8")
    assert (loihi.ac_pj.low, loihi.neuron_pj, loihi.spike_pj.low) == (23.6, Range(52, 81), 1.7)
    assert load_hardware("loihi").static_mw == pytest.approx((29 / 128, 29), rel=3e-3)


def test_a_cortex_m4_is_derived_from_its_data_sheet() -> None:
    """52 uA/MHz at 3 V is 156 pJ for a cycle; one to two cycles for an instruction; idle currents at 3 V."""
    cycle, machine = 52 * 3, load_hardware("cortex-m4")
    costs = machine.costs("int8")
    assert costs.mac_pj is not None
    assert costs.neuron_pj is not None
    for instructions, found in ((6.7, costs.mac_pj), (8.6, costs.ac_pj), (48, costs.neuron_pj), (1500, costs.step_pj)):
        assert found == pytest.approx((instructions * cycle, 2 * instructions * cycle), abs=0.6)
    assert machine.static_mw == pytest.approx((2.35 * 3 / 1e3, 3.16 * 3 / 1e3))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("ac_pj = 0.1", "", "expected operations.int8.ac_pj, the energy of an addition, which is missing"),
        ("mac_pj = [0.2, 0.4]", "", "expected operations.int8.mac_pj or operations.int8.neuron_pj"),
        ("ac_pj = 0.1", "ac_nj = 0.1", "got operations.int8.ac_nj. Did you mean 'ac_pj'?"),
        ("ac_pj = 0.1", "ac_pj = -0.1", "expected operations.int8.ac_pj to be a number from 0 to 1e18, or two of them, got -0.1"),
        ("ac_pj = 0.1", "ac_pj = nan", "got nan"),
        ("ac_pj = 0.1", "ac_pj = inf", "got inf"),
        ("ac_pj = 0.1", "ac_pj = 1e308", "got 1e+308"),
        pytest.param("ac_pj = 0.1", f"ac_pj = 1{'0' * 400}", "got 1000", id="400 digits"),
        pytest.param("ac_pj = 0.1", f"ac_pj = {'[' * 5000}", "recursion", id="deep"),
        ("ac_pj = 0.1", 'ac_pj = "0.1 pJ"', "got 0.1 pJ"),
        ("ac_pj = 0.1", "ac_pj = true", "got True"),
        ("[0.2, 0.4]", "[0.4, 0.2]", "[least, greatest]"),
        ("[0.2, 0.4]", "[0.2, 0.3, 0.4]", "or two of them"),
        ("access_pj = 100", "", "expected memory.access_pj, which is missing"),
        ("access_bytes = 8", "access_bytes = 0", "access_bytes of at least 0.125"),
        ("bytes = 1024", "bits = 1024", "got memory.bits"),
        ('source = "a paper, table 1"', "", "expected the text 'source'"),
        ("[operations.int8]", "[operations.int9]", "got operations.int9. Did you mean 'int8'?"),
        ("title =", "reuse = 'some'\ntitle =", "reuse: "),
        ("title =", "interpolate = 1\ntitle =", "interpolate to be true or false"),
        ("title =", "left_out = 'much'\ntitle =", "expected a list left_out"),
        ("title =", "memory = 3\ntitle =", "invalid file"),
        ("title =", "title", "invalid file"),
    ],
)
def test_refused_files(before: str, after: str, says: str, tmp_path: Path) -> None:
    assert before in GOOD
    with pytest.raises(ValueError, match=r"own\.toml") as error:
        load_hardware(written(tmp_path, GOOD.replace(before, after)))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_parts(tmp_path: Path) -> None:
    start = 'title = "a"\nsource = "b"\n'
    with pytest.raises(ValueError, match=r"expected a table \[operations\]"):
        load_hardware(written(tmp_path, start))
    with pytest.raises(ValueError, match=r"at least one \[\[memory\]\]"):
        load_hardware(written(tmp_path, start + "[operations.int8]\nac_pj = 1\nmac_pj = 1\n"))
    with pytest.raises(ValueError, match=r"expected a table \[operations\.int8\]"):
        load_hardware(written(tmp_path, start + "memory_included = true\n[operations]\nint8 = 3\n"))
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="invalid file"):
        load_hardware(tmp_path / "own.toml")
    (tmp_path / "own.toml").write_text("#" * 2_000_000)
    with pytest.raises(ValueError, match="at most 1,000,000 bytes"):
        load_hardware(tmp_path / "own.toml")
    with pytest.raises(OSError, match=r"none\.toml"):
        load_hardware(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="Did you mean 'loihi'"):
        load_hardware("loihii")
