"""Compilation where compiled loops cannot be kept: they run all the same, and a warning says so once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOP = """
def total(x):
    found = 0.0
    for value in x:
        found += value
    return found

def twice(x):
    return 2 * x
"""
CODE = """
import sys
import numba.core.caching as caching
if "nowhere" in sys.argv:
    caching.CompileResultCacheImpl._locator_classes = []
if "full" in sys.argv:
    def full(*_, **__):
        raise OSError(28, "No space left on device")
    caching.IndexDataCacheFile._open_for_write = full
import loops
import numpy as np
from dendrix.compiled import compiled
print(compiled(loops.total)(np.ones(5)), compiled(loops.twice)(2.5), "torch" in sys.modules)
"""
WARNING = "Compiled kernels cannot be kept on disk"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "loops.py").write_text(LOOP)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, env=environment, check=True)


@pytest.mark.parametrize("trouble", ["nowhere", "full", "damaged index", "damaged code"])
def test_loops_run_without_a_cache(trouble: str, tmp_path: Path) -> None:
    if trouble.startswith("damaged"):
        assert WARNING not in run(tmp_path).stderr
        files = list((tmp_path / "cache").rglob("*.nbi" if "index" in trouble else "*.nbc"))
        assert len(files) == 2
        for path in files:
            path.write_bytes(path.read_bytes()[:20])
    found = run(tmp_path, trouble)
    assert found.stdout == "5.0 5.0 False\n"
    assert found.stderr.count(WARNING) == 1
