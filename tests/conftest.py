"""What all tests share: where the data pack lies, a small data set of tones, and a fixed seed."""

import itertools
import os
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from dendrix.folders import cache_folder
from support.long_tests import is_long

# Tests with a cache folder of their own find compiled loops all the same.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "kernels"))

# Whether drawing an example is slow is no property of the code on a machine that does other work as well.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the long tests."""
    for item in items:
        if is_long(item.nodeid):
            item.add_marker(pytest.mark.extended)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The data pack, a folder `shared` beside the repository; where it is absent the test is skipped."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the data pack at {folder}, which is not there")
    return folder


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def kernels_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels refuse nothing, so that "required" runs them on inputs for which the reference is as fast."""
    import dendrix.kernels  # noqa: F401 - fills the table
    from dendrix.core import KERNELS

    for operation, kernel in KERNELS.items():
        monkeypatch.setitem(KERNELS, operation, replace(kernel, refuses=lambda *_, **__: None))


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like FSDD: two "digits", a low and a high tone, by one speaker, takes 0 to 24, 0.1 s each."""
    folder = tmp_path_factory.mktemp("tones")
    noise = np.random.default_rng(0)
    for digit, take in itertools.product(range(2), range(25)):
        time = np.arange(800 + 8 * take) / 8000
        sound = 0.3 * np.sin(2 * np.pi * (400 + 1600 * digit) * time) + 0.01 * noise.standard_normal(len(time))
        with wave.open(str(folder / f"{digit}_tester_{take}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((sound * 32767).astype("<i2").tobytes())
    return folder
