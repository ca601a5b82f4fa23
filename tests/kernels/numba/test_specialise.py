import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dendrix.kernels.numba.specialise import specialise

doubled = True
helper: Any = None


def template(x: int) -> int:
    return helper(2 * x if doubled else x)


def plus_one(x: int) -> int:
    return x + 1


def minus_one(x: int) -> int:
    return x - 1


def test_bound_names_are_constants_of_the_copy() -> None:
    up, down = specialise(plus_one), specialise(minus_one)
    assert specialise(template, doubled=True, helper=up)(5) == 11
    assert specialise(template, doubled=False, helper=up)(5) == 6
    assert specialise(template, doubled=False, helper=down)(5) == 4
    assert helper is None


def test_what_a_copy_is_made_of_names_it() -> None:
    def name(**bound: Any) -> str:
        return specialise(template, **bound).__name__

    up, down = specialise(plus_one), specialise(minus_one)
    assert name(doubled=True, helper=up) == name(doubled=True, helper=specialise(plus_one), unused=3)
    assert len({name(doubled=True, helper=up), name(doubled=False, helper=up), name(doubled=True, helper=down)}) == 3


def test_the_second_process_finds_it_compiled(tmp_path: Path) -> None:
    code = """
import numpy as np
from dendrix.kernels.numba import scalars
from dendrix.kernels.numba.specialise import specialise
sigmoid = specialise(scalars.sigmoid, exponential=specialise(scalars.exp_of_negative))
sigmoid(np.float32(1), np.float32(2))
print(sum(sigmoid.stats.cache_hits.values()))
"""
    hits = []
    for _ in range(2):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        hits.append(int(done.stdout))
    assert hits == [0, 1]
