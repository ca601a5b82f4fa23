"""Networks on spike counts of the cochlea: every engine equals the reference to the bit, from samples to the decision."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dendrix.data import Cochlea
from dendrix.deploy import Deployed, IntegerCochlea, export_arduino, export_c, export_npz, export_wasm, quantise, report
from dendrix.errors import InputError
from support.exports import SANE, SELFTEST, STRICT, gcc, hostile_sounds, needs_gcc, needs_node, selftest
from support.integer_networks import deployed, frames, network

EAR = IntegerCochlea(dt_ms=5.0, cells=12, group=2)


def made(ear: IntegerCochlea = EAR) -> Deployed:
    """A network that hears, with an exit rule that stops some inputs."""
    found = deployed(quantise(network(), [frames().mul(4).round()]), encoder=ear, dt_ms=ear.dt_ms)
    return replace(found, rule=replace(found.probability, threshold=0.6))


@needs_gcc
@pytest.mark.parametrize("optimised", [pytest.param("-O0", marks=pytest.mark.extended), "-O2"])
def test_c(optimised: str, tmp_path: Path) -> None:
    export_c(made(), tmp_path / "net", hostile_sounds(np.random.default_rng(1)))
    assert (tmp_path / "net" / "dendrix_cochlea.h").exists()
    assert "6 clips equal" in gcc(tmp_path / "net", f"{STRICT} {SANE} {SELFTEST} {optimised}")


@needs_gcc
@pytest.mark.extended
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_other_rates(rate: int, tmp_path: Path) -> None:
    ear = replace(EAR, rate=rate, f_max=3_000.0, ramp_ms=0.0, gain=1.3, floor=0.2, seed=2**31)
    export_c(made(ear), tmp_path / "net", hostile_sounds(np.random.default_rng(2)))
    assert "6 clips equal" in gcc(tmp_path / "net", f"{STRICT} {SANE} {SELFTEST}")


@needs_node
def test_wasm(tmp_path: Path) -> None:
    export_wasm(made(), tmp_path / "net", hostile_sounds(np.random.default_rng(3)))
    assert "6 clips equal" in selftest(tmp_path / "net")


def test_arrays_and_library(tmp_path: Path) -> None:
    clips = hostile_sounds(np.random.default_rng(5))[:1]
    export_npz(made(), tmp_path / "npz", clips)
    with np.load(tmp_path / "npz" / "network.npz") as found:
        assert np.array_equal(found["cochlea_drive"], EAR.tables().drive)
    assert json.loads((tmp_path / "npz" / "network.json").read_text())["encoder"]["encoder"] == "IntegerCochlea"
    export_arduino(made(), tmp_path / "library", clips)
    assert (tmp_path / "library" / "src" / "dendrix_cochlea.h").exists()


def test_encoders_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="expected one in whole numbers, got Cochlea"):
        made(Cochlea(dt_ms=5.0, cells=12, group=2))
    with pytest.raises(InputError, match="encoder: expected the form of the input"):
        deployed(quantise(network(), [frames()]), encoder=EAR)


def test_the_report_says_what_it_costs() -> None:
    costs, larger = (report(made(replace(EAR, cells=6 * group, group=group))) for group in (2, 4))
    assert abs(larger.memory_bytes - costs.memory_bytes - 12 * (54 + 15)) < 8
    assert larger.tables_bytes - costs.tables_bytes == 12 * 12
    assert larger.instructions_mean > 1.9 * costs.instructions_mean


@pytest.mark.skipif(
    importlib.util.find_spec("unicorn") is None or importlib.util.find_spec("ziglang") is None, reason="needs unicorn and ziglang"
)
@pytest.mark.extended
@pytest.mark.parametrize("cpu", ["cortex_m4", "cortex_m0plus"])
def test_microcontrollers(cpu: str, tmp_path: Path) -> None:
    from support.cortex import check

    clip = np.random.default_rng(0).integers(-9000, 9000, 80 * 20)
    whole = replace(made(), rule=None)
    core = check(whole, [clip], tmp_path / "net", cpu)
    if cpu == "cortex_m4":
        core.start(1 << 17, 16_000)
        core.instructions = 0
        core.push(clip)
        assert report(whole, whole.frames(clip)).instructions_mean == pytest.approx(core.instructions / 20, rel=0.2)
