"""Start Python in a process of its own."""

import os
import subprocess
import sys

from .paths import TESTS


def run_python(*arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS`, which finds `support`, on one thread; further variables of the environment by name."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in environment.items()}}
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, env=variables, check=False)
