"""DDP and FSDP2: two processes learn what one learns, with learned delays."""

import subprocess
import sys
from pathlib import Path


def test_two_processes_learn_what_one_learns() -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*torchrun, str(Path(__file__).with_name("two_processes.py"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
