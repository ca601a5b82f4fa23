import ctypes
import subprocess
import sys

import pytest

from dendrix.train.memory import keep_freed_memory

FAULTS = """
import resource, sys, torch
from dendrix.train.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
torch.set_num_threads(1)
def step():
    return torch.ones(12_000_000).sum()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    """Page faults of five steps that free a tensor of 48 MB each, in a process of its own."""
    return int(subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True).stdout)


def test_steps_get_the_memory_of_the_step_before():
    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        assert not keep_freed_memory()
        pytest.skip("the C library is not glibc")
    assert 2 * faults("keep") < faults("leave")  # a block may be taken anew once
