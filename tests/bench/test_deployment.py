"""`dendrix bench deploy`: contenders are compared before they are timed, and other libraries get the same network."""

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.bench import deployment
from dendrix.bench.deploy_worker import layers_of
from dendrix.bench.harness import UnavailableError
from dendrix.deploy import IntegerNetwork, quantise
from support.integer_networks import network
from support.paths import DOCS, ROOT


def small() -> tuple[IntegerNetwork, np.ndarray]:
    """A network of two layers, and frames for it."""
    torch.manual_seed(0)
    x = torch.randn(1, 200, 6).clamp(-1.9, 1.9)
    whole = quantise(network("LIF"), [x])
    return whole, whole.inputs.whole(x)[0].numpy()


def test_libraries_get_the_same_network(tmp_path: Path) -> None:
    """A loop in float over the arrays that are written gives the spikes of the integer network."""
    whole, frames = small()
    deployment._write(tmp_path, whole, frames)
    first, last = layers_of(tmp_path)
    inputs, membrane, spikes = np.load(tmp_path / "input.npy"), np.zeros(12), []
    for t in range(len(inputs)):
        delayed = np.where(t >= first["delay"], inputs[np.maximum(t - first["delay"], 0), np.arange(6)], 0)
        membrane = membrane * first["decay"] + (first["weight"] * delayed).sum(1) + first["bias"]
        spikes.append(membrane >= first["threshold"])
        membrane = np.where(spikes[-1], 0, membrane)
    expected = deployment._expected(whole, frames)["spikes"]
    assert expected.sum() > 100
    assert np.abs(np.sum(spikes, 0) - expected).sum() <= 0.01 * expected.sum()
    assert last["weight"].shape == last["delay"].shape == (4, 12)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_contenders_that_are_not_here_are_named() -> None:
    whole, frames = small()
    found = deployment.compared(whole, frames, 2, (), ("brian2",), wasm=False)
    assert found["rows"]["C"]["ratio"] == 1
    assert found["refused"] == {"brian2": "not installed in any of the Pythons"}


def test_other_results_are_refused() -> None:
    expected = {"spikes": np.array([100, 200]), "sums": np.array([5, -7])}
    deployment._expect_equal({"spikes": [101, 200], "sums": [0, 0]}, expected)
    with pytest.raises(UnavailableError, match=r"its spikes differ by 0\.045"):
        deployment._expect_equal({"spikes": [110, 200]}, expected)
    with pytest.raises(UnavailableError, match="its sums differ"):
        deployment._expect_equal({"sums": [5, -6]}, expected)


def test_a_python_that_does_not_run() -> None:
    with pytest.raises(ValueError, match="pythons: expected interpreters"):
        deployment.python_of("brian2", ["/no/python"])


def test_the_page_has_the_stored_tables() -> None:
    record = json.loads((ROOT / "benchmarks" / "deploy.json").read_text())["deploy"]
    page = (DOCS / "howto" / "microcontroller.md").read_text()
    for table in (deployment.compared_table(record["whole"]), deployment.compared_table(record["upper"])):
        assert table in page
    assert deployment.stepping_table(record["stepping"]) in page


def test_a_worker_that_ends_names_the_error_alone(tmp_path: Path) -> None:
    """A record must not have the files of a traceback, which are those of this machine."""
    with ExitStack() as stack, pytest.raises(UnavailableError, match=r"^ended: KeyError: 'no library'$"):
        deployment.worker(tmp_path, "no library", sys.executable, stack)()
