"""Compiled loops stay within their arrays: their own tests, at sizes that reach the kernels, with numba's bounds checking."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
CHECKED = {
    "delay": ["kernels/delay", "-k", "not compiles"],
    "qcfs, rate and WKV": ["kernels/qcfs", "kernels/rate", "kernels/test_wkv_kernel.py", "-k", "not compiles"],
    "scan": ["conformance/test_kernels.py", "-k", "test_kernel_equals_reference and 17 and not attached and not PLIF"],
    "spike counts": ["models/spikegpt/test_neurons.py", "-k", "kernel_of_spike_counts"],
    "local attention": ["conformance/test_differential.py", "-k", "loop_forward and local"],
    "decoding": ["kernels/decode", "generate/test_decoder.py", "layers/rwkv/test_token_shift.py"],
    "segments": ["sdr/test_segment_index.py"],
    "networks by events": ["lowering/test_event_loops.py"],
}
BEYOND = """
import numpy as np
from dendrix.compiled import compiled
def last(x):
    return x[len(x)]
compiled(last)(np.ones(3))
"""
TILES = """
import numpy as np
from dendrix.compiled import compiled
from dendrix.kernels.decode.product_loops import within
x, weights, sums = np.zeros((2, 3), np.float32), np.zeros(3 * 64, np.int8), np.zeros((2, 64), np.float32)
compiled(within)(x, 2, 3, weights, 3 * 64, 64, sums)
for inputs, end, width in ((4, 3 * 64, 64), (3, 3 * 64 + 1, 64), (3, 3 * 64, 65)):
    try:
        compiled(within)(x, 2, inputs, weights, end, width, sums)
    except IndexError:
        print("found")
"""


def checking(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with bounds checking; loops that were compiled without it are in another folder."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, cwd=TESTS.parent, check=False)


def test_an_access_beyond_an_array_is_found(tmp_path: Path) -> None:
    script = tmp_path / "beyond.py"
    script.write_text(BEYOND)
    found = checking(tmp_path, str(script))
    assert found.returncode
    assert "IndexError: index is out of bounds" in found.stderr


def test_tiles_of_products_beyond_an_array_are_found(tmp_path: Path) -> None:
    script = tmp_path / "tiles.py"
    script.write_text(TILES)
    found = checking(tmp_path, str(script))
    assert (found.stdout, found.returncode) == ("found\n" * 3, 0), found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("what", CHECKED)
def test_no_kernel_leaves_its_arrays(what: str, tmp_path: Path) -> None:
    paths = [str(TESTS / part) if part.endswith(".py") or (TESTS / part).is_dir() else part for part in CHECKED[what]]
    found = checking(tmp_path, "-m", "pytest", "-x", "-p", "no:cacheprovider", "-m", "not extended", *paths)
    assert found.returncode == 0, found.stdout[-4000:]
    assert " passed" in found.stdout
