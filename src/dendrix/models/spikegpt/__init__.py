"""SpikeGPT: network, initialisation, released checkpoints and classifier.

`hf` and `hf_files` require transformers and are not imported here: import them by their full names.
"""

from .classifier import SpikeGPTClassifier
from .network import SpikeGPT, SpikeGPTBody, SpikeGPTConfig, published_46m, published_216m
from .released import load_released

__all__ = [
    "SpikeGPT",
    "SpikeGPTBody",
    "SpikeGPTClassifier",
    "SpikeGPTConfig",
    "load_released",
    "published_46m",
    "published_216m",
]
