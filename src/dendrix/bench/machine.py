"""Description of the machine of a measurement, without anything that identifies it."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

from .peers import versions


def describe() -> dict[str, str | int]:
    """Processor, cores and versions of the libraries."""
    found: dict[str, str | int] = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "vector": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    return found | {name: metadata.version(name) for name in ("dendrix", "torch", "numba")} | versions()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
