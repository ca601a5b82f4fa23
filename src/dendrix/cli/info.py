"""Facts about this installation and advice, for `dendrix info`."""

import os
from importlib.util import find_spec
from typing import Any

import torch

from ..compiled import cache_folder
from ..core.dispatch import known_kernels
from ..pretrained import titles
from ..recipes.requirements import REQUIREMENTS
from ..run_folder.record import environment

EXTRAS = {
    "audio": ("soundfile", "soxr", "scipy"),
    "microphone": ("sounddevice",),
    "data": ("h5py", "lz4", "PIL", "pooch"),
    "events": ("evlib",),
    "exits": ("scipy",),
    "lm": ("tokenizers", "transformers"),
    "nir": ("h5py", "nir", "nirtorch"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "redis": ("redis",),
    "serve": ("fastapi", "uvicorn", "sse_starlette", "prometheus_client"),
    "sweep": ("optuna",),
    "tensorboard": ("tensorboard",),
    "train": ("accelerate", "matplotlib", "sklearn"),
}
"""Modules of each extra."""


def describe() -> dict[str, Any]:
    """Return versions, device, extras, kernels, their cache, and the data that were found."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        **environment(device),
        "extras": {name: _extra(modules) for name, modules in EXTRAS.items()},
        "kernels": known_kernels(),
        "kernel cache": cache_folder() or "none: every process compiles its kernels",
        "shipped networks": titles(),
        "data": _data_found(os.environ.get("DENDRIX_DATA")),
    }


def advice(facts: dict[str, Any]) -> list[str]:
    """Return a sentence with a remedy for everything that is missing."""
    found = list[str]()
    if cache_folder() is None:
        found.append("Kernels cannot be kept on disk: set DENDRIX_CACHE to a folder that can be written.")
    if missing := [name for name, state in facts["extras"].items() if state != "installed"]:
        found.append(f"Extras that are not installed, and may not be needed: pip install 'dendrix[{','.join(missing)}]'")
    root = os.environ.get("DENDRIX_DATA")
    if root is None:
        found.append("Data folder: set DENDRIX_DATA to the folder of your data sets; `dendrix list` shows what each recipe needs.")
    elif not os.path.isdir(root):
        found.append(f"Data folder: DENDRIX_DATA is {root}, which is no folder.")
    if find_spec("triton") is not None and not torch.cuda.is_available():
        found.append("GPU: none was found, so everything runs on the CPU.")
    return found


def _extra(modules: tuple[str, ...]) -> str:
    missing = [module for module in modules if find_spec(module) is None]
    return f"missing {', '.join(missing)}" if missing else "installed"


def _data_found(root: str | None) -> dict[str, str]:
    """Return whether each data set was found, by its name."""
    return {needs.data: "found" if needs.present(root) else "not found" for needs in REQUIREMENTS.values()}
