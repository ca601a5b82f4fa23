"""The engine on emulated Cortex-M4 and M0+ cores equals the reference to the bit; skipped without the emulator."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dendrix.data import IntegerMel
from dendrix.deploy import export_c, quantise, report
from support.cortex import Cortex, check
from support.integer_networks import deployed, frames, network, random_network

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("unicorn") is None or importlib.util.find_spec("ziglang") is None,
    reason="needs unicorn, an emulator, and ziglang",
)


@pytest.mark.parametrize("cpu", ["cortex_m4", "cortex_m0plus"])
@pytest.mark.parametrize("seed", range(3))
def test_random_networks(cpu: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(rng, extreme=seed == 1, bits=16 if seed == 2 else 8)
    clips = [rng.integers(-200, 200, 6 * net.inputs.channels), rng.integers(-200, 200, 4 * net.inputs.channels)]
    check(deployed(net), clips, tmp_path / "net", cpu)


@pytest.mark.parametrize("cpu", ["cortex_m4", "cortex_m0plus"])
@pytest.mark.parametrize("bits", [4, 8])
def test_sound(cpu: str, bits: int, tmp_path: Path) -> None:
    mel = IntegerMel(dt_ms=20.0, n_mels=6, centred=True)
    made = deployed(quantise(network(), [frames()], weights=bits), encoder=mel, dt_ms=20.0)
    rng = np.random.default_rng(0)
    clips = [rng.integers(-32768, 32768, 801), np.where(np.arange(640) // 9 % 2, 32767, -32768)]
    check(made, clips, tmp_path / "net", cpu)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_estimate_of_instructions_is_near_the_count(bits: int, tmp_path: Path) -> None:
    mel = IntegerMel(dt_ms=20.0, n_mels=24, centred=True)
    net = quantise(network(inputs=24, hidden=128, outputs=10, max_delay_ms=120.0), [frames(channels=24)], weights=bits)
    made = deployed(net, encoder=mel, dt_ms=20.0)
    clip = np.random.default_rng(0).integers(-9000, 9000, 160 * 20)
    export_c(made, tmp_path / "net", [clip])
    core = Cortex(tmp_path / "net")
    core.start(1 << 16, 8000)
    core.instructions = 0
    core.push(clip)
    assert report(made, made.frames(clip)).instructions_mean == pytest.approx(core.instructions / 20, rel=0.15)
