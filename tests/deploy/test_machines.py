"""Engines on other machines equal the reference to the bit: wasmtime, other processors, all clips of FSDD, pieces of any length."""

import functools
import importlib.util
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dendrix.data import IntegerMel
from dendrix.data.speech.fsdd import fsdd_recordings
from dendrix.data.speech.integer_base import samples
from dendrix.deploy import Deployed, export_c, integer_encoder, quantise
from dendrix.deploy.image import image
from dendrix.run_folder import load
from support.engines import CEngine, WasmEngine, expect_equal
from support.integer_networks import deployed, frames, network, random_network
from support.paths import SHARED_DATA

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
needs_wasmtime = pytest.mark.skipif(importlib.util.find_spec("wasmtime") is None, reason="needs wasmtime")
needs_clips = pytest.mark.skipif(not (SHARED_DATA / "speech" / "fsdd.npz").exists(), reason="needs FSDD in ../shared/data")


@functools.cache
def digits(bits: int) -> tuple[Deployed, list[np.ndarray]]:
    """The shipped network in whole numbers, and the clips of FSDD. Its scale of inputs is that of the training data."""
    clips = fsdd_recordings(SHARED_DATA)
    encoder = integer_encoder(load_encoder(), shift=6)
    x = encoder.encode(clips.waves[0])
    net = quantise(load("fsdd"), [x.clamp(-1.9, 1.9).unsqueeze(0)], weights=bits)
    made = deployed(net, encoder=encoder, dt_ms=20.0)
    return replace(made, rule=replace(made.probability, threshold=0.9999)), [samples(np.asarray(wave)) for wave in clips.waves]


def load_encoder() -> object:
    from dendrix.data import encoder_from_dict
    from dendrix.run_folder.checkpoint import load_checkpoint

    return encoder_from_dict(load_checkpoint("fsdd").encoder)


@needs_gcc
@needs_clips
@pytest.mark.parametrize("bits", [8, 4])
def test_a_share_of_the_clips(bits: int, tmp_path: Path) -> None:
    compare_clips(bits, tmp_path, slice(7, None, 250))


@needs_gcc
@needs_clips
@pytest.mark.extended
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("bits", [8, 4])
def test_all_clips(bits: int, tmp_path: Path) -> None:
    compare_clips(bits, tmp_path, slice(None))


def compare_clips(bits: int, folder: Path, chosen: slice) -> None:
    made, clips = digits(bits)
    export_c(made, folder / "net", clips[:1])
    engine, rng = CEngine(folder / "net"), np.random.default_rng(0)
    for clip in clips[chosen]:
        expect_equal(made, engine, clip, rng)


@needs_gcc
@pytest.mark.parametrize("bits", [8, 4])
def test_pieces_of_any_length(bits: int, tmp_path: Path) -> None:
    made = sounds(bits)
    rng = np.random.default_rng(0)
    clips = [rng.integers(-32768, 32768, int(rng.integers(1, 1500))) for _ in range(20)]
    export_c(made, tmp_path / "net", clips[:1])
    engine = CEngine(tmp_path / "net")
    for clip in clips:
        expect_equal(made, engine, clip, rng)


@needs_wasmtime
@pytest.mark.parametrize("seed", range(4))
def test_wasmtime(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = deployed(random_network(rng, extreme=seed % 2 == 1))
    engine = WasmEngine(image(made))
    for _ in range(4):
        expect_equal(made, engine, rng.integers(-300, 300, int(rng.integers(1, 20)) * made.step + 1), rng)


PROCESSORS = {"powerpc": "ppc", "s390x": "s390x", "arm": "arm"}
"""Emulators by the prefix of their compiler: 32 bits big-endian, 64 bits big-endian, and 32 bits little-endian."""


def sounds(bits: int) -> Deployed:
    mel = IntegerMel(dt_ms=20.0, n_mels=6, centred=True)
    made = deployed(quantise(network("RecurrentDelay"), [frames()], weights=bits), encoder=mel, dt_ms=20.0)
    return replace(made, rule=replace(made.probability, threshold=0.5))


@pytest.mark.extended
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("bits", [8, 4])
def test_other_processors(processor: str, bits: int, tmp_path: Path) -> None:
    abi = "gnueabi" if processor == "arm" else "gnu"
    compiler, emulator = shutil.which(f"{processor}-linux-{abi}-gcc"), shutil.which(f"qemu-{PROCESSORS[processor]}")
    if compiler is None or emulator is None:
        pytest.skip(f"needs gcc-{processor}-linux-{abi} and qemu-user")
    rng = np.random.default_rng(bits)
    export_c(sounds(bits), tmp_path / "net", [rng.integers(-32768, 32768, 900), np.full(700, -32768), rng.integers(-9, 9, 801)])
    options = ["-static", "-std=c99", "-O2", "-DDX_TRACE", "test/selftest.c", "dendrix.c", "model.c", "-o", "selftest"]
    subprocess.run([compiler, *options], cwd=tmp_path / "net", check=True, capture_output=True)
    said = subprocess.run([emulator, "./selftest"], cwd=tmp_path / "net", check=True, capture_output=True, text=True).stdout
    assert "3 clips equal" in said
