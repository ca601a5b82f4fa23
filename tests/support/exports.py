"""Exported folders: compilers and programs that run their self-tests, and hostile sounds."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="needs gcc")
STRICT = "-std=c99 -Wall -Wextra -Wconversion -pedantic -Werror"
SANE = "-O1 -fsanitize=undefined,address -fno-sanitize-recover=all"
SELFTEST = "-DDX_TRACE -DDX_DEBUG=1 test/selftest.c dendrix.c model.c"


def gcc(folder: Path, options: str, program: str = "a.out") -> str:
    """Compile in the folder, run, and return what was printed."""
    subprocess.run([str(GCC), *options.split(), "-o", program], cwd=folder, check=True, capture_output=True)
    return subprocess.run([f"./{program}"], cwd=folder, check=True, capture_output=True, text=True, input="").stdout


NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")


def selftest(folder: Path) -> str:
    return subprocess.run([str(NODE), "selftest.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout


def hostile_sounds(rng: np.random.Generator) -> list[np.ndarray]:
    return [
        rng.integers(-32768, 32768, 3000),
        np.full(1000, -32768),
        np.zeros(1111, np.int64),
        np.where(np.arange(2000) // 40 % 2, 32767, -32768),
        np.eye(1, 900, 450, dtype=np.int64)[0] * 20,
        rng.integers(-3, 4, 1),
    ]
